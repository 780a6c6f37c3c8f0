// A transport that does what a test says, and deliveries over it.
#pragma once

#include "hooks/common/deliveries.h"
#include "hooks/common/message.h"
#include "hooks/outbox/outboxes.h"

#include <tus/memory_store.h>
#include <tus/runtime.h>
#include <tus/testing/counting_metrics.h>
#include <tus/testing/shifted_clock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tus::hooks {

// Writes down what arrives, as "<event> <upload id>".
class ScriptedTransport final : public Transport {
 public:
  // Called for each attempt; on the executor of the deliveries.
  std::function<Result<TransportReply>(const Envelope&)> answer = [](const Envelope&) {
    return Result<TransportReply>(TransportReply());
  };
  std::atomic<bool> works = true;  // false: every call fails
  std::shared_ptr<Event> gate;     // set before: calls wait for it

  HookTransport kind() const noexcept override { return HookTransport::http; }
  Awaitable<Result<TransportReply>> call(Envelope envelope, Deadline deadline) override {
    if (gate) co_await gate->wait(deadline);
    auto reply = works ? answer(envelope)
                       : Result<TransportReply>(fail(ErrorCode::store_unavailable, "down"));
    std::lock_guard lock(mutex_);
    if (reply) taken_.push_back(envelope.event_name + " " + envelope.upload_id);
    ids_.push_back(envelope.event_id);
    bodies_.push_back(envelope.body);
    co_return reply;
  }
  Awaitable<void> close(Deadline) override { co_return; }

  std::vector<std::string> taken() const {
    std::lock_guard lock(mutex_);
    return taken_;
  }
  std::vector<std::string> ids() const {
    std::lock_guard lock(mutex_);
    return ids_;
  }
  std::vector<std::string> bodies() const {
    std::lock_guard lock(mutex_);
    return bodies_;
  }
  // Waits for calls, whatever comes of them.
  void wait_for_calls(std::size_t count) const {
    while (ids().size() < count) std::this_thread::yield();
  }
  // False when there are not so many within ten seconds.
  bool wait_for(std::size_t count) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (taken().size() < count) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> taken_;
  std::vector<std::string> ids_;
  std::vector<std::string> bodies_;
};

inline Envelope told(HookEvent event, std::string_view id) {
  HookMessage message;
  message.event = event;
  message.upload.id = *UploadId::parse(id);
  message.upload.length = 3;
  return make_envelope(message, Format::v2);
}

// One process, as far as an outbox can tell.
class Post {
 public:
  explicit Post(std::unique_ptr<Outbox> outbox, DeliveryOptions options = quick(),
                std::shared_ptr<Store> uploads = make_memory_store())
      : store(std::move(uploads)),
        outbox_(std::move(outbox)),
        deliveries_(std::make_unique<Deliveries>(
            options, DeliveryParts{*outbox_, transport, *store, *clock, logger, metrics,
                                   loops_.executors()[0]})) {}
  ~Post() { close(std::chrono::seconds(10)); }

  static DeliveryOptions quick() {
    DeliveryOptions options;
    options.retry_delay = std::chrono::milliseconds(1);
    options.look_around = std::chrono::milliseconds(20);
    options.ask_again = std::chrono::milliseconds(1);
    options.try_at_least = std::chrono::milliseconds(0);
    return options;
  }

  Deliveries& operator*() { return *deliveries_; }
  Deliveries* operator->() { return deliveries_.get(); }
  Outbox& outbox() { return *outbox_; }

  template <class T>
  T run(Awaitable<T> task) {
    return asio::co_spawn(loops_.executors()[0], std::move(task), asio::use_future).get();
  }
  HookTicket promise(HookEvent event, std::string_view id) {
    return run(deliveries_->promise(told(event, id))).value();
  }
  void tell(HookEvent event, std::string_view id) { deliveries_->happened(promise(event, id)); }
  // A record is taken, or buried, a moment before it is forgotten.
  bool wait_until_waiting(std::size_t count) const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (deliveries_->figures().waiting != count) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void close(std::chrono::milliseconds patience) {
    if (std::exchange(closed_, true)) return;
    const auto deadline = Deadline::after(clock->now(), patience);
    asio::co_spawn(loops_.executors()[0], deliveries_->close(deadline), asio::use_future).get();
    asio::co_spawn(loops_.executors()[0], outbox_->close(Deadline::never()), asio::use_future)
        .get();
  }

  ScriptedTransport transport;
  std::shared_ptr<testing::ShiftedClock> clock = std::make_shared<testing::ShiftedClock>();
  std::shared_ptr<Store> store;
  NoLogger logger;
  testing::CountingMetrics metrics;

 private:
  EventLoops loops_{1};
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<Deliveries> deliveries_;
  bool closed_ = false;
};

}  // namespace tus::hooks
