// Races and faults that must leave no upload stuck, finished twice, or held by nobody.
#include "core/service_test_kit.h"

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

struct Faults : ::testing::Test {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  Bench bench{store, hooks};

  void let_run(std::chrono::milliseconds time) {
    bench.context().restart();
    bench.context().run_for(time);
  }
  std::future<void> start(FakeExchange& exchange) {
    return asio::co_spawn(bench.context(), bench.handler().handle(exchange), asio::use_future);
  }
  long asked(const std::string& what) const {
    return std::count(hooks->heard.begin(), hooks->heard.end(), what);
  }
};

// ---- one writer

TEST_F(Faults, ABodyForAFinishedUploadDoesNotHoldIt) {  // [LOCK-9]
  bench.options.acquire_lock_timeout = 300ms;
  const auto path = bench.create(5);
  ASSERT_EQ(bench.patch(path, 0, "hello").status, 204);
  BodyScript silent;
  silent.hold_before = 0;
  silent.end = BodyState::peer_closed;
  FakeExchange late(Bench::head("PATCH", path, Bench::patch_fields(5)), silent);
  auto done = start(late);
  ASSERT_TRUE(bench.run(late.body().held(Bench::in(5s))));
  EXPECT_EQ(bench.inspect(path).status, 200);
  late.body().release();
  bench.run(bench.handler().close(Bench::in(1s)));
  let_run(20ms);
  EXPECT_EQ(done.wait_for(0s), std::future_status::ready);
}

// Remembers who holds the last lease that was given.
class WatchedLocker final : public Locker {
 public:
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId id, Deadline deadline,
                                                    std::shared_ptr<LeaseHolder> holder) override {
    last = holder;
    return inner_->acquire(std::move(id), deadline, std::move(holder));
  }
  Awaitable<Result<bool>> is_held(UploadId id) override { return inner_->is_held(std::move(id)); }

  std::shared_ptr<LeaseHolder> last;

 private:
  std::shared_ptr<Locker> inner_ = make_memory_locker();
};

TEST_F(Faults, ABodyIsForgottenAlsoWhenItsStoreThrows) {  // [LOCK-10]
  auto locker = std::make_shared<WatchedLocker>();
  bench.parts.locker = locker;
  const auto path = bench.create(10);
  store->faults->append_throws = true;
  for (const std::size_t arrived : {0u, 1u}) {
    auto script = BodyScript::whole("hello");
    script.arrived = arrived;
    auto fields = Bench::patch_fields(arrived * 5);
    auto exchange = std::make_unique<FakeExchange>(Bench::head("PATCH", path, fields), script);
    EXPECT_EQ(bench.send(*exchange).status, 500);
    exchange.reset();
    // A newcomer that saw this holder a moment ago asks it only now.
    locker->last->release_requested();
  }
  store->faults->append_throws = false;
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "10") << "what arrived is kept";
}

// ---- finished is finished once

TEST_F(Faults, RecoveryLeavesAloneWhatARequestIsCreating) {  // [FIN-13]
  hooks->wanted = {HookEvent::pre_finish};
  Event gate;
  store->faults->create_gate = &gate;
  auto fields = Bench::patch_fields(0);
  fields.remove("Upload-Offset");
  fields.add("Upload-Length", "5");
  auto body = BodyScript::whole("hello");
  body.arrived = 1;
  FakeExchange post(Bench::head("POST", "/files/", fields), body);
  auto done = start(post);
  let_run(20ms);
  bench.handler().recover();
  let_run(20ms);
  gate.set();
  let_run(700ms);
  EXPECT_EQ(done.wait_for(0s), std::future_status::ready);
  ASSERT_TRUE(post.final_response());
  EXPECT_EQ(post.final_response()->status, 201);
  EXPECT_EQ(asked("ask pre-finish"), 1);
  EXPECT_EQ(store->faults->finishes, 1);
}

