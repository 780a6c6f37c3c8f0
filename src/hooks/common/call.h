// One call of a hook: out by a transport, back as a reply, and measured.
#pragma once

#include "hooks/common/reply.h"
#include "hooks/common/transport.h"

#include <tus/clock.h>
#include <tus/metrics_sink.h>

namespace tus::hooks {

struct CallParts {
  Transport& transport;
  Clock& clock;
  MetricsSink& metrics;
};

// All of it outlives the call.
Awaitable<Result<Reply>> ask_transport(CallParts parts, Envelope envelope, Deadline deadline,
                                       const ReplyRules& rules);

}  // namespace tus::hooks
