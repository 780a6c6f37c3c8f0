// What an operator says about hooks, as values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace tus::app {

enum class HookFormat : std::uint8_t { v2, legacy };

struct HookConfig {
  HookConfig() = default;

  std::string events = "pre-create,post-create,post-receive,post-terminate,post-finish";
  HookFormat format = HookFormat::v2;
  unsigned stop_code = 0;  // legacy; 0: none
  bool confine_paths = false;
  std::chrono::milliseconds progress_interval{1'000};
  std::chrono::milliseconds access_cache{5'000};  // 0: off
  std::chrono::milliseconds retry_delay{1'000};   // of notifications
  std::chrono::milliseconds give_up_after{86'400'000};
  std::chrono::milliseconds lease_time{60'000};  // of a process, in a bucket

  std::string directory;          // of programs; empty: none
  unsigned file_concurrency = 0;  // 0: by the number of processors
  std::chrono::milliseconds file_timeout{60'000};

  std::string url;  // empty: none
  std::string forward_headers;
  unsigned http_retry = 3;  // attempts in all
  std::chrono::milliseconds http_backoff{1'000};
  std::chrono::milliseconds http_timeout{15'000};
  std::uint64_t http_size_limit = 5'120;  // bytes
  bool http_skip_verify = false;
  std::string http_secret;

  bool wanted() const { return !directory.empty() || !url.empty(); }
};

}  // namespace tus::app
