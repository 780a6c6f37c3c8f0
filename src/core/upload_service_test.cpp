#include "core/service_test_kit.h"

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

struct Service : ::testing::Test {
  std::shared_ptr<Store> store = make_memory_store();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  Bench bench{store, hooks};

  std::string content(const std::string& path, std::uint64_t count) {
    const auto id = UploadId::parse(path.substr(std::string("/files/").size()));
    auto stream = bench.run(store->read(*id, ByteRange{0, count}, Deadline::never()));
    if (!stream) return "(" + std::string(describe(stream.error().code()).code) + ")";
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      auto rest = std::as_writable_bytes(std::span(bytes)).subspan(have);
      const auto n = bench.run((*stream)->read(rest, Deadline::never()));
      if (!n || *n == 0) break;
      have += *n;
    }
    bytes.resize(have);
    return bytes;
  }
};

TEST_F(Service, ANewPatchTakesOverFromOneThatStallsAndKeepsItsBytes) {  // [LOCK-1]
  const auto path = bench.create(11);
  StalledPatch stalled(bench, path);
  const auto head = bench.inspect(path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(field(head, "Upload-Offset"), "5");
  ASSERT_TRUE(stalled.exchange.final_response());
  EXPECT_EQ(stalled.exchange.final_response()->status, 423);
  EXPECT_TRUE(stalled.exchange.final_response()->body.starts_with("ERR_UPLOAD_INTERRUPTED"));
  EXPECT_EQ(bench.patch(path, 5, " world").status, 204);
  EXPECT_EQ(content(path, 11), "hello world");
}

TEST_F(Service, DeleteTakesOverToo) {  // [LOCK-2]
  const auto path = bench.create(11);
  StalledPatch stalled(bench, path);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
  EXPECT_EQ(bench.inspect(path).status, 404);
}

TEST_F(Service, ShutdownKeepsWhatArrived) {  // [CORE-22]
  const auto path = bench.create(11);
  StalledPatch stalled(bench, path);
  stalled.exchange.body().interrupt(BodyState::stopping);
  bench.run(bench.parts.store->health(Deadline::never()));
  bench.context().restart();
  bench.context().run_for(50ms);
  ASSERT_TRUE(stalled.exchange.final_response());
  EXPECT_EQ(stalled.exchange.final_response()->status, 503);
  EXPECT_EQ(field(*stalled.exchange.final_response(), "Upload-Offset"), "5");
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "5");
}

TEST_F(Service, AHookThatIsAskedTurnsNewcomersAway) {  // [LOCK-3]
  class SlowHooks final : public Hooks {
   public:
    Event gate;
    bool wants(HookEvent event) const noexcept override {
      return event == HookEvent::pre_terminate;
    }
    Awaitable<Result<HookReply>> ask(HookMessage, Deadline) override {
      co_await gate.wait(Deadline::never());
      co_return HookReply();
    }
    Awaitable<Result<HookTicket>> promise(HookMessage, Deadline) override {
      co_return HookTicket();
    }
    void happened(HookTicket) noexcept override {}
    void withdraw(HookTicket) noexcept override {}
  };
  auto slow = std::make_shared<SlowHooks>();
  Bench busy(store, slow);
  const auto path = busy.create(5);
  FakeExchange remove(Bench::head("DELETE", path, {}), BodyScript());
  auto done = asio::co_spawn(busy.context(), busy.handler().handle(remove), asio::use_future);
  busy.context().restart();
  busy.context().run_for(20ms);
  const auto refused = busy.patch(path, 0, "hello");
  EXPECT_EQ(refused.status, 423);
  EXPECT_NE(field(refused, "Retry-After"), "(none)");
  slow->gate.set();
  busy.context().restart();
  busy.context().run_for(50ms);
  ASSERT_TRUE(remove.final_response());
  done.get();
  EXPECT_EQ(remove.final_response()->status, 204);
}

TEST_F(Service, PreCreateMayRefuse) {  // [SVC-1]
  hooks->wanted = {HookEvent::pre_create};
  hooks->answer = [](const HookMessage& message) -> Result<HookReply> {
    HookReply reply;
    reply.reject = message.upload.length == 6u;
    reply.response.emplace(402);
    reply.response->body = "pay first";
    return reply;
  };
  Fields fields;
  fields.add("Upload-Length", "6");
  const auto refused = bench.request("POST", "/files/", fields);
  EXPECT_EQ(refused.status, 402);
  EXPECT_EQ(refused.body, "pay first");
  const auto scan = store->scan(ScanOptions());
  const auto page = bench.run(scan->next(Deadline::never()));
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->uploads.empty() && page->at_end);
}

