// What the tests of the service share: a handler over a store whose finish can be told what to do.
#pragma once

#include "async/event.h"

#include <tus/handler.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/testing/fake_exchange.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tus::core::test {

using tus::testing::BodyScript;
using tus::testing::FakeExchange;

// How finishing goes wrong; shared between a store and its test.
struct FinishFaults {
  int failures = 0;  // the next so many finishes fail
  ErrorCode failure = ErrorCode::store_unavailable;
  Event* gate = nullptr;  // finishes wait for it
  int finishes = 0;       // how often the store was asked
  bool append_throws = false;
  bool append_loses = false;       // what was taken from the body
  bool record_is_lost = false;     // finished is acknowledged and not recorded
  Event* create_gate = nullptr;    // creations wait for it, when everybody can see them already
  std::string inspect_throws_for;  // an id
  std::function<void()> before_open;
  std::string open_fails_for;  // an id
  int scans = 0;
  bool pages_take_turns = false;  // others go on before a page of a scan is here
  int reads = 0;
  std::uint64_t bytes_read = 0;
  int digests_saved = 0;
  int commits = 0;
  int rollbacks = 0;
  bool rollback_fails = false;
  bool commit_answer_is_lost = false;                     // done, and reported as failed
  Event* join_gate = nullptr;                             // every slice of a join waits for it
  int join_failures = 0;                                  // the next so many joins fail,
  ErrorCode join_failure = ErrorCode::store_unavailable;  // so
  int joins = 0;                                          // slices that the store was asked for
  bool can_little = false;  // no deferred lengths, terminations, staged appends, joins
};

class FaultyUpload final : public Upload {
 public:
  FaultyUpload(std::unique_ptr<Upload> inner, std::shared_ptr<FinishFaults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}

  const UploadInfo& info() const noexcept override { return inner_->info(); }
  Awaitable<AppendOutcome> append(const Lease& l, BodySource& s, AppendRequest r,
                                  Deadline d) override {
    if (faults_->append_loses) {
      std::byte lost[16];
      while (s.pull(lost).bytes > 0 || co_await s.wait() == BodyState::open) {
      }
      AppendOutcome nothing;
      nothing.safe_offset = info().offset;
      nothing.error = Error(ErrorCode::store_unavailable, "told to lose");
      co_return nothing;
    }
    auto outcome = co_await inner_->append(l, s, r, d);
    if (faults_->append_throws) throw std::runtime_error("append, told to throw");
    co_return outcome;
  }
  Awaitable<Status> commit_staged(const Lease& l, Deadline d) override {
    ++faults_->commits;
    auto done = co_await inner_->commit_staged(l, d);
    if (faults_->commit_answer_is_lost) co_return fail(ErrorCode::store_unavailable, "lost");
    co_return done;
  }
  Awaitable<Status> rollback_staged(const Lease& l, Deadline d) override {
    ++faults_->rollbacks;
    if (faults_->rollback_fails) co_return fail(ErrorCode::store_unavailable, "told to fail");
    co_return co_await inner_->rollback_staged(l, d);
  }
  Awaitable<Status> declare_length(const Lease& l, std::uint64_t n, Deadline d) override {
    return inner_->declare_length(l, n, d);
  }
  Awaitable<Status> set_finish_state(const Lease& l, FinishState s, Deadline d) override {
    if (faults_->record_is_lost) co_return Status();
    co_return co_await inner_->set_finish_state(l, s, d);
  }
  void set_digest(UploadDigest digest) override { inner_->set_digest(std::move(digest)); }
  Awaitable<Status> save_digest(const Lease& l, Deadline d) override {
    ++faults_->digests_saved;
    return inner_->save_digest(l, d);
  }
  Awaitable<Status> terminate(const Lease& l, Deadline d) override {
    return inner_->terminate(l, d);
  }
  // A slice is one look: the memory store is asked with a deadline that has passed.
  Awaitable<Result<Joined>> concatenate(const Lease& l, Deadline) override {
    ++faults_->joins;
    if (faults_->join_gate != nullptr) co_await faults_->join_gate->wait(Deadline::never());
    if (faults_->join_failures > 0) {
      --faults_->join_failures;
      co_return fail(faults_->join_failure, "told to fail");
    }
    co_return co_await inner_->concatenate(l, Deadline::at({}));
  }
  Awaitable<Status> finish(const Lease& l, Deadline d) override {
    ++faults_->finishes;
    if (faults_->gate != nullptr) co_await faults_->gate->wait(Deadline::never());
    if (faults_->failures > 0) {
      --faults_->failures;
      co_return fail(faults_->failure, "told to fail");
    }
    co_return co_await inner_->finish(l, d);
  }

