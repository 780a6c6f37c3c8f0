#include "core/hook_calls.h"

#include "protocol/tus_v1.h"

#include <utility>

namespace tus::core {

HookMessage make_message(HookEvent event, const UploadInfo& upload, const RequestHead& cause) {
  HookMessage message;
  message.event = event;
  message.upload = upload;
  message.request = cause;
  if (!cause.method.empty()) message.request.method = protocol::effective_method(cause);
  return message;
}

namespace {

Deadline hook_deadline(HookContext context) {
  return Deadline::after(context.parts.clock->now(), context.options.store_timeout);
}

}  // namespace

Awaitable<Result<HookReply>> ask_hook(HookContext context, HookEvent event,
                                      const UploadInfo& upload, const RequestHead& cause) {
  auto& metrics = *context.parts.metrics;
  metrics.hook_called(event);
  auto reply =
      co_await context.parts.hooks->ask(make_message(event, upload, cause), hook_deadline(context));
  if (!reply) metrics.hook_failed(event);
  co_return reply;
}

std::shared_ptr<Response> shared(std::optional<Response> response) {
  return response ? std::make_shared<Response>(std::move(*response)) : nullptr;
}

Awaitable<Result<HookTicket>> promise_hook(HookContext context, HookEvent event,
                                           const UploadInfo& upload, const RequestHead& cause) {
  if (!context.parts.hooks->wants(event)) co_return HookTicket();
  co_return co_await context.parts.hooks->promise(make_message(event, upload, cause),
                                                  hook_deadline(context));
}

void happened(HookContext context, HookTicket ticket) noexcept {
  if (!ticket.value.empty()) context.parts.hooks->happened(std::move(ticket));
}

void withdraw(HookContext context, HookTicket ticket) noexcept {
  if (!ticket.value.empty()) context.parts.hooks->withdraw(std::move(ticket));
}

}  // namespace tus::core
