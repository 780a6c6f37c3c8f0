// Options that may change while a server runs.
#pragma once

#include <tus/export.h>

#include <atomic>
#include <chrono>
#include <cstdint>

TUS_NAMESPACE_BEGIN

// One object for all who use these values, so that a change is seen by all of them from the next request
// or wait on. Any thread. The meanings are those of HandlerOptions and HttpServerOptions.
struct LiveSettings {
  LiveSettings() = default;

  std::atomic<std::uint64_t> max_size = 0;
  std::atomic<std::chrono::milliseconds> acquire_lock_timeout{std::chrono::milliseconds(20'000)};
  std::atomic<std::chrono::milliseconds> network_timeout{std::chrono::milliseconds(60'000)};
  std::atomic<std::chrono::milliseconds> header_timeout{std::chrono::milliseconds(30'000)};
  std::atomic<std::uint64_t> max_connections = 0;
  // A limit counts what begins while it is set; what was there before is not counted.
  std::atomic<std::uint64_t> max_connections_per_address = 0;
  std::atomic<std::uint64_t> max_uploads_per_address = 0;
  std::atomic<std::uint64_t> min_upload_rate = 0;
};

TUS_NAMESPACE_END
