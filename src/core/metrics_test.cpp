// What the handler tells the metrics sink.
#include "core/service_test_kit.h"

#include <tus/testing/counting_metrics.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/manual_clock.h>

#include <gmock/gmock.h>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;
using testing::CountingMetrics;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Metrics : ::testing::Test {
  Metrics() { bench.parts.metrics = metrics; }
  CountingMetrics::Numbers numbers() const { return metrics->numbers(); }
  std::shared_ptr<Lease> hold(const std::string& path, const std::shared_ptr<LeaseHolder>& holder) {
    auto lease = bench.run(
        bench.parts.locker->acquire(*UploadId::parse(path.substr(7)), Deadline::never(), holder));
    return lease ? std::move(*lease) : nullptr;
  }

  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  std::shared_ptr<CountingMetrics> metrics = std::make_shared<CountingMetrics>();
  Bench bench{store, hooks};
};

TEST_F(Metrics, AnUploadFromItsCreationToItsEnd) {  // [METRIC-2]
  const auto path = bench.create(11);
  const auto id = path.substr(7);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_THAT(numbers().finished, IsEmpty());
  EXPECT_EQ(bench.patch(path, 5, " world").status, 204);
  EXPECT_EQ(bench.patch(path, 4, "x").status, 409);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
  const auto seen = numbers();
  EXPECT_THAT(seen.methods, ElementsAre("POST", "PATCH", "PATCH", "PATCH", "DELETE"));
  EXPECT_EQ(seen.bytes_received, 11u);
  EXPECT_THAT(seen.created, ElementsAre(id));
  EXPECT_THAT(seen.finished, ElementsAre(id));
  EXPECT_THAT(seen.terminated, ElementsAre(id));
  EXPECT_THAT(seen.errors, ElementsAre(ErrorCode::mismatched_offset));
  EXPECT_EQ(seen.taken_over, 0);
  EXPECT_EQ(seen.finish_failures, 0);
}

TEST_F(Metrics, WaitsForLocksByTheirOutcome) {  // [METRIC-6]
  auto clock = std::make_shared<testing::ManualClock>();
  const auto path = bench.create(5);
  bench.parts.clock = clock;
  Bench other(store);
  other.parts.locker = bench.parts.locker;
  other.parts.metrics = metrics;
  other.options.acquire_lock_timeout = 30ms;
  EXPECT_EQ(other.patch(path, 0, "he").status, 204);
  {
    const auto lease = hold(path, std::make_shared<testing::FakeHolder>());
    EXPECT_TRUE(other.patch(path, 2, "l").body.starts_with("ERR_LOCK_TIMEOUT"));
  }
  {
    const auto lease = hold(path, std::make_shared<testing::FakeHolder>(LeaseHolder::Answer::busy));
    EXPECT_EQ(other.patch(path, 2, "l").status, 423);
  }
  const auto seen = numbers();
  std::vector<LockOutcome> outcomes;
  for (const auto& wait : seen.locks) outcomes.push_back(wait.outcome);
  EXPECT_THAT(outcomes,
              ElementsAre(LockOutcome::granted, LockOutcome::timed_out, LockOutcome::refused));
  EXPECT_GE(seen.locks[1].duration, 30ms);
  EXPECT_LT(seen.locks[0].duration, 30s);
}

TEST_F(Metrics, ABodyThatIsEndedByANewerRequestIsATakeOver) {  // [METRIC-6]
  const auto path = bench.create(11);
  BodyScript script;
  script.pieces = {"hello", " world"};
  script.hold_before = 1;
  script.announced = 11;
  FakeExchange stalled(Bench::head("PATCH", path, Bench::patch_fields(0)), script);
  auto done = asio::co_spawn(bench.context(), bench.handler().handle(stalled), asio::use_future);
  ASSERT_TRUE(bench.run(stalled.body().held(Bench::in(5s))));
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "5");
  EXPECT_TRUE(done.valid());
  EXPECT_EQ(numbers().taken_over, 1);
  EXPECT_EQ(bench.patch(path, 5, " world").status, 204);
  EXPECT_EQ(numbers().taken_over, 1);
  EXPECT_EQ(numbers().bytes_received, 11u);
}

TEST_F(Metrics, FinishesThatFailAndTheOnesThatAreGivenUp) {  // [METRIC-7]
  bench.options.finish_attempts = 3;
  store->faults->failures = 2;
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_EQ(numbers().finish_failures, 2);
  EXPECT_EQ(numbers().abandoned, 0);
  store->faults->failures = 3;
  const auto lost = bench.create(5);
  EXPECT_EQ(bench.patch(lost, 0, "hello").status, 500);
  EXPECT_EQ(numbers().finish_failures, 5);
  EXPECT_EQ(numbers().abandoned, 1);
  EXPECT_EQ(numbers().finished.size(), 1u);
}

TEST_F(Metrics, HooksThatAreAsked) {  // [METRIC-7]
  hooks->wanted = {HookEvent::pre_create, HookEvent::pre_terminate};
  const auto path = bench.create(5);
  hooks->answer = [](const HookMessage&) { return fail(ErrorCode::internal, "told to fail"); };
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 500);
  EXPECT_THAT(numbers().hooks_called, ElementsAre(HookEvent::pre_create, HookEvent::pre_terminate));
  EXPECT_THAT(numbers().hooks_failed, ElementsAre(HookEvent::pre_terminate));
}

}  // namespace
}  // namespace tus::core::test
