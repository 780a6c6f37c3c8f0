// The numbers of uploads in a bucket.
#pragma once

#include "metrics/histogram.h"
#include "metrics/number.h"

#include <tus/s3_metrics.h>

#include <prometheus/summary.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <string_view>

namespace tus::metrics {

// The ten that tusd tells, what only we ask, and one name for what is none of these.
inline constexpr std::array<std::string_view, 22> s3_operations{"get_info_object",
                                                                "put_info_object",
                                                                "create_multipart_upload",
                                                                "complete_multipart_upload",
                                                                "upload_part",
                                                                "list_parts",
                                                                "head_part_object",
                                                                "get_part_object",
                                                                "put_part_object",
                                                                "delete_part_object",
                                                                "head_bucket",
                                                                "head_object",
                                                                "head_info_object",
                                                                "get_object",
                                                                "put_object",
                                                                "delete_object",
                                                                "delete_info_object",
                                                                "upload_part_copy",
                                                                "abort_multipart_upload",
                                                                "list_objects",
                                                                "list_multipart_uploads",
                                                                "other"};
inline constexpr std::array<std::string_view, s3_failure_count> s3_failures{"refused", "full",
                                                                            "unavailable", "other"};

// How long calls of one kind took, in the two ways that it is told.
class S3Durations {
 public:
  void observe(std::chrono::nanoseconds duration) noexcept;
  const Histogram& histogram() const noexcept { return histogram_; }
  prometheus::ClientMetric::Summary summary() const { return summary_.Collect().summary; }

 private:
  // From a small object beside the server to a part over a slow line, with its repetitions.
  static constexpr Scale scale{in_seconds,
                               {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60}};

  Histogram histogram_{scale};
  // The quantiles and the ten minutes of tusd. It has a mutex, which does not matter beside a request to S3.
  prometheus::Summary summary_{{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}}, std::chrono::minutes(10)};
};

struct S3Counters {
  S3Counters() = default;
  ~S3Counters();
  S3Counters(const S3Counters&) = delete;
  S3Counters& operator=(const S3Counters&) = delete;

  void called(const S3Call& figures) noexcept;

  struct Operation {
    std::atomic<S3Durations*> durations = nullptr;  // made with the first call: it is large
    std::array<Number, s3_failure_count> failures;
    Number retries;
    Number bytes_sent;
  };
  static constexpr Scale wait_scale{in_seconds, {0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 15, 60}};

  std::array<Operation, s3_operations.size()> operations;
  std::array<Histogram, 2> memory_waits{Histogram(wait_scale),
                                        Histogram(wait_scale)};  // by MemoryOutcome
  std::array<Number, 2> spills;                                  // by SpillReason
  Number spilled_bytes;
};

}  // namespace tus::metrics