 private:
  std::unique_ptr<Upload> inner_;
  std::shared_ptr<FinishFaults> faults_;
};

class FaultyScan final : public UploadScan {
 public:
  FaultyScan(std::unique_ptr<UploadScan> inner, std::shared_ptr<FinishFaults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {}
  Awaitable<Result<ScanPage>> next(Deadline deadline) override {
    if (faults_->pages_take_turns) {
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
    co_return co_await inner_->next(deadline);
  }

 private:
  std::unique_ptr<UploadScan> inner_;
  std::shared_ptr<FinishFaults> faults_;
};

// The memory store, but finishing is something that has to be done.
class FaultyStore final : public Store {
 public:
  explicit FaultyStore(std::shared_ptr<Store> inner = make_memory_store())
      : inner_(std::move(inner)), faults(std::make_shared<FinishFaults>()) {}

  StoreCapabilities capabilities() const noexcept override {
    auto result = inner_->capabilities();
    result.needs_finish = true;
    result.defer_length = result.terminate = !faults->can_little;
    result.staged_append = result.concatenate = !faults->can_little;
    return result;
  }
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override {
    auto made = co_await inner_->create(std::move(draft), lease, first, deadline);
    if (faults->create_gate != nullptr) co_await faults->create_gate->wait(Deadline::never());
    co_return wrap(std::move(made));
  }
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override {
    if (faults->before_open) faults->before_open();
    if (id.str() == faults->open_fails_for) co_return fail(ErrorCode::store_unavailable, "told to");
    co_return wrap(co_await inner_->open(std::move(id), lease, deadline));
  }
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override {
    if (id.str() == faults->inspect_throws_for) throw std::runtime_error("inspect, told to throw");
    co_return co_await inner_->inspect(std::move(id), deadline);
  }
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override {
    ++faults->reads;
    faults->bytes_read += range.count;
    return inner_->read(std::move(id), range, deadline);
  }
  std::unique_ptr<UploadScan> scan(ScanOptions options) override {
    ++faults->scans;
    return std::make_unique<FaultyScan>(inner_->scan(options), faults);
  }
  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline) override {
    return inner_->pending_joins(deadline);
  }
  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override {
    return inner_->usage(deadline);
  }
  Awaitable<Status> health(Deadline deadline) override { return inner_->health(deadline); }
  Awaitable<void> close(Deadline deadline) override { return inner_->close(deadline); }

 private:
  Result<std::unique_ptr<Upload>> wrap(Result<std::unique_ptr<Upload>> inner) {
    if (!inner) return inner;
    return std::make_unique<FaultyUpload>(std::move(*inner), faults);
  }
  std::shared_ptr<Store> inner_;

 public:
  std::shared_ptr<FinishFaults> faults;
};

// Writes down what it is told, in order, and answers what the test put in.
class RecordingHooks final : public Hooks {
 public:
  std::vector<HookEvent> wanted;
  std::vector<std::string> heard;
  std::vector<std::string> creations;  // the creation ids of what was promised
  std::function<Result<HookReply>(const HookMessage&)> answer = [](const HookMessage&) {
    return Result<HookReply>(HookReply());
  };
  bool promise_fails = false;
  std::vector<std::uint64_t> progress;  // offsets
  StopUpload stop;                      // the newest
  RequestHead last_request;

  bool wants(HookEvent event) const noexcept override {
    for (auto w : wanted) {
      if (w == event) return true;
    }
    return false;
  }
  Awaitable<Result<HookReply>> ask(HookMessage message, Deadline) override {
    heard.push_back("ask " + name(message.event));
    last_request = message.request;
    co_return answer(message);
  }
  Awaitable<Result<HookTicket>> promise(HookMessage message, Deadline) override {
    if (promise_fails) co_return fail(ErrorCode::internal, "outbox full");
    HookTicket ticket;
    ticket.value = name(message.event);
    heard.push_back("promise " + ticket.value);
    creations.push_back(message.upload.creation_id);
    co_return ticket;
  }
  void happened(HookTicket ticket) noexcept override {
    heard.push_back("happened " + ticket.value);
  }
  void withdraw(HookTicket ticket) noexcept override {
    heard.push_back("withdraw " + ticket.value);
  }
  void progressed(HookMessage message, StopUpload stop_upload) noexcept override {
    progress.push_back(message.upload.offset);
    stop = std::move(stop_upload);
  }

