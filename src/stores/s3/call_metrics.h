// Calls of the client as figures.
#pragma once

#include "stores/s3/client/client_options.h"

#include <tus/s3_metrics.h>

#include <memory>
#include <utility>

namespace tus::s3 {

class CallMetrics final : public CallObserver {
 public:
  explicit CallMetrics(std::shared_ptr<S3Metrics> metrics) : metrics_(std::move(metrics)) {}

  void on_call(const CallReport& report) noexcept override;

 private:
  const std::shared_ptr<S3Metrics> metrics_;
};

}  // namespace tus::s3
