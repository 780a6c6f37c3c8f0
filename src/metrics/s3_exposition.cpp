#include "metrics/s3_exposition.h"

#include "metrics/families.h"

#include <utility>

namespace tus::metrics {

namespace {

using Families = std::vector<prometheus::MetricFamily>;

constexpr std::array<std::string_view, 2> memory_outcomes{"granted", "timed_out"};
constexpr std::array<std::string_view, 2> spill_reasons{"stalled", "shortage"};

void add_durations(Families& out, const S3Counters& c) {
  auto summary =
      summaries("tusd_s3_request_duration_ms",
                "Milliseconds that calls of S3 took, with their repetitions, by operation.");
  auto histogram = histograms("tusd_s3_request_duration_seconds",
                              "How long calls of S3 took, with their repetitions, by operation.");
  for (std::size_t i = 0; i < s3_operations.size(); ++i) {
    const auto* durations = c.operations[i].durations.load(std::memory_order_acquire);
    if (durations == nullptr) continue;
    summary.add_summary(durations->summary(), {{"operation", s3_operations[i]}});
    histogram.add_histogram(durations->histogram(), {{"operation", s3_operations[i]}});
  }
  out.push_back(std::move(summary).take());
  out.push_back(std::move(histogram).take());
}

void add_calls(Families& out, const S3Counters& c) {
  auto failures = counters("tusd_s3_request_errors_total",
                           "Calls of S3 that failed after all attempts, by operation and kind.");
  auto retries = counters("tusd_s3_request_retries_total",
                          "Requests to S3 that repeated an earlier one, by operation.");
  auto sent = counters("tusd_s3_sent_bytes_total",
                       "Bytes of bodies for S3, repetitions among them, by operation.");
  for (std::size_t i = 0; i < s3_operations.size(); ++i) {
    const auto& one = c.operations[i];
    const auto name = s3_operations[i];
    for (std::size_t k = 0; k < s3_failures.size(); ++k) {
      failures.add_counter(one.failures[k].get(), {{"operation", name}, {"kind", s3_failures[k]}});
    }
    retries.add_counter(one.retries.get(), {{"operation", name}});
    sent.add_counter(one.bytes_sent.get(), {{"operation", name}});
  }
  out.push_back(std::move(failures).take());
  out.push_back(std::move(retries).take());
  out.push_back(std::move(sent).take());
}

void add_parts(Families& out, const S3Figures& now) {
  out.push_back(gauges("tusd_s3_upload_semaphore_demand",
                       "Parts that are being sent to S3, or wait for that.")
                    .gauge(static_cast<double>(now.part_slots_wanted))
                    .take());
  out.push_back(gauges("tusd_s3_upload_semaphore_limit", "Parts that may be sent at once.")
                    .gauge(static_cast<double>(now.part_slots))
                    .take());
  out.push_back(gauges("tusd_s3_sending_bytes", "Bytes of uploads that are being sent to S3.")
                    .gauge(static_cast<double>(now.sending))
                    .take());
  // Dashboards for tusd ask for it. Nothing is ever written.
  out.push_back(
      summaries("tusd_s3_disk_write_duration_ms", "Nothing: no bytes are written to the disk.")
          .summary({})
          .take());
}

void add_memory(Families& out, const S3Counters& c, const S3Figures& now) {
  out.push_back(gauges("tusd_s3_memory_bytes", "Bytes of uploads that are held in memory.")
                    .gauge(static_cast<double>(now.memory_used))
                    .take());
  out.push_back(gauges("tusd_s3_memory_limit_bytes", "Bytes of uploads that may be.")
                    .gauge(static_cast<double>(now.memory_limit))
                    .take());
  out.push_back(gauges("tusd_s3_memory_waiting", "Requests that wait for memory now.")
                    .gauge(static_cast<double>(now.memory_waiting))
                    .take());
  auto waits =
      histograms("tusd_s3_memory_wait_seconds", "Waits of requests for memory, by how they ended.");
  auto spills = counters("tusd_s3_spills_total",
                         "Unfinished parts that were put into the bucket early, by the reason.");
  for (std::size_t i = 0; i < memory_outcomes.size(); ++i) {
    waits.add_histogram(c.memory_waits[i], {{"outcome", memory_outcomes[i]}});
  }
  for (std::size_t i = 0; i < spill_reasons.size(); ++i) {
    spills.add_counter(c.spills[i].get(), {{"reason", spill_reasons[i]}});
  }
  out.push_back(std::move(waits).take());
  out.push_back(std::move(spills).take());
  out.push_back(counters("tusd_s3_spilled_bytes_total", "Bytes of them.")
                    .counter(c.spilled_bytes.get())
                    .take());
}

}  // namespace

void add_s3(Families& out, const S3Counters& c, const S3Figures& now) {
  add_durations(out, c);
  add_calls(out, c);
  add_parts(out, now);
  add_memory(out, c, now);
}

}  // namespace tus::metrics
