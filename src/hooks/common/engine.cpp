#include "hooks/common/engine.h"

#include "base/ascii.h"
#include "hooks/common/call.h"
#include "hooks/common/message.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace tus::hooks {

namespace {

bool leads_out(const HookReply& reply) {
  if (!reply.storage) return false;
  const auto path = reply.storage->find("Path");
  return path != reply.storage->end() && path->second.starts_with('/');
}

DeliveryOptions delivery_options(const EngineOptions& options) {
  auto delivery = options.delivery;
  delivery.mark_before_telling = !options.events.has(HookEvent::post_terminate);
  return delivery;
}

}  // namespace

Engine::Engine(EngineOptions options, EngineParts parts, asio::any_io_executor executor)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      deliveries_(delivery_options(options_),
                  {*parts_.outbox, *parts_.transport, *parts_.store, *parts_.clock, *parts_.logger,
                   *parts_.metrics, std::move(executor)}) {}

// Only what is passed on: the message has the others.
Envelope Engine::envelope_for(const HookMessage& message) const {
  auto envelope = make_envelope(message, options_.delivery.rules.format);
  Fields passed_on;
  for (const auto& [name, value] : envelope.request_fields) {
    const auto is_name = [&name](std::string_view wanted) {
      return base::equals_ignoring_case(wanted, name);
    };
    if (std::ranges::any_of(options_.forwarded_fields, is_name)) passed_on.add(name, value);
  }
  envelope.request_fields = std::move(passed_on);
  return envelope;
}

Awaitable<Result<HookReply>> Engine::ask(HookMessage message, Deadline deadline) {
  auto envelope = envelope_for(message);
  const auto event = message.event;
  auto reply = co_await ask_transport({*parts_.transport, *parts_.clock, *parts_.metrics},
                                      std::move(envelope), deadline, options_.delivery.rules);
  if (reply && options_.paths == HookPaths::confined && leads_out(reply->reply)) {
    reply = fail(ErrorCode::internal, "pre-create chose an absolute path");
  }
  if (reply) co_return std::move(reply->reply);
  parts_.logger->log(LogLevel::error, "HookInvocationError",
                     {{"type", name_of(event)},
                      {"id", message.upload.id.str()},
                      {"error", reply.error().detail()},
                      {"requestId", message.request.request_id}});
  // Whatever it was, it was not the client's doing, and nothing of it is the client's business.
  co_return fail(ErrorCode::internal, "a hook has failed");
}

Awaitable<Result<HookTicket>> Engine::promise(HookMessage message, Deadline) {
  co_return co_await deliveries_.promise(envelope_for(message));
}

void Engine::progressed(HookMessage message, StopUpload stop) noexcept {
  try {
    deliveries_.progressed(envelope_for(message), std::move(stop));
  } catch (const std::exception&) {
    // The next one tells more.
  }
}

Awaitable<void> Engine::close(Deadline deadline) {
  co_await deliveries_.close(deadline);
  co_await parts_.transport->close(deadline);
  co_await parts_.outbox->close(deadline);
}

Awaitable<std::size_t> Engine::dead_letters() {
  co_return (co_await parts_.outbox->buried()).value_or(0);
}

}  // namespace tus::hooks
