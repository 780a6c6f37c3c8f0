// Everything the command line can say, as values.
#pragma once

#include <tus/file_store.h>
#include <tus/http_server.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace tus::app {

enum class StoreKind : std::uint8_t { file, memory };

struct Config {
  Config() = default;

  std::string host = "0.0.0.0";
  std::uint16_t port = 1080;
  std::string base_path = "/files/";
  std::string metrics_path = "/metrics";
  bool expose_metrics = true;
  std::uint64_t max_size = 0;  // bytes; 0: no limit
  StoreKind store = StoreKind::file;
  FileStoreOptions files;
  std::chrono::milliseconds network_timeout{60'000};  // 0: never
  std::chrono::milliseconds acquire_lock_timeout{20'000};
  std::chrono::milliseconds shutdown_timeout{10'000};
  unsigned threads = 0;  // 0: one per core
  ZeroCopy zero_copy = ZeroCopy::automatic;
  bool verbose = false;
  bool show_version = false;
  bool show_help = false;
};

}  // namespace tus::app
