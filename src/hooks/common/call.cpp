#include "hooks/common/call.h"

#include <utility>

namespace tus::hooks {

Awaitable<Result<Reply>> ask_transport(CallParts parts, Envelope envelope, Deadline deadline,
                                       const ReplyRules& rules) {
  const auto event = envelope.event;
  const auto begun = parts.clock.now();
  auto answer = co_await parts.transport.call(std::move(envelope), deadline);
  Result<Reply> reply =
      answer ? read_reply(event, *answer, rules) : Result<Reply>(fail(std::move(answer.error())));
  parts.metrics.hook_took(parts.transport.kind(), event,
                          reply ? HookOutcome::good : HookOutcome::failed,
                          parts.clock.now() - begun);
  co_return reply;
}

}  // namespace tus::hooks