TEST_F(Service, PreCreateChoosesIdAndMetadata) {  // [SVC-2]
  hooks->wanted = {HookEvent::pre_create};
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    HookReply reply;
    reply.id = "team/a/42";
    reply.metadata = Metadata{{"owner", "ann"}};
    return reply;
  };
  const auto path = bench.create(5);
  EXPECT_EQ(path, "/files/team/a/42");
  auto info = bench.run(store->inspect(*UploadId::parse("team/a/42"), Deadline::never()));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->metadata, (Metadata{{"owner", "ann"}}));
}

TEST_F(Service, AnIdFromAHookIsCheckedLikeAnyOther) {  // [SVC-3]
  hooks->wanted = {HookEvent::pre_create};
  for (const std::string bad : {"../up", "a/../b", "/etc/passwd", "x.info", "", "a\nb"}) {
    hooks->answer = [&bad](const HookMessage&) -> Result<HookReply> {
      HookReply reply;
      reply.id = bad;
      return reply;
    };
    Fields fields;
    fields.add("Upload-Length", "6");
    const auto response = bench.request("POST", "/files/", fields);
    EXPECT_EQ(response.status, 500) << bad;
    EXPECT_EQ(response.body.find(bad.empty() ? "pre-create" : bad), std::string::npos)
        << "internal text stays in the log";
  }
}

TEST_F(Service, PreTerminateMayRefuse) {  // [TERM-64]
  hooks->wanted = {HookEvent::pre_terminate};
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    HookReply reply;
    reply.reject = true;
    return reply;
  };
  const auto path = bench.create(5);
  const auto refused = bench.request("DELETE", path, {});
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.body.starts_with("ERR_UPLOAD_TERMINATION_REJECTED")) << refused.body;
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(Service, AWithdrawnPromiseTellsThatNothingHappened) {  // [FIN-12]
  hooks->wanted = {HookEvent::post_create, HookEvent::pre_create};
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    HookReply reply;
    reply.id = "same";
    return reply;
  };
  bench.create(5);
  Fields fields;
  fields.add("Upload-Length", "5");
  EXPECT_GE(bench.request("POST", "/files/", fields).status, 400) << "the id is taken";
  EXPECT_EQ(hooks->heard.back(), "withdraw post-create");
}

TEST_F(Service, ANewcomerGivesUpAtTheLockTimeout) {  // [LOCK-4]
  bench.options.acquire_lock_timeout = 30ms;
  const auto path = bench.create(5);
  class Deaf final : public LeaseHolder {
   public:
    Answer release_requested() noexcept override { return Answer::releasing; }
    void lease_lost() noexcept override {}
  };
  const auto id = UploadId::parse(path.substr(7));
  auto lease =
      bench.run(bench.parts.locker->acquire(*id, Deadline::never(), std::make_shared<Deaf>()));
  ASSERT_TRUE(lease);
  const auto refused = bench.patch(path, 0, "hello");
  EXPECT_TRUE(refused.body.starts_with("ERR_LOCK_TIMEOUT")) << refused.body;
  lease->reset();
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
}

TEST_F(Service, ARequestOfAnotherVersionWaitsForNoLock) {  // [CORE-4]
  const auto path = bench.create(11);
  StalledPatch stalled(bench, path);
  auto fields = Bench::patch_fields(5);
  fields.add("Tus-Resumable", "2.0.0");
  FakeExchange exchange(Bench::head("PATCH", path, fields), BodyScript::whole(" world"));
  EXPECT_EQ(bench.send(exchange).status, 400) << "two versions";
  auto head = Bench::head("PATCH", path, Bench::patch_fields(5));
  head.fields.set("Tus-Resumable", "2.0.0");
  FakeExchange other(head, BodyScript::whole(" world"));
  EXPECT_EQ(bench.send(other).status, 412);
  EXPECT_FALSE(stalled.exchange.final_response()) << "it was interrupted";
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "5");
}

TEST_F(Service, WhatAStoreCannotDoIsNotOffered) {  // [CREATE-42] [TERM-63] [TERM-66]
  auto little = std::make_shared<FaultyStore>();
  little->faults->can_little = true;
  Bench other(little);
  EXPECT_EQ(field(other.request("OPTIONS", "/files/", {}), "Tus-Extension"),
            "creation,creation-with-upload");
  Fields deferred;
  deferred.add("Upload-Defer-Length", "1");
  EXPECT_EQ(other.request("POST", "/files/", deferred).status, 501);
  const auto path = other.create(5);
  const auto refused = other.request("DELETE", path, {});
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(field(refused, "Allow"), "OPTIONS, HEAD, GET, PATCH");
  EXPECT_EQ(other.inspect(path).status, 200);
}

TEST_F(Service, TwoHandlersWithStoresOfTheirOwnLiveInOneProcess) {  // [SVC-4]
  Bench other(make_memory_store());
  const auto path = bench.create(5);
  EXPECT_EQ(bench.inspect(path).status, 200);
  EXPECT_EQ(other.inspect(path).status, 404);
}

}  // namespace
}  // namespace tus::core::test
