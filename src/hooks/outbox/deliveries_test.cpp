#include "hooks/common/deliveries.h"

#include "hooks/outbox/outbox_test_kit.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <random>
#include <set>

namespace tus::hooks {
namespace {

using namespace std::chrono_literals;

using Lines = std::vector<std::string>;

std::unique_ptr<Outbox> in_memory() {
  return make_memory_outbox(std::make_shared<SystemClock>(), 1'000);
}

TEST(Deliveries, DeliverWhatHasHappened) {  // [HOOK-30]
  Post post(in_memory());
  post.tell(HookEvent::post_create, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-create a"});
}

TEST(Deliveries, NothingIsToldThatHasNotHappened) {  // [HOOK-31]
  Post post(in_memory());
  const auto promised = post.promise(HookEvent::post_create, "a");
  const auto withdrawn = post.promise(HookEvent::post_create, "b");
  post->withdraw(withdrawn);
  post.tell(HookEvent::post_create, "c");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-create c"});
  post->happened(promised);
  ASSERT_TRUE(post.transport.wait_for(2));
  EXPECT_EQ(post.transport.taken().back(), "post-create a");
}

TEST(Deliveries, KeepTheOrderOfAnUploadWhateverFails) {  // [HOOK-32]
  Post post(in_memory());
  post->start();
  std::mt19937 random(1);
  post.transport.answer = [&random](const Envelope&) -> Result<TransportReply> {
    if (random() % 3 == 0) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  for (int i = 0; i < 50; ++i) {
    const auto id = std::to_string(i);
    for (auto event : {HookEvent::post_create, HookEvent::post_finish, HookEvent::post_terminate}) {
      post.tell(event, id);
    }
  }
  ASSERT_TRUE(post.transport.wait_for(150));
  std::map<std::string, Lines> by_upload;
  for (const auto& line : post.transport.taken()) {
    const auto space = line.find(' ');
    by_upload[line.substr(space + 1)].push_back(line.substr(0, space));
  }
  ASSERT_EQ(by_upload.size(), 50u);
  for (const auto& [id, events] : by_upload) {
    EXPECT_EQ(events, (Lines{"post-create", "post-finish", "post-terminate"})) << id;
  }
}

TEST(Deliveries, RepetitionsHaveTheSameId) {  // [HOOK-33]
  Post post(in_memory());
  post->start();
  post.transport.answer = [n = 0](const Envelope&) mutable -> Result<TransportReply> {
    if (++n < 4) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_finish, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  const auto ids = post.transport.ids();
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 1u);
}

TEST(Deliveries, OneThatHangsKeepsNoOther) {  // [HOOK-34]
  auto options = Post::quick();
  options.at_once = 2;
  options.call_timeout = 50ms;
  Post post(in_memory(), options);
  post->start();
  post.transport.answer = [](const Envelope& envelope) -> Result<TransportReply> {
    if (envelope.upload_id == "bad") return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_create, "bad");
  post.tell(HookEvent::post_finish, "bad");
  for (int i = 0; i < 20; ++i) post.tell(HookEvent::post_create, std::to_string(i));
  ASSERT_TRUE(post.transport.wait_for(20));
  EXPECT_TRUE(post.wait_until_waiting(2));
}

TEST(Deliveries, AreCountedUntilTheyAreTaken) {  // [HOOK-50]
  Post post(in_memory());
  post.transport.gate = std::make_shared<Event>();
  EXPECT_EQ(post->figures().waiting, 0u);
  EXPECT_EQ(post->figures().oldest_age, 0ms);
  const auto promised = post.promise(HookEvent::post_create, "a");
  EXPECT_EQ(post->figures().waiting, 0u) << "it has not happened";
  post->happened(promised);
  post.clock->advance(1min);
  post.tell(HookEvent::post_create, "b");
  EXPECT_EQ(post->figures().waiting, 2u);
  EXPECT_GE(post->figures().oldest_age, 1min);
  EXPECT_LT(post->figures().oldest_age, 2min);
  post.clock->advance(-1h);
  EXPECT_EQ(post->figures().oldest_age, 0ms) << "whatever the clock says";
  post.transport.gate->set();
  EXPECT_TRUE(post.wait_until_waiting(0));
  EXPECT_EQ(post->figures().oldest_age, 0ms);
}

TEST(Deliveries, EachCallIsMeasured) {  // [HOOK-51]
  Post post(in_memory());
  post->start();
  post.transport.answer = [n = 0](const Envelope&) mutable -> Result<TransportReply> {
    if (n++ == 0) return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post.tell(HookEvent::post_finish, "a");
  EXPECT_TRUE(post.transport.wait_for(1));
  EXPECT_TRUE(post.wait_until_waiting(0));
  const auto calls = post.metrics.numbers().hook_calls;
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].event, HookEvent::post_finish);
  EXPECT_EQ(calls[0].outcome, HookOutcome::failed);
  EXPECT_EQ(calls[1].outcome, HookOutcome::good);
  EXPECT_EQ(calls[1].transport, HookTransport::http);
}

TEST(Deliveries, OnlyTheNewestProgressCounts) {  // [HOOK-35]
  Post post(in_memory());
  post.transport.gate = std::make_shared<Event>();
  post.tell(HookEvent::post_create, "a");
  for (int i = 1; i <= 5; ++i) {
    auto envelope = told(HookEvent::post_receive, "a");
    envelope.body = std::to_string(i);
    post->progressed(std::move(envelope), [](std::optional<Response>) {});
  }
  post.tell(HookEvent::post_finish, "a");
  post.transport.gate->set();
  ASSERT_TRUE(post.transport.wait_for(3));
  EXPECT_EQ(post.transport.taken(), (Lines{"post-create a", "post-receive a", "post-finish a"}));
  EXPECT_EQ(post.transport.bodies()[1], "5");
}

TEST(Deliveries, AHookMayStopAnUpload) {  // [HOOK-36]
  Post post(in_memory());
  post.transport.answer = [](const Envelope&) -> Result<TransportReply> {
    TransportReply reply;
    reply.body = R"({"StopUpload":true,"HTTPResponse":{"StatusCode":409}})";
    return reply;
  };
  std::promise<int> stopped;
  post->progressed(told(HookEvent::post_receive, "a"),
                   [&stopped](std::optional<Response> response) {
                     stopped.set_value(response ? response->status : -1);
                   });
  auto status = stopped.get_future();
  ASSERT_EQ(status.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(status.get(), 409);
}

TEST(Deliveries, FailedProgressIsNotTriedAgain) {  // [HOOK-35]
  Post post(in_memory());
  post.transport.answer = [](const Envelope& envelope) -> Result<TransportReply> {
    if (envelope.event == HookEvent::post_receive)
      return fail(ErrorCode::store_unavailable, "down");
    return TransportReply();
  };
  post->progressed(told(HookEvent::post_receive, "a"), [](std::optional<Response>) {});
  post.tell(HookEvent::post_finish, "a");
  ASSERT_TRUE(post.transport.wait_for(1));
  EXPECT_EQ(post.transport.taken(), Lines{"post-finish a"});
  EXPECT_EQ(post.transport.ids().size(), 2u);
}

}  // namespace
}  // namespace tus::hooks
