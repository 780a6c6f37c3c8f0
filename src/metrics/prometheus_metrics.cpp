#include "metrics/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <string>

namespace tus::metrics {

namespace {

// All six are there from the first scrape on, as in tusd.
constexpr std::array<std::string_view, 6> methods{"DELETE",  "GET",   "HEAD",
                                                  "OPTIONS", "PATCH", "POST"};

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

struct PrometheusMetrics::Counters {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("tusd_requests_total")
          .Help("Total number of requests served by the handler per method.")
          .Register(registry);
  std::array<prometheus::Counter*, methods.size()> by_method{};
  prometheus::Family<prometheus::Counter>& errors =
      prometheus::BuildCounter()
          .Name("tusd_errors_total")
          .Help("Total number of errors per status and code.")
          .Register(registry);
  prometheus::Counter& bytes =
      counter(registry, "tusd_bytes_received", "Number of bytes received for uploads.");
  prometheus::Counter& created =
      counter(registry, "tusd_uploads_created", "Number of created uploads.");
  prometheus::Counter& finished =
      counter(registry, "tusd_uploads_finished", "Number of finished uploads.");
  prometheus::Counter& terminated =
      counter(registry, "tusd_uploads_terminated", "Number of terminated uploads.");
  prometheus::Counter& expired = counter(registry, "tusd_uploads_expired_total",
                                         "Number of unfinished uploads removed for their age.");
  prometheus::Counter& left_overs =
      counter(registry, "tusd_left_overs_removed_total",
              "Number of files removed that were old and belonged to no upload.");
  prometheus::Counter& swept =
      counter(registry, "tusd_swept_bytes_total",
              "Bytes of expired uploads and left-overs that were removed.");
  prometheus::Counter& evicted =
      counter(registry, "tusd_uploads_evicted_total",
              "Number of uploads that were ended to make room for others.");
  prometheus::Gauge& connections = prometheus::BuildGauge()
                                       .Name("tusd_connections_open")
                                       .Help("Current number of open connections.")
                                       .Register(registry)
                                       .Add({});
};

PrometheusMetrics::PrometheusMetrics() : counters_(std::make_unique<Counters>()) {
  for (std::size_t i = 0; i < methods.size(); ++i) {
    counters_->by_method[i] = &counters_->requests.Add({{"method", std::string(methods[i])}});
  }
}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::request(std::string_view method) noexcept {
  for (std::size_t i = 0; i < methods.size(); ++i) {
    if (methods[i] == method) counters_->by_method[i]->Increment();
  }
}

void PrometheusMetrics::error(ErrorCode code) noexcept try {
  const auto& description = describe(code);
  if (description.code.empty()) return;  // 405, which tusd's router answers before its metrics
  counters_->errors
      .Add(
          {{"status", std::to_string(description.status)}, {"code", std::string(description.code)}})
      .Increment();
} catch (...) {
  // Out of memory: the response matters more than its count.
}

void PrometheusMetrics::bytes_received(std::uint64_t bytes) noexcept {
  counters_->bytes.Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::upload_created() noexcept { counters_->created.Increment(); }
void PrometheusMetrics::upload_finished() noexcept { counters_->finished.Increment(); }
void PrometheusMetrics::upload_terminated() noexcept { counters_->terminated.Increment(); }
void PrometheusMetrics::upload_expired(std::uint64_t bytes) noexcept {
  counters_->expired.Increment();
  counters_->swept.Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::left_over_removed(std::uint64_t bytes) noexcept {
  counters_->left_overs.Increment();
  counters_->swept.Increment(static_cast<double>(bytes));
}

void PrometheusMetrics::upload_evicted() noexcept { counters_->evicted.Increment(); }
void PrometheusMetrics::connection_opened() noexcept { counters_->connections.Increment(); }
void PrometheusMetrics::connection_closed() noexcept { counters_->connections.Decrement(); }

Response PrometheusMetrics::respond(const RequestHead& head) const {
  if (head.method != "GET" && head.method != "HEAD") {
    Response refused(405);
    refused.fields.add("Allow", "GET, HEAD");
    return refused;
  }
  Response response(200);
  response.fields.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  response.body = prometheus::TextSerializer().Serialize(counters_->registry.Collect());
  return response;
}

}  // namespace tus::metrics
