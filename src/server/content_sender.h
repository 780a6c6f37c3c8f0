// Sends the body of an answer as it is read from a store.
#pragma once

#include "server/connection.h"

#include <tus/exchange.h>
#include <tus/http_server.h>
#include <tus/metrics_sink.h>

#include <cstdint>
#include <optional>

namespace tus::server {

struct ContentOutcome {
  bool delivered = false;        // all of it is out
  std::optional<Error> failure;  // of the store, where that is why not
  std::uint64_t bytes = 0;       // that are out
};

// A client that takes nothing holds its socket, the stream and a few coroutine frames; no buffer, except for what
// a socket did not take of the last piece, and no thread. After the network timeout without a byte it is given up.
Awaitable<ContentOutcome> send_content(Connection& connection, Content content, ZeroCopy zero_copy,
                                       MetricsSink& metrics);

}  // namespace tus::server
