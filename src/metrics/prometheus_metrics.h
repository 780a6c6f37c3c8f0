// Counters under the names that tusd's dashboards know.
#pragma once

#include <tus/message.h>
#include <tus/metrics_sink.h>

#include <memory>

namespace tus::metrics {

class PrometheusMetrics final : public MetricsSink {
 public:
  PrometheusMetrics();
  ~PrometheusMetrics() override;
  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;

  void request(std::string_view method) noexcept override;
  void error(ErrorCode code) noexcept override;
  void bytes_received(std::uint64_t bytes) noexcept override;
  void upload_created() noexcept override;
  void upload_finished() noexcept override;
  void upload_terminated() noexcept override;
  void upload_expired(std::uint64_t bytes) noexcept override;
  void left_over_removed(std::uint64_t bytes) noexcept override;
  void upload_evicted() noexcept override;
  void connection_opened() noexcept override;
  void connection_closed() noexcept override;

  // Answers a scrape in Prometheus' text format.
  Response respond(const RequestHead& head) const;

 private:
  struct Counters;
  std::unique_ptr<Counters> counters_;
};

}  // namespace tus::metrics
