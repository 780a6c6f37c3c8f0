// Everything an operator can say, as values.
#pragma once

#include "app/hook_config.h"
#include "app/s3_config.h"

#include <tus/file_store.h>
#include <tus/handler.h>
#include <tus/http_server.h>
#include <tus/location.h>
#include <tus/upload_digest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tus::app {

// Exact paths, whatever the base path is.
inline constexpr const char* health_path = "/healthz";
inline constexpr const char* ready_path = "/readyz";

enum class StoreKind : std::uint8_t { file, memory, s3 };
enum class LockerKind : std::uint8_t { as_store, file, memory, none };
enum class LogFormat : std::uint8_t { text, json };

struct Config {
  Config() = default;

  std::string host = "0.0.0.0";  // or a comma-separated list
  std::uint16_t port = 1080;
  std::string unix_sock;  // instead of host and port
  std::optional<unsigned> unix_sock_perms;
  std::string base_path = "/files/";
  LocationOptions location;

  std::uint64_t max_size = 0;  // bytes; 0: no limit
  bool disable_concatenation = false;
  bool concat_remove_parts = false;
  std::chrono::milliseconds expire_after{0};  // 0: never
  bool expire_left_overs = true;
  StoreKind store = StoreKind::file;
  FileStoreOptions files;
  S3Config s3;
  std::uint64_t store_size = 0;  // bytes; 0: no limit
  EvictOrder evict = EvictOrder::none;
  bool evict_finished = false;
  LockerKind locker = LockerKind::as_store;
  std::chrono::milliseconds lock_holder_poll{5'000};    // where polling is all there is
  std::chrono::milliseconds lock_acquirer_poll{2'000};  // where polling is all there is
  unsigned finish_attempts = 20;
  bool disable_download = false;
  bool disable_termination = false;
  bool disable_termination_finished = false;

  HookConfig hooks;

  bool disable_cors = false;
  std::string cors_allow_origin = ".*";  // a regular expression
  bool cors_allow_credentials = false;
  std::string cors_allow_methods;
  std::string cors_allow_headers;
  unsigned cors_max_age = 86400;
  std::string cors_expose_headers;
  WholeDigest digest = WholeDigest::none;

  std::uint64_t max_connections = 0;              // 0: what the limit of descriptors allows
  std::uint64_t max_connections_per_address = 0;  // 0: no limit
  std::uint64_t max_uploads_per_address = 0;      // 0: no limit
  std::uint64_t min_upload_rate = 0;              // bytes a second; 0: none

  std::chrono::milliseconds header_timeout{30'000};   // 0: never
  std::chrono::milliseconds network_timeout{60'000};  // 0: never
  std::chrono::milliseconds acquire_lock_timeout{20'000};
  std::chrono::milliseconds shutdown_timeout{10'000};
  std::chrono::milliseconds request_completion_timeout{10'000};

  unsigned threads = 0;  // 0: one per core
  ZeroCopy zero_copy = ZeroCopy::automatic;

  std::string metrics_path = "/metrics";
  bool expose_metrics = true;
  bool expose_health = true;
  bool show_greeting = true;
  bool show_startup_logs = true;
  bool verbose = false;
  bool access_log = false;
  LogFormat log_format = LogFormat::text;

  std::string config_file;
  std::string generate;  // what to print instead of serving: "man", "bash", ...
  bool check_config = false;
  bool sweep = false;
  bool list_dead_hooks = false;
  bool replay_hooks = false;
  bool show_version = false;
  bool show_help = false;

  std::vector<std::string> warnings;  // for the log; a sentence each
};

}  // namespace tus::app
