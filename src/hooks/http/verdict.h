// What an endpoint's reply means. No I/O.
#pragma once

#include "hooks/common/transport.h"
#include "net/http_client.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace tus::hooks {

enum class Outcome : std::uint8_t {
  answered,
  failed,   // the same message would fail again
  retried,  // as long as there are attempts left; else the reply stands, or it has failed
};

struct Verdict {
  Verdict() = default;

  Outcome outcome = Outcome::answered;
  TransportReply reply;   // meaningful if answered, or if `stands`
  bool stands = false;    // of `retried`: the reply counts when no attempt is left
  std::string complaint;  // what is wrong, for the log; may be there when answered, too
};

// Events that are asked are those whose name begins with "pre-".
Verdict judge(Format format, std::string_view event_name, net::HttpReply reply);

}  // namespace tus::hooks
