#include "core/service_test_kit.h"

#include <tus/testing/fake_lease.h>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

struct Finishing : ::testing::Test {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  Bench bench{store, hooks};
};

TEST_F(Finishing, TheLastByteIsAcknowledgedOnlyAfterTheFinish) {  // [FIN-1]
  const auto path = bench.create(5);
  EXPECT_EQ(store->faults->finishes, 0);
  const auto response = bench.patch(path, 0, "hello");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(field(response, "Upload-Offset"), "5");
  EXPECT_EQ(store->faults->finishes, 1);
  EXPECT_EQ(bench.patch(path, 5, "").status, 204);
  EXPECT_EQ(store->faults->finishes, 1) << "finished once, whatever comes later";
}

TEST_F(Finishing, AFinishThatFailsIsTriedAgainWhileTheClientWaits) {  // [FIN-2]
  store->faults->failures = 3;
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_EQ(store->faults->finishes, 4);
}

TEST_F(Finishing, UntilItIsDoneNothingLooksComplete) {  // [FIN-3]
  Event gate;
  store->faults->gate = &gate;
  bench.options.finish_wait = 20ms;
  const auto path = bench.create(5);
  for (const auto& response :
       {bench.patch(path, 0, "hello"), bench.inspect(path), bench.patch(path, 5, "")}) {
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(field(response, "Upload-Offset"), "(none)");
    EXPECT_NE(field(response, "Retry-After"), "(none)");
  }
  gate.set();
  const auto done = bench.inspect(path);
  EXPECT_EQ(done.status, 200);
  EXPECT_EQ(field(done, "Upload-Offset"), "5");
  EXPECT_EQ(store->faults->finishes, 1) << "the job went on without a client, and only once";
}

TEST_F(Finishing, ACreationNamesItsUploadWhileTheFinishGoesOn) {  // [FIN-3] [CREATE-46]
  Event gate;
  store->faults->gate = &gate;
  bench.options.finish_wait = 20ms;
  auto fields = Bench::patch_fields(0);
  fields.remove("Upload-Offset");
  fields.add("Upload-Length", "5");
  // Of unknown length, so that the bytes come after the creation.
  const auto response = bench.request("POST", "/files/", fields, BodyScript::chunked("hello", 5));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(field(response, "Upload-Offset"), "(none)");
  const auto location = field(response, "Location");
  ASSERT_TRUE(location.starts_with("http://example.org/files/")) << location;
  gate.set();
  const auto path = location.substr(std::string("http://example.org").size());
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "5");
}

TEST_F(Finishing, ARequestJoinsARunningFinish) {  // [FIN-4]
  Event gate;
  store->faults->gate = &gate;
  const auto path = bench.create(5);
  FakeExchange patch(Bench::head("PATCH", path, Bench::patch_fields(0)),
                     BodyScript::whole("hello"));
  FakeExchange head(Bench::head("HEAD", path, {}), BodyScript());
  auto first = asio::co_spawn(bench.context(), bench.handler().handle(patch), asio::use_future);
  auto second = asio::co_spawn(bench.context(), bench.handler().handle(head), asio::use_future);
  bench.context().restart();
  bench.context().run_for(20ms);
  EXPECT_FALSE(patch.final_response());
  EXPECT_FALSE(head.final_response());
  gate.set();
  bench.context().restart();
  bench.context().run_for(200ms);
  ASSERT_TRUE(patch.final_response() && head.final_response());
  first.get();
  second.get();
  EXPECT_EQ(patch.final_response()->status, 204);
  EXPECT_EQ(head.final_response()->status, 200);
}

TEST_F(Finishing, IsGivenUpVisiblyAfterTheLastAttempt) {  // [FIN-5]
  bench.options.finish_attempts = 3;
  store->faults->failures = 1000;
  const auto path = bench.create(5);
  const auto response = bench.patch(path, 0, "hello");
  EXPECT_EQ(response.status, 500);
  EXPECT_TRUE(response.body.starts_with("ERR_UPLOAD_FINISH_FAILED")) << response.body;
  EXPECT_EQ(store->faults->finishes, 3);
  store->faults->failures = 0;
  EXPECT_EQ(bench.inspect(path).status, 500);
  EXPECT_EQ(bench.patch(path, 5, "").status, 500);
  EXPECT_EQ(store->faults->finishes, 3);
}

TEST_F(Finishing, WhatAnEarlierProcessLeftIsTakenUpByRecovery) {  // [FIN-6]
  std::string path;
  {
    Bench earlier(store);
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->failures = 1;
    path = earlier.create(5);
    EXPECT_EQ(earlier.patch(path, 0, "hello").status, 503);
  }
  EXPECT_EQ(store->faults->finishes, 1);
  bench.handler().recover();
  bench.context().restart();
  bench.context().run_for(100ms);
  EXPECT_EQ(store->faults->finishes, 2);
  EXPECT_EQ(bench.inspect(path).status, 200);
}

// The other process is alive, and its lock is seen here.
TEST_F(Finishing, WhatAnotherProcessIsFinishingIsLeftToIt) {  // [LOCK-21]
  std::string path;
  {
    Bench other(store);
    other.options.finish_wait = 10ms;
    other.options.finish_retry_delay = 100'000ms;
    store->faults->failures = 1;
    path = other.create(5);
    EXPECT_EQ(other.patch(path, 0, "hello").status, 503);
  }
  auto holder = std::make_shared<testing::FakeHolder>();
  auto lease = bench.run(
      bench.parts.locker->acquire(*UploadId::parse(path.substr(7)), Deadline::never(), holder));
  ASSERT_TRUE(lease);
  bench.handler().recover();
  bench.context().restart();
  bench.context().run_for(50ms);
  EXPECT_EQ(store->faults->finishes, 1);
  EXPECT_EQ(holder->requests(), 0);
}

