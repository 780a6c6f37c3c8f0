// Hooks that are called over HTTP.
#pragma once

#include "hooks/common/transport.h"
#include "net/http_client.h"

#include <tus/clock.h>
#include <tus/logger.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tus::hooks {

struct HttpHookOptions {
  HttpHookOptions() = default;

  std::string url;
  Format format = Format::v2;
  // Names of request fields that are passed on, in any case; sent in the case written here.
  std::vector<std::string> forward_headers;
  int attempts = 3;  // in all; fewer than one is one
  std::chrono::milliseconds backoff{1000};
  std::chrono::milliseconds timeout{15000};  // of all attempts, with what lies between them
  std::size_t size_limit = 5120;             // bytes of a reply's body
  std::string secret;                        // empty: nothing is signed
  // Connections at once; calls beyond that wait, and their timeout runs meanwhile.
  long connections = 512;
  net::TlsOptions tls;
  net::HttpProxies proxies;            // Go's tusd takes them from the environment
  std::shared_ptr<const Clock> clock;  // of signatures; nullptr: the system's
};

// The executor's loop outlives the transport, and runs until close() has returned.
std::unique_ptr<Transport> make_http_transport(HttpHookOptions options,
                                               const asio::any_io_executor& executor,
                                               std::shared_ptr<Logger> logger);

}  // namespace tus::hooks