// A request that comes at the same moment as recovery waits for it, and is not told that a newer one has
// the upload.
TEST_F(Faults, RecoveryIsNewerThanNoRequest) {  // [LOCK-11]
  {
    Bench earlier(store);
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->failures = 1;
    EXPECT_EQ(earlier.patch(earlier.create(5), 0, "hello").status, 503);
  }
  auto locker = std::make_shared<WatchedLocker>();
  bench.parts.locker = locker;
  bench.handler().recover();
  bench.context().restart();
  bench.context().run_for(50ms);
  ASSERT_TRUE(locker->last);
  EXPECT_EQ(locker->last->since(), Deadline::Point::min());
  EXPECT_EQ(store->faults->finishes, 2);
}

TEST_F(Faults, ALastByteCountsThoughItsBodyWasInterrupted) {  // [FIN-14]
  const auto path = bench.create(5);
  auto body = BodyScript::whole("hello");
  body.end = BodyState::interrupted;
  const auto response = bench.request("PATCH", path, Bench::patch_fields(0), body);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(store->faults->finishes, 1) << "nobody may come back to ask for it";
}

TEST_F(Faults, AHookThatThrowsIsOneThatFails) {  // [FIN-15]
  hooks->wanted = {HookEvent::pre_finish};
  int calls = 0;
  hooks->answer = [&calls](const HookMessage&) -> Result<HookReply> {
    ++calls;
    if (calls == 1) throw std::runtime_error("from a hook");
    if (calls == 2) throw 42;
    return HookReply();
  };
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(Faults, AFinishThatIsNotRecordedEndsInAnError) {  // [FIN-16]
  const auto path = bench.create(5);
  store->faults->record_is_lost = true;
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_EQ(bench.inspect(path).status, 500);
  EXPECT_LE(store->faults->finishes, 3);
}

// ---- after a restart, and at the end

TEST_F(Faults, RecoveryGoesOnBehindAnUploadThatThrows) {  // [FIN-17]
  std::vector<std::string> paths;
  {
    Bench earlier(store);
    earlier.parts.locker = bench.parts.locker;  // tokens have to go on growing
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->failures = 3;
    for (int i = 0; i < 3; ++i) {
      paths.push_back(earlier.create(5));
      EXPECT_EQ(earlier.patch(paths.back(), 0, "hello").status, 503);
    }
  }
  ASSERT_EQ(store->faults->finishes, 3);
  std::sort(paths.begin(), paths.end());
  store->faults->inspect_throws_for = paths.front().substr(7);
  bench.handler().recover();
  let_run(100ms);
  EXPECT_EQ(store->faults->finishes, 5);
}

TEST_F(Faults, CloseWaitsForAFinishInsideItsStore) {  // [FIN-18]
  Event gate;
  store->faults->gate = &gate;
  bench.options.finish_wait = 10ms;
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 503);
  auto closed =
      asio::co_spawn(bench.context(), bench.handler().close(Bench::in(10ms)), asio::use_future);
  let_run(50ms);
  EXPECT_EQ(closed.wait_for(0s), std::future_status::timeout)
      << "the job still uses what the handler is made of";
  gate.set();
  let_run(50ms);
  EXPECT_EQ(closed.wait_for(0s), std::future_status::ready);
}

TEST_F(Faults, WhoWaitsForAFinishIsAnsweredWhenTheServerStops) {  // [FIN-19]
  bench.options.finish_retry_delay = 100'000ms;
  bench.options.finish_wait = 100'000ms;
  const auto path = bench.create(5);
  store->faults->failures = 1;
  FakeExchange patch(Bench::head("PATCH", path, Bench::patch_fields(0)),
                     BodyScript::whole("hello"));
  auto done = start(patch);
  let_run(20ms);
  EXPECT_FALSE(patch.final_response());
  bench.handler().begin_close();
  let_run(20ms);
  ASSERT_TRUE(patch.final_response());
  done.get();
  EXPECT_EQ(patch.final_response()->status, 503);
  EXPECT_EQ(field(*patch.final_response(), "Upload-Offset"), "(none)");
  EXPECT_EQ(bench.inspect(path).status, 200) << "a first attempt is still made";
}

}  // namespace
}  // namespace tus::core::test
