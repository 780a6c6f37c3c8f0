// The numbers behind the metrics: written by whoever does something, read when somebody asks.
#pragma once

#include "metrics/histogram.h"
#include "metrics/number.h"
#include "metrics/s3_counters.h"

#include <tus/error.h>
#include <tus/hooks.h>
#include <tus/metrics_sink.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tus::metrics {

// The six that tusd counts, and one name for whatever else clients think of.
inline constexpr std::array<std::string_view, 7> methods{"DELETE", "GET",  "HEAD", "OPTIONS",
                                                         "PATCH",  "POST", "other"};
inline constexpr std::size_t tusd_methods = 6;
std::size_t index_of_method(std::string_view method) noexcept;

// As in the messages of hooks.
inline constexpr std::array<std::string_view, hook_event_count> hook_types{
    "pre-create",  "post-create",   "post-receive",   "pre-finish",
    "post-finish", "pre-terminate", "post-terminate", "pre-access"};

// How long requests took, by method and status. A pair is made when it comes for the first time.
class RequestDurations {
 public:
  RequestDurations() = default;
  ~RequestDurations();
  RequestDurations(const RequestDurations&) = delete;
  RequestDurations& operator=(const RequestDurations&) = delete;

  void observe(const RequestFigures& figures) noexcept;

  template <class Visitor>
  void for_each(Visitor visit) const {
    for (std::size_t m = 0; m < methods.size(); ++m) {
      for (std::size_t s = 0; s < statuses; ++s) {
        const auto* found = table_[m][s].load(std::memory_order_acquire);
        if (found != nullptr) visit(methods[m], first_status + static_cast<int>(s), *found);
      }
    }
  }

 private:
  static constexpr int first_status = 100;
  static constexpr std::size_t statuses = 500;
  using Place = std::atomic<Histogram*>;

  static Histogram* at(Place& place) noexcept;

  std::array<std::array<Place, statuses>, methods.size()> table_{};
};

// What changes, by what it is about.
struct Counters {
  static constexpr std::size_t error_codes = static_cast<std::size_t>(ErrorCode::internal) + 1;
  static constexpr std::size_t rejections = 600;  // by status

  // Chunks of any size come with one request; an interrupted one may take hours.
  static constexpr Scale request_scale{
      in_seconds, {0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200}};
  static constexpr Scale lifetime_scale{in_seconds,
                                        {0.1, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400, 604800}};
  static constexpr Scale size_scale{in_bytes,
                                    {1 << 10, 1 << 16, 1 << 20, 16 << 20, 128 << 20, 1ull << 30,
                                     10ull << 30, 100ull << 30, 1ull << 40}};
  static constexpr Scale wait_scale{
      in_seconds, {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 20}};
  // From a program that does nothing to one that is killed.
  static constexpr Scale hook_scale{
      in_seconds, {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15, 60}};

  std::array<Number, tusd_methods> requests;
  std::array<Number, error_codes> errors;
  Number bytes_received;
  Number created;
  Number finished;
  Number terminated;
  Number connections_open;
  std::array<Number, hook_types.size()> hooks_called;
  std::array<Number, hook_types.size()> hooks_failed;
  std::array<Number, hook_types.size()> hooks_given_up;
  struct HookCalls {
    Histogram durations{hook_scale};
    Number failures;
  };
  std::array<std::array<HookCalls, hook_types.size()>, hook_transport_count> hook_calls;

  Number connections_accepted;
  std::array<Number, 3> connections_refused;  // by Refusal
  Number connections_shed;
  std::array<Number, 2> requests_refused;  // by Refusal, from per_address on
  Number requests_in_flight;
  RequestDurations durations;
  std::array<Number, rejections> rejected;
  std::array<Number, 2> bodies;    // by BytePath
  std::array<Number, 2> contents;  // by BytePath
  Histogram first_byte{wait_scale};
  Histogram loop_lag{wait_scale};

  Histogram upload_sizes{size_scale};
  Histogram upload_lifetimes{lifetime_scale};
  std::array<Histogram, 4> locks{Histogram(wait_scale), Histogram(wait_scale),
                                 Histogram(wait_scale), Histogram(wait_scale)};  // by LockOutcome
  Number taken_over;
  Number finish_failures;
  Number abandoned;
  Number expired;
  Number left_overs;
  Number swept_bytes;
  Number evicted;
  std::array<Histogram, 2> syncs{Histogram(wait_scale), Histogram(wait_scale)};  // by SyncTarget
  Number sync_failures;
  S3Counters s3;
};

}  // namespace tus::metrics
