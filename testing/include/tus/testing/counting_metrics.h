// A sink that remembers what it was told.
#pragma once

#include <tus/hooks.h>
#include <tus/metrics_sink.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

class CountingMetrics final : public MetricsSink {
 public:
  struct Request {
    std::string method;
    int status = 0;
    std::chrono::nanoseconds duration{0};
    friend bool operator==(const Request&, const Request&) = default;
  };
  struct LockWait {
    LockOutcome outcome;
    std::chrono::nanoseconds duration;
    friend bool operator==(const LockWait&, const LockWait&) = default;
  };
  struct Sync {
    SyncTarget target;
    SyncOutcome outcome;
    std::chrono::nanoseconds duration;
  };
  struct HookCall {
    HookTransport transport;
    HookEvent event;
    HookOutcome outcome;
    std::chrono::nanoseconds duration;
  };
  struct Numbers {
    std::vector<std::string> methods;
    std::vector<ErrorCode> errors;
    std::uint64_t bytes_received = 0;
    std::vector<std::string> created;
    std::vector<std::string> finished;
    std::vector<std::string> terminated;
    int connections_opened = 0;
    int connections_closed = 0;
    std::vector<Refusal> connections_refused;
    std::vector<Refusal> requests_refused;
    int connections_shed = 0;
    int begun = 0;
    int ended = 0;
    std::vector<Request> requests;
    std::vector<int> rejected;
    std::array<std::uint64_t, 2> bodies{};    // by BytePath
    std::array<std::uint64_t, 2> contents{};  // by BytePath
    std::vector<std::chrono::nanoseconds> first_bytes;
    std::vector<LockWait> locks;
    int taken_over = 0;
    int finish_failures = 0;
    int abandoned = 0;
    std::vector<HookEvent> hooks_called;
    std::vector<HookEvent> hooks_failed;
    std::vector<HookCall> hook_calls;
    std::vector<HookEvent> hooks_given_up;
    std::vector<Sync> syncs;
  };

  Numbers numbers() const {
    std::lock_guard lock(mutex_);
    return numbers_;
  }

  void request(std::string_view method) noexcept override {
    note([&](Numbers& n) { n.methods.emplace_back(method); });
  }
  void error(ErrorCode code) noexcept override {
    note([&](Numbers& n) { n.errors.push_back(code); });
  }
  void bytes_received(std::uint64_t bytes) noexcept override {
    note([&](Numbers& n) { n.bytes_received += bytes; });
  }
  void upload_created(const UploadInfo& upload) noexcept override {
    note([&](Numbers& n) { n.created.push_back(upload.id.str()); });
  }
  void upload_finished(const UploadInfo& upload) noexcept override {
    note([&](Numbers& n) { n.finished.push_back(upload.id.str()); });
  }
  void upload_terminated(const UploadInfo& upload) noexcept override {
    note([&](Numbers& n) { n.terminated.push_back(upload.id.str()); });
  }
  void connection_opened() noexcept override {
    note([](Numbers& n) { ++n.connections_opened; });
  }
  void connection_closed() noexcept override {
    note([](Numbers& n) { ++n.connections_closed; });
  }
  void connection_refused(Refusal why) noexcept override {
    note([&](Numbers& n) { n.connections_refused.push_back(why); });
  }
  void connection_shed() noexcept override {
    note([](Numbers& n) { ++n.connections_shed; });
  }
  void request_refused(Refusal why) noexcept override {
    note([&](Numbers& n) { n.requests_refused.push_back(why); });
  }
  void request_begun() noexcept override {
    note([](Numbers& n) { ++n.begun; });
  }
  void request_ended() noexcept override {
    note([](Numbers& n) { ++n.ended; });
  }
  void request_done(const RequestFigures& figures) noexcept override {
    note([&](Numbers& n) {
      n.requests.push_back({std::string(figures.method), figures.status, figures.duration});
    });
  }
  void request_rejected(int status) noexcept override {
    note([&](Numbers& n) { n.rejected.push_back(status); });
  }
  void body_moved(BytePath path, std::uint64_t bytes) noexcept override {
    note([&](Numbers& n) { n.bodies.at(static_cast<std::size_t>(path)) += bytes; });
  }
  void content_moved(BytePath path, std::uint64_t bytes) noexcept override {
    note([&](Numbers& n) { n.contents.at(static_cast<std::size_t>(path)) += bytes; });
  }
  void first_byte_stored(std::chrono::nanoseconds after) noexcept override {
    note([&](Numbers& n) { n.first_bytes.push_back(after); });
  }
  void lock_waited(LockOutcome outcome, std::chrono::nanoseconds duration) noexcept override {
    note([&](Numbers& n) { n.locks.push_back({outcome, duration}); });
  }
  void upload_taken_over() noexcept override {
    note([](Numbers& n) { ++n.taken_over; });
  }
  void finish_failed() noexcept override {
    note([](Numbers& n) { ++n.finish_failures; });
  }
  void upload_abandoned() noexcept override {
    note([](Numbers& n) { ++n.abandoned; });
  }
  void hook_called(HookEvent event) noexcept override {
    note([&](Numbers& n) { n.hooks_called.push_back(event); });
  }
  void hook_failed(HookEvent event) noexcept override {
    note([&](Numbers& n) { n.hooks_failed.push_back(event); });
  }
  void hook_took(HookTransport transport, HookEvent event, HookOutcome outcome,
                 std::chrono::nanoseconds duration) noexcept override {
    note([&](Numbers& n) { n.hook_calls.push_back({transport, event, outcome, duration}); });
  }
  void hook_given_up(HookEvent event) noexcept override {
    note([&](Numbers& n) { n.hooks_given_up.push_back(event); });
  }
  void synced(SyncTarget target, SyncOutcome outcome,
              std::chrono::nanoseconds duration) noexcept override {
    note([&](Numbers& n) { n.syncs.push_back({target, outcome, duration}); });
  }

 private:
  template <class Change>
  void note(Change change) noexcept {
    std::lock_guard lock(mutex_);
    change(numbers_);
  }

  mutable std::mutex mutex_;
  Numbers numbers_;
};

}  // namespace testing

TUS_NAMESPACE_END
