// What happens, as numbers. All calls come from any thread and must be cheap.
#pragma once

#include <tus/error.h>
#include <tus/export.h>

#include <cstdint>
#include <string_view>

TUS_NAMESPACE_BEGIN

class TUS_EXPORT MetricsSink {
 public:
  virtual ~MetricsSink() = default;

  virtual void request(std::string_view method) noexcept = 0;  // after X-HTTP-Method-Override
  virtual void error(ErrorCode code) noexcept = 0;             // once per response that carries one
  virtual void bytes_received(std::uint64_t bytes) noexcept = 0;
  virtual void upload_created() noexcept = 0;
  virtual void upload_finished() noexcept = 0;
  virtual void upload_terminated() noexcept = 0;
  // A sweep has removed an upload, or what belonged to none, with so many bytes.
  virtual void upload_expired(std::uint64_t bytes) noexcept { (void)bytes; }
  virtual void left_over_removed(std::uint64_t bytes) noexcept { (void)bytes; }
  virtual void upload_evicted() noexcept {}  // it is terminated, too
  virtual void connection_opened() noexcept = 0;
  virtual void connection_closed() noexcept = 0;
};

class TUS_EXPORT NoMetrics final : public MetricsSink {
 public:
  void request(std::string_view) noexcept override {}
  void error(ErrorCode) noexcept override {}
  void bytes_received(std::uint64_t) noexcept override {}
  void upload_created() noexcept override {}
  void upload_finished() noexcept override {}
  void upload_terminated() noexcept override {}
  void connection_opened() noexcept override {}
  void connection_closed() noexcept override {}
};

TUS_NAMESPACE_END
