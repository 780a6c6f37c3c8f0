// What is told of uploads in a bucket.
#pragma once

#include "metrics/s3_counters.h"

#include <tus/s3_metrics.h>

#include <prometheus/metric_family.h>

#include <vector>

namespace tus::metrics {

void add_s3(std::vector<prometheus::MetricFamily>& out, const S3Counters& counters,
            const S3Figures& now);

}  // namespace tus::metrics
