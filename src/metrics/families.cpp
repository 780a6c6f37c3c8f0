#include "metrics/families.h"

#include <utility>

namespace tus::metrics {

Family::Family(prometheus::MetricType type, const char* name, const char* help) {
  family_.name = name;
  family_.help = help;
  family_.type = type;
}

prometheus::ClientMetric& Family::add(std::initializer_list<Label> labels) {
  auto& metric = family_.metric.emplace_back();
  for (const auto& label : labels) {
    metric.label.push_back({std::string(label.name), std::string(label.value)});
  }
  return metric;
}

void Family::add_counter(double value, std::initializer_list<Label> labels) {
  add(labels).counter.value = value;
}

void Family::add_histogram(const Histogram& histogram, std::initializer_list<Label> labels) {
  add(labels).histogram = histogram.collect();
}

void Family::add_summary(prometheus::ClientMetric::Summary summary,
                         std::initializer_list<Label> labels) {
  add(labels).summary = std::move(summary);
}

Family&& Family::summary(prometheus::ClientMetric::Summary summary) && {
  add_summary(std::move(summary), {});
  return std::move(*this);
}

Family&& Family::counter(double value, std::initializer_list<Label> labels) && {
  add_counter(value, labels);
  return std::move(*this);
}

Family&& Family::gauge(double value, std::initializer_list<Label> labels) && {
  add(labels).gauge.value = value;
  return std::move(*this);
}

Family&& Family::histogram(const Histogram& histogram, std::initializer_list<Label> labels) && {
  add_histogram(histogram, labels);
  return std::move(*this);
}

Family counters(const char* name, const char* help) {
  return {prometheus::MetricType::Counter, name, help};
}

Family gauges(const char* name, const char* help) {
  return {prometheus::MetricType::Gauge, name, help};
}

Family summaries(const char* name, const char* help) {
  return {prometheus::MetricType::Summary, name, help};
}

Family histograms(const char* name, const char* help) {
  return {prometheus::MetricType::Histogram, name, help};
}

}  // namespace tus::metrics