 private:
  static std::string name(HookEvent event) {
    static const char* const names[] = {"pre-create",     "post-create", "post-receive",
                                        "pre-finish",     "post-finish", "pre-terminate",
                                        "post-terminate", "pre-access"};
    return names[static_cast<int>(event)];
  }
};

// One handler on one loop, driven by hand.
class Bench {
 public:
  explicit Bench(std::shared_ptr<Store> store, std::shared_ptr<Hooks> hooks = nullptr) {
    options.finish_retry_delay = std::chrono::milliseconds(1);
    options.finish_wait = std::chrono::milliseconds(2000);
    parts.store = std::move(store);
    parts.locker = make_memory_locker();
    parts.hooks = std::move(hooks);
  }
  ~Bench() {
    if (handler_) run(handler_->close(in(std::chrono::seconds(10))));
  }

  Handler& handler() {
    if (!handler_) handler_ = std::make_unique<Handler>(options, parts, context_.get_executor());
    return *handler_;
  }

  static Deadline in(std::chrono::milliseconds wait) {
    return Deadline::after(std::chrono::steady_clock::now(), wait);
  }

  template <class T>
  T run(Awaitable<T> task) {
    auto result = asio::co_spawn(context_, std::move(task), asio::use_future);
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      context_.restart();
      if (context_.run_one_for(std::chrono::seconds(20)) == 0)
        throw std::runtime_error("nothing left to run");
    }
    return result.get();
  }

  Response send(FakeExchange& exchange) {
    run(handler().handle(exchange));
    return exchange.final_response().value_or(Response(0));
  }
  Response request(const std::string& method, const std::string& target, Fields fields,
                   BodyScript body = BodyScript()) {
    FakeExchange exchange(head(method, target, std::move(fields)), std::move(body));
    return send(exchange);
  }

  static RequestHead head(const std::string& method, const std::string& target, Fields fields) {
    RequestHead result;
    result.method = method;
    result.target = target;
    result.host = "example.org";
    result.fields = std::move(fields);
    if (method != "HEAD") result.fields.add("Tus-Resumable", "1.0.0");
    return result;
  }

  // Creates an upload and returns its path.
  std::string create(std::uint64_t length) {
    Fields fields;
    fields.add("Upload-Length", std::to_string(length));
    const auto response = request("POST", "/files/", std::move(fields));
    EXPECT_EQ(response.status, 201) << response.body;
    const auto* location = response.fields.find("Location");
    return location == nullptr ? "" : location->substr(std::string("http://example.org").size());
  }
  static Fields patch_fields(std::uint64_t offset) {
    Fields fields;
    fields.add("Content-Type", "application/offset+octet-stream");
    fields.add("Upload-Offset", std::to_string(offset));
    return fields;
  }
  Response patch(const std::string& path, std::uint64_t offset, const std::string& bytes) {
    return request("PATCH", path, patch_fields(offset), BodyScript::whole(bytes));
  }
  Response inspect(const std::string& path) { return request("HEAD", path, {}); }

  asio::io_context& context() { return context_; }

  HandlerOptions options;
  HandlerParts parts;

 private:
  asio::io_context context_{1};
  std::unique_ptr<Handler> handler_;
};

// A PATCH of "hello world" that stalls after five bytes.
struct StalledPatch {
  StalledPatch(Bench& bench, const std::string& path)
      : exchange(Bench::head("PATCH", path, Bench::patch_fields(0)), script()),
        done(asio::co_spawn(bench.context(), bench.handler().handle(exchange), asio::use_future)) {
    EXPECT_TRUE(bench.run(exchange.body().held(Bench::in(std::chrono::seconds(5)))));
  }
  static BodyScript script() {
    BodyScript body;
    body.pieces = {"hello", " world"};
    body.hold_before = 1;
    body.announced = 11;
    return body;
  }
  void finish(Bench& bench) {
    while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      bench.context().restart();
      bench.context().run_one_for(std::chrono::seconds(20));
    }
  }
  FakeExchange exchange;
  std::future<void> done;
};

inline std::string field(const Response& response, std::string_view name) {
  const auto* value = response.fields.find(name);
  return value == nullptr ? "(none)" : *value;
}

}  // namespace tus::core::test
