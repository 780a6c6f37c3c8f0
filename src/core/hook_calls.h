// The places where the service talks to hooks.
#pragma once

#include <tus/handler.h>

#include <memory>
#include <optional>

namespace tus::core {

// What the helpers here need from the service; all of it outlives the calls.
struct HookContext {
  const HandlerParts& parts;
  const HandlerOptions& options;
};

HookMessage make_message(HookEvent event, const UploadInfo& upload, const RequestHead& cause);

Awaitable<Result<HookReply>> ask_hook(HookContext context, HookEvent event,
                                      const UploadInfo& upload, const RequestHead& cause);

// As outcomes carry it; nullptr for none.
std::shared_ptr<Response> shared(std::optional<Response> response);

// The ticket is empty when nobody wants the event.
Awaitable<Result<HookTicket>> promise_hook(HookContext context, HookEvent event,
                                           const UploadInfo& upload, const RequestHead& cause);
void happened(HookContext context, HookTicket ticket) noexcept;
void withdraw(HookContext context, HookTicket ticket) noexcept;

}  // namespace tus::core
