// Hooks that are asked before an upload is touched, or told how far it is.
#include "core/access.h"
#include "core/service_test_kit.h"

#include <tus/testing/manual_clock.h>

#include <algorithm>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

struct HookedService : ::testing::Test {
  std::shared_ptr<Store> store = make_memory_store();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  Bench bench{store, hooks};

  static HookReply refusal(int status = 0) {
    HookReply reply;
    reply.reject = true;
    if (status != 0) reply.response.emplace(status);
    return reply;
  }
  std::ptrdiff_t asked() const { return std::ranges::count(hooks->heard, "ask pre-access"); }
};

// ---- pre-access

TEST_F(HookedService, NobodyIsAskedUnlessTheyWantTo) {  // [HOOK-20]
  const auto path = bench.create(5);
  bench.patch(path, 0, "hello");
  EXPECT_TRUE(hooks->heard.empty());
}

TEST_F(HookedService, AccessIsAskedForBeforeAnUploadIsTouched) {  // [HOOK-20]
  hooks->wanted = {HookEvent::pre_access};
  const auto path = bench.create(5);
  EXPECT_EQ(asked(), 0) << "nothing of it is there yet";
  hooks->answer = [](const HookMessage&) -> Result<HookReply> { return refusal(); };
  for (const char* method : {"HEAD", "GET", "DELETE"}) {
    const auto refused = bench.request(method, path, {});
    EXPECT_EQ(refused.status, 403) << method;
    EXPECT_EQ(hooks->last_request.method, method);
  }
  const auto refused = bench.patch(path, 0, "hello");
  EXPECT_EQ(refused.status, 403);
  EXPECT_TRUE(refused.body.starts_with("ERR_ACCESS_REJECTED")) << refused.body;
  EXPECT_EQ(asked(), 4);
  hooks->answer = [](const HookMessage& message) -> Result<HookReply> {
    EXPECT_EQ(message.upload.length, 5u);
    EXPECT_EQ(message.upload.offset, 0u) << "nothing of what was refused";
    return HookReply();
  };
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(HookedService, ARefusalOfAccessMayHaveAnAnswerOfItsOwn) {  // [HOOK-20]
  hooks->wanted = {HookEvent::pre_access};
  const auto path = bench.create(5);
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    auto reply = refusal(401);
    reply.response->body = "who are you?";
    reply.response->fields.add("WWW-Authenticate", "Bearer");
    return reply;
  };
  const auto refused = bench.request("GET", path, {});
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, "who are you?");
  EXPECT_EQ(field(refused, "WWW-Authenticate"), "Bearer");
}

TEST_F(HookedService, AnOverriddenMethodIsTheOneThatIsAskedFor) {  // [HOOK-21]
  hooks->wanted = {HookEvent::pre_access};
  const auto path = bench.create(5);
  hooks->answer = [](const HookMessage& message) -> Result<HookReply> {
    return message.request.method == "DELETE" ? refusal() : HookReply();
  };
  Fields fields;
  fields.add("X-HTTP-Method-Override", "DELETE");
  EXPECT_EQ(bench.request("POST", path, fields).status, 403);
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(HookedService, PartsOfAFinalUploadAreAskedFor) {  // [HOOK-22]
  hooks->wanted = {HookEvent::pre_access};
  std::vector<std::string> parts;
  for (const char* bytes : {"hello", "world"}) {
    Fields fields;
    fields.add("Upload-Length", "5");
    fields.add("Upload-Concat", "partial");
    const auto made = bench.request("POST", "/files/", fields);
    parts.push_back(field(made, "Location").substr(std::string("http://example.org").size()));
    ASSERT_EQ(bench.patch(parts.back(), 0, bytes).status, 204);
  }
  const auto second = parts[1].substr(std::string("/files/").size());
  hooks->answer = [&second](const HookMessage& message) -> Result<HookReply> {
    return message.upload.id.str() == second ? refusal() : HookReply();
  };
  Fields fields;
  fields.add("Upload-Concat", "final;" + parts[0] + " " + parts[1]);
  EXPECT_EQ(bench.request("POST", "/files/", fields).status, 403);
}

TEST_F(HookedService, AFailingHookLetsNobodyIn) {  // [HOOK-23]
  hooks->wanted = {HookEvent::pre_access};
  const auto path = bench.create(5);
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    return fail(ErrorCode::internal, "secret.example down");
  };
  const auto response = bench.request("GET", path, {});
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("secret.example"), std::string::npos);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 500);
  hooks->answer = [](const HookMessage&) -> Result<HookReply> { return HookReply(); };
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(HookedService, WhatIsNotThereIsNotAskedFor) {  // [HOOK-20]
  hooks->wanted = {HookEvent::pre_access};
  EXPECT_EQ(bench.inspect("/files/nothing").status, 404);
  EXPECT_EQ(asked(), 0);
}

