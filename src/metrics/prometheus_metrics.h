// The metrics of the server in Prometheus' text format: those of tusd under their names, and ours.
#pragma once

#include "metrics/process_figures.h"

#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/metrics_sink.h>
#include <tus/runtime.h>
#include <tus/s3_metrics.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace tus::metrics {

struct StorageSpace {
  std::uint64_t free = 0;  // bytes that are there for us
  std::uint64_t size = 0;
};

struct HookSamples {
  HookTransport transport = HookTransport::file;
  std::size_t waiting = 0;  // notifications
  std::chrono::milliseconds oldest_age{0};
  std::optional<std::size_t> dead_letters;  // none: nobody has looked yet
};

// What is looked at when somebody asks, instead of being counted.
struct Samples {
  PoolFigures pool;
  LoopFigures loops;
  ProcessFigures process;
  std::optional<bool> ready;
  std::optional<StorageSpace> storage;  // where the uploads are on a file system
  std::optional<HookSamples> hooks;     // where there are programs or an endpoint
  std::optional<S3Figures> s3;          // where uploads are in a bucket
};

class PrometheusMetrics final : public MetricsSink, public S3Metrics {
 public:
  explicit PrometheusMetrics(std::shared_ptr<Clock> clock);
  ~PrometheusMetrics() override;
  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;

  void request(std::string_view method) noexcept override;
  void error(ErrorCode code) noexcept override;
  void bytes_received(std::uint64_t bytes) noexcept override;
  void upload_created(const UploadInfo& upload) noexcept override;
  void upload_finished(const UploadInfo& upload) noexcept override;
  void upload_terminated(const UploadInfo& upload) noexcept override;
  void connection_opened() noexcept override;
  void connection_closed() noexcept override;
  void connection_refused(Refusal why) noexcept override;
  void connection_shed() noexcept override;
  void request_refused(Refusal why) noexcept override;
  void request_begun() noexcept override;
  void request_ended() noexcept override;
  void request_done(const RequestFigures& figures) noexcept override;
  void request_rejected(int status) noexcept override;
  void body_moved(BytePath path, std::uint64_t bytes) noexcept override;
  void content_moved(BytePath path, std::uint64_t bytes) noexcept override;
  void first_byte_stored(std::chrono::nanoseconds after) noexcept override;
  void loop_was_late(std::chrono::nanoseconds lag) noexcept override;
  void lock_waited(LockOutcome outcome, std::chrono::nanoseconds duration) noexcept override;
  void upload_taken_over() noexcept override;
  void finish_failed() noexcept override;
  void upload_abandoned() noexcept override;
  void upload_expired(std::uint64_t bytes) noexcept override;
  void left_over_removed(std::uint64_t bytes) noexcept override;
  void upload_evicted() noexcept override;
  void hook_called(HookEvent event) noexcept override;
  void hook_failed(HookEvent event) noexcept override;
  void hook_took(HookTransport transport, HookEvent event, HookOutcome outcome,
                 std::chrono::nanoseconds duration) noexcept override;
  void hook_given_up(HookEvent event) noexcept override;
  void synced(SyncTarget target, SyncOutcome outcome,
              std::chrono::nanoseconds duration) noexcept override;
  void called(const S3Call& figures) noexcept override;
  void memory_waited(MemoryOutcome outcome, std::chrono::nanoseconds duration) noexcept override;
  void spilled(SpillReason why, std::uint64_t bytes) noexcept override;

  // Any thread; takes a millisecond or two.
  std::string text(const Samples& samples) const;

  static constexpr const char* content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tus::metrics
