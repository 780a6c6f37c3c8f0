// Hooks over a transport: what the service sees of programs and servers that are called.
#pragma once

#include "hooks/common/deliveries.h"
#include "hooks/common/events.h"
#include "hooks/common/outbox.h"
#include "hooks/common/transport.h"

#include <tus/clock.h>
#include <tus/hooks.h>
#include <tus/logger.h>
#include <tus/metrics_sink.h>
#include <tus/store.h>

#include <memory>
#include <string>
#include <vector>

namespace tus::hooks {

enum class HookPaths : std::uint8_t {
  anywhere,  // a hook may choose an absolute path
  confined,  // only one below the directory of the uploads
};

struct EngineOptions {
  EngineOptions() = default;

  EventSet events;
  HookPaths paths = HookPaths::anywhere;
  std::vector<std::string> forwarded_fields;  // of requests; what a transport passes on
  DeliveryOptions delivery;
};

struct EngineParts {
  EngineParts() = default;

  std::unique_ptr<Transport> transport;
  std::unique_ptr<Outbox> outbox;
  std::shared_ptr<Store> store;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Logger> logger;
  std::shared_ptr<MetricsSink> metrics;
};

// Any thread. close() must have returned before it is destroyed.
class Engine final : public Hooks {
 public:
  // `executor` is one thread, or a strand.
  Engine(EngineOptions options, EngineParts parts, asio::any_io_executor executor);

  bool wants(HookEvent event) const noexcept override { return options_.events.has(event); }
  Awaitable<Result<HookReply>> ask(HookMessage message, Deadline deadline) override;
  Awaitable<Result<HookTicket>> promise(HookMessage message, Deadline deadline) override;
  void happened(HookTicket ticket) noexcept override { deliveries_.happened(ticket); }
  void withdraw(HookTicket ticket) noexcept override { deliveries_.withdraw(ticket); }
  void progressed(HookMessage message, StopUpload stop) noexcept override;

  // Takes up what earlier processes left undelivered.
  void recover() { deliveries_.start(); }
  Awaitable<void> close(Deadline deadline);

  HookTransport transport() const noexcept { return parts_.transport->kind(); }
  // Cheap.
  Deliveries::Figures figures() const { return deliveries_.figures(); }
  // What was given up and waits for -replay-hooks, of all processes. Asks the outbox.
  Awaitable<std::size_t> dead_letters();

 private:
  Envelope envelope_for(const HookMessage& message) const;

  const EngineOptions options_;
  EngineParts parts_;
  Deliveries deliveries_;
};

}  // namespace tus::hooks