TEST_F(HookedService, APermissionCountsForAWhile) {  // [HOOK-24]
  hooks->wanted = {HookEvent::pre_access};
  bench.options.access_cache = 1h;
  const auto path = bench.create(10);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  EXPECT_EQ(bench.patch(path, 5, "world").status, 204);
  EXPECT_EQ(asked(), 1) << "another offset is the same question";
  Fields other;
  other.add("Authorization", "Bearer of-somebody-else");
  bench.request("GET", path, other);
  EXPECT_EQ(asked(), 2);
  bench.inspect(path);
  EXPECT_EQ(asked(), 3) << "another method is another question";
}

TEST_F(HookedService, ARefusalIsNotRemembered) {  // [HOOK-24]
  hooks->wanted = {HookEvent::pre_access};
  bench.options.access_cache = 1h;
  const auto path = bench.create(5);
  hooks->answer = [](const HookMessage&) -> Result<HookReply> { return refusal(); };
  EXPECT_EQ(bench.inspect(path).status, 403);
  hooks->answer = [](const HookMessage&) -> Result<HookReply> { return HookReply(); };
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST(AccessCache, ForgetsInTimeAndIsBounded) {  // [HOOK-24]
  AccessCache cache(2);
  const auto at = [](int s) { return Deadline::Point(std::chrono::seconds(s)); };
  cache.add("a", at(0), at(10));
  EXPECT_TRUE(cache.has("a", at(9)));
  EXPECT_FALSE(cache.has("a", at(10)));
  cache.add("a", at(10), at(20));
  cache.add("b", at(10), at(20));
  cache.add("c", at(10), at(20));
  EXPECT_EQ(cache.has("a", at(11)) + cache.has("b", at(11)) + cache.has("c", at(11)), 2);
  EXPECT_TRUE(cache.has("c", at(11)));
}

TEST(AccessKey, IsOfAllThatAHookMayLookAt) {  // [HOOK-24]
  const auto id = *UploadId::parse("a");
  auto head = Bench::head("PATCH", "/files/a", Bench::patch_fields(0));
  head.remote_address = "192.0.2.1:1000";
  const auto key = access_key(id, head);
  auto same = head;
  same.remote_address = "192.0.2.1:2000";
  same.fields.set("Upload-Offset", "17");
  same.fields.add("Upload-Checksum", "sha1 x");
  EXPECT_EQ(access_key(id, same), key);
  for (const auto change : {+[](RequestHead& h) { h.fields.add("Cookie", "a"); },
                            +[](RequestHead& h) { h.fields.add("X-Api-Key", "a"); },
                            +[](RequestHead& h) { h.target += "?token=1"; },
                            +[](RequestHead& h) { h.host = "other.example"; },
                            +[](RequestHead& h) { h.remote_address = "192.0.2.2:1000"; },
                            +[](RequestHead& h) { h.method = "GET"; }}) {
    auto other = head;
    change(other);
    EXPECT_NE(access_key(id, other), key);
  }
  EXPECT_NE(access_key(*UploadId::parse("b"), head), key);
}

// ---- post-receive

TEST_F(HookedService, ProgressIsToldAsBytesComeAndAtTheEnd) {  // [HOOK-25]
  hooks->wanted = {HookEvent::post_receive};
  bench.options.progress_interval = 0ms;
  const auto path = bench.create(11);
  StalledPatch running(bench, path);
  EXPECT_EQ(hooks->progress, std::vector<std::uint64_t>{5});
  running.exchange.body().release();
  running.finish(bench);
  EXPECT_EQ(running.exchange.final_response()->status, 204);
  EXPECT_EQ(hooks->progress, (std::vector<std::uint64_t>{5, 11}));
}

TEST_F(HookedService, ProgressIsToldNoMoreOftenThanAsked) {  // [HOOK-25]
  hooks->wanted = {HookEvent::post_receive};
  bench.options.progress_interval = 1h;
  const auto path = bench.create(11);
  StalledPatch running(bench, path);
  running.exchange.body().release();
  running.finish(bench);
  EXPECT_EQ(hooks->progress, std::vector<std::uint64_t>{11}) << "the end is always told";
  EXPECT_EQ(bench.patch(path, 11, "").status, 204);
  EXPECT_EQ(hooks->progress.size(), 1u) << "nothing has come";
}

TEST_F(HookedService, ABodyThatFallsSilentIsToldInTime) {  // [HOOK-29]
  hooks->wanted = {HookEvent::post_receive};
  const auto clock = std::make_shared<testing::ManualClock>();
  bench.parts.clock = clock;
  bench.options.progress_interval = 5ms;
  const auto path = bench.create(11);
  StalledPatch running(bench, path);
  const auto run_for = [this](std::chrono::milliseconds time) {
    bench.context().restart();
    bench.context().run_for(time);
  };
  run_for(20ms);
  EXPECT_TRUE(hooks->progress.empty()) << "the clock stands still";
  clock->advance(5ms);
  for (int i = 0; i < 1000 && hooks->progress.empty(); ++i) run_for(5ms);
  EXPECT_EQ(hooks->progress, std::vector<std::uint64_t>{5});
  clock->advance(1h);
  run_for(20ms);
  EXPECT_EQ(hooks->progress.size(), 1u) << "nothing new";
  running.exchange.body().release();
  running.finish(bench);
  EXPECT_EQ(hooks->progress, (std::vector<std::uint64_t>{5, 11}));
}

TEST_F(HookedService, ASilentBodyThatEndsIsToldOnce) {  // [HOOK-29]
  hooks->wanted = {HookEvent::post_receive};
  bench.options.progress_interval = 1h;
  const auto path = bench.create(11);
  {
    StalledPatch running(bench, path);
    running.exchange.body().release();
    running.finish(bench);
  }
  bench.context().restart();
  EXPECT_LT(bench.context().run_for(20s), 10u);
  EXPECT_TRUE(bench.context().stopped()) << "no timer is left behind";
  EXPECT_EQ(hooks->progress, std::vector<std::uint64_t>{11});
}

TEST_F(HookedService, AllThatHappensToAnUploadIsToldWithItsCreationId) {  // [HOOK-7]
  hooks->wanted = {HookEvent::post_create, HookEvent::post_finish, HookEvent::post_terminate};
  const auto path = bench.create(2);
  EXPECT_EQ(bench.patch(path, 0, "ab").status, 204);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
  bench.create(2);
  ASSERT_EQ(hooks->creations.size(), 4u);
  EXPECT_EQ(hooks->creations[0].size(), 32u);
  EXPECT_EQ(hooks->creations[1], hooks->creations[0]);
  EXPECT_EQ(hooks->creations[2], hooks->creations[0]);
  EXPECT_NE(hooks->creations[3], hooks->creations[0]);
}

TEST_F(HookedService, AHookStopsAnUpload) {  // [HOOK-26]
  hooks->wanted = {HookEvent::post_receive, HookEvent::post_terminate};
  bench.options.progress_interval = 0ms;
  const auto path = bench.create(11);
  StalledPatch running(bench, path);
  ASSERT_TRUE(hooks->stop);
  Response answer(409);
  answer.body = "enough";
  hooks->stop(answer);
  running.finish(bench);
  EXPECT_EQ(running.exchange.final_response()->status, 409);
  EXPECT_EQ(running.exchange.final_response()->body, "enough");
  EXPECT_EQ(bench.inspect(path).status, 404);
  EXPECT_EQ(hooks->heard,
            (std::vector<std::string>{"promise post-terminate", "happened post-terminate"}));
}

TEST_F(HookedService, AStopWithoutAnAnswerIsTusds) {  // [HOOK-26]
  hooks->wanted = {HookEvent::post_receive};
  bench.options.progress_interval = 0ms;
  const auto path = bench.create(11);
  StalledPatch running(bench, path);
  hooks->stop(std::nullopt);
  running.finish(bench);
  EXPECT_EQ(running.exchange.final_response()->status, 400);
  EXPECT_TRUE(running.exchange.final_response()->body.starts_with("ERR_UPLOAD_STOPPED"));
}

TEST_F(HookedService, AStopThatComesTooLateChangesNothing) {  // [HOOK-27]
  hooks->wanted = {HookEvent::post_receive};
  const auto path = bench.create(11);
  {
    StalledPatch running(bench, path);
    running.exchange.body().release();
    running.finish(bench);
    EXPECT_EQ(running.exchange.final_response()->status, 204);
  }
  hooks->stop(std::nullopt);  // the request is gone
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "11");
}

TEST_F(HookedService, BytesOfACreationAreProgress) {  // [HOOK-25]
  hooks->wanted = {HookEvent::post_receive};
  Fields fields;
  fields.add("Upload-Length", "11");
  fields.add("Content-Type", "application/offset+octet-stream");
  const auto made = bench.request("POST", "/files/", fields, BodyScript::whole("hello"));
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(hooks->progress, std::vector<std::uint64_t>{5});
}

// ---- what a hook changes

TEST_F(HookedService, ClientsReadBackTheMetadataThatAHookChose) {  // [HOOK-28]
  hooks->wanted = {HookEvent::pre_create};
  hooks->answer = [](const HookMessage&) -> Result<HookReply> {
    HookReply reply;
    reply.metadata = Metadata{{"owner", "ann"}, {"bad key", "x"}};
    return reply;
  };
  const auto path = bench.create(5);
  EXPECT_EQ(field(bench.inspect(path), "Upload-Metadata"), "owner YW5u");
}

}  // namespace
}  // namespace tus::core::test
