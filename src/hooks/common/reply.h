// What hooks answer, read as the input from outside that it is.
#pragma once

#include "hooks/common/transport.h"

#include <tus/hooks.h>

namespace tus::hooks {

struct Reply {
  Reply() = default;

  HookReply reply;
  bool stop = false;  // post-receive: end the upload
};

struct ReplyRules {
  Format format = Format::v2;
  // Legacy: the exit code or status of post-receive that ends an upload; 0: none does.
  int stop_code = 0;
};

// Keys are matched without regard to case, unknown ones and null count for nothing, as in Go. Errors:
// internal, with a sentence for the log.
Result<Reply> read_reply(HookEvent event, const TransportReply& reply, const ReplyRules& rules);

}  // namespace tus::hooks
