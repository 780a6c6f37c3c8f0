#include "stores/s3/call_metrics.h"

#include "stores/s3/client/bucket.h"
#include "stores/s3/client/operation.h"

#include <optional>

namespace tus::s3 {

namespace {

std::optional<S3Failure> failure_of(std::optional<Trouble> trouble) noexcept {
  if (!trouble) return std::nullopt;
  switch (*trouble) {
    case Trouble::missing:
    case Trouble::changed:
    case Trouble::unsupported:  // it was tried whether this S3 knows it
      return std::nullopt;
    case Trouble::refused:
      return S3Failure::refused;
    case Trouble::full:
      return S3Failure::full;
    case Trouble::unavailable:
      return S3Failure::unavailable;
    case Trouble::bad_parts:
    case Trouble::too_large:
      break;
  }
  return S3Failure::other;
}

}  // namespace

void CallMetrics::on_call(const CallReport& report) noexcept {
  S3Call figures;
  figures.operation = label_of(report.operation, report.key);
  figures.failure = failure_of(report.trouble);
  figures.duration = report.duration;
  figures.attempts = report.attempts;
  figures.bytes_sent = report.bytes_sent;
  metrics_->called(figures);
}

}  // namespace tus::s3