TEST_F(Finishing, WhatAnEarlierProcessLeftIsTakenUpByTheNextRequest) {  // [FIN-7]
  std::string path;
  {
    Bench earlier(store);
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->failures = 1;
    path = earlier.create(5);
    EXPECT_EQ(earlier.patch(path, 0, "hello").status, 503);
  }
  const auto response = bench.inspect(path);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(field(response, "Upload-Offset"), "5");
  EXPECT_EQ(store->faults->finishes, 2);
}

TEST_F(Finishing, AnUploadThatIsBeingFinishedIsNotDeletedUnderneath) {  // [FIN-8]
  Event gate;
  store->faults->gate = &gate;
  bench.options.finish_wait = 10ms;
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 503);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 503);
  gate.set();
  EXPECT_EQ(bench.inspect(path).status, 200);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
  EXPECT_EQ(bench.inspect(path).status, 404);
}

TEST_F(Finishing, DeleteEndsAFinishThatWaitsForItsNextAttempt) {  // [FIN-20]
  bench.options.finish_wait = 10ms;
  bench.options.finish_retry_delay = 100'000ms;
  store->faults->failures = 1000;
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 503);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
  EXPECT_EQ(bench.inspect(path).status, 404);
  EXPECT_EQ(store->faults->finishes, 1);
}

TEST_F(Finishing, AFullDiskIsSaidAtOnceAndTheNextRequestTriesAgain) {  // [FIN-21]
  bench.options.finish_retry_delay = 1ms;
  bench.options.finish_attempts = 1000;
  store->faults->failure = ErrorCode::no_space;
  store->faults->failures = 1000;
  const auto path = bench.create(5);
  const auto begun = std::chrono::steady_clock::now();
  const auto full = bench.patch(path, 0, "hello");
  EXPECT_EQ(full.status, 507);
  EXPECT_EQ(field(full, "Upload-Offset"), "(none)");
  EXPECT_EQ(bench.inspect(path).status, 507);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1500ms);
  store->faults->failures = 0;
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "5");
}

TEST_F(Finishing, AttemptsForWhoWaitsAreNotCountedAndNotInQuickSuccession) {  // [FIN-22]
  bench.options.finish_attempts = 4;
  bench.options.finish_wait = 60ms;
  bench.options.finish_retry_delay = 100ms;
  store->faults->failures = 1000;
  const auto path = bench.create(5);
  const auto begun = std::chrono::steady_clock::now();
  const auto passed = [begun] { return std::chrono::steady_clock::now() - begun; };
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 503);
  // Due after 0, 100, 300 and 700 ms; those who wait get a try at most every 100 ms.
  while (passed() < 550ms) EXPECT_EQ(bench.inspect(path).status, 503);
  EXPECT_GE(store->faults->finishes, 4);
  EXPECT_LE(store->faults->finishes, passed() / 100ms + 1);
  store->faults->failures = 0;
  while (bench.inspect(path).status != 200) ASSERT_LT(passed(), 10s);
}

TEST_F(Finishing, HooksHearOfItInOrder) {  // [FIN-9]
  hooks->wanted = {HookEvent::post_create, HookEvent::pre_finish, HookEvent::post_finish};
  const auto path = bench.create(5);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  const std::vector<std::string> expected{"promise post-create", "happened post-create",
                                          "ask pre-finish", "promise post-finish",
                                          "happened post-finish"};
  EXPECT_EQ(hooks->heard, expected);
}

TEST_F(Finishing, APreFinishHookThatFailsKeepsTheUploadFinishing) {  // [FIN-10]
  hooks->wanted = {HookEvent::pre_finish};
  int failures = 2;
  hooks->answer = [&failures](const HookMessage&) -> Result<HookReply> {
    if (failures-- > 0) return fail(ErrorCode::internal, "script exited with 1");
    HookReply reply;
    reply.response.emplace(200);
    reply.response->fields.add("X-From-Hook", "yes");
    return reply;
  };
  const auto path = bench.create(5);
  const auto response = bench.patch(path, 0, "hello");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(field(response, "X-From-Hook"), "yes");
  EXPECT_EQ(hooks->heard.size(), 3u);
}

TEST_F(Finishing, AnEmptyUploadIsFinishedByItsCreation) {  // [CREATE-36]
  hooks->wanted = {HookEvent::post_finish};
  const auto path = bench.create(0);
  EXPECT_EQ(bench.inspect(path).status, 200);
  ASSERT_FALSE(hooks->heard.empty());
  EXPECT_EQ(hooks->heard.back(), "happened post-finish");
}

TEST_F(Finishing, NothingIsAcknowledgedWhoseHookCannotBePromised) {  // [FIN-11]
  hooks->wanted = {HookEvent::post_create};
  hooks->promise_fails = true;
  Fields fields;
  fields.add("Upload-Length", "5");
  EXPECT_EQ(bench.request("POST", "/files/", fields).status, 500);
  const auto scan = store->scan(ScanOptions());
  const auto page = bench.run(scan->next(Deadline::never()));
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->uploads.empty() && page->at_end);
}

}  // namespace
}  // namespace tus::core::test
