// Families of metrics for the text format, put together when somebody asks.
#pragma once

#include "metrics/histogram.h"

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tus::metrics {

struct Label {
  std::string_view name;
  std::string_view value;
};

// A family without labels, or the beginning of one with them.
class Family {
 public:
  Family(prometheus::MetricType type, const char* name, const char* help);

  Family&& counter(double value, std::initializer_list<Label> labels = {}) &&;
  Family&& gauge(double value, std::initializer_list<Label> labels = {}) &&;
  Family&& histogram(const Histogram& histogram, std::initializer_list<Label> labels = {}) &&;
  Family&& summary(prometheus::ClientMetric::Summary summary) &&;
  // The same for one that is filled in a loop.
  void add_counter(double value, std::initializer_list<Label> labels);
  void add_histogram(const Histogram& histogram, std::initializer_list<Label> labels);
  void add_summary(prometheus::ClientMetric::Summary summary, std::initializer_list<Label> labels);

  prometheus::MetricFamily take() && { return std::move(family_); }

 private:
  prometheus::ClientMetric& add(std::initializer_list<Label> labels);

  prometheus::MetricFamily family_;
};

Family counters(const char* name, const char* help);
Family gauges(const char* name, const char* help);
Family histograms(const char* name, const char* help);
Family summaries(const char* name, const char* help);

}  // namespace tus::metrics
