#include "hooks/common/reply.h"

#include "hooks/common/events.h"

#include <gtest/gtest.h>

namespace tus::hooks {
namespace {

Result<Reply> read(HookEvent event, std::string body) {
  TransportReply reply;
  reply.body = std::move(body);
  return read_reply(event, reply, ReplyRules());
}

TEST(HookReplyText, MayBeNothing) {  // [HOOK-10]
  for (const char* nothing :
       {"", " \r\n", "null", "{}", R"({"Unknown":[1],"RejectUpload":null})"}) {
    const auto reply = read(HookEvent::pre_create, nothing);
    ASSERT_TRUE(reply) << nothing;
    EXPECT_FALSE(reply->reply.reject);
    EXPECT_FALSE(reply->reply.response);
    EXPECT_FALSE(reply->reply.id);
    EXPECT_FALSE(reply->reply.metadata);
    EXPECT_FALSE(reply->reply.storage);
  }
}

TEST(HookReplyText, RefusesWithAnAnswerOfItsOwn) {  // [HOOK-11]
  const auto reply = read(
      HookEvent::pre_create,
      R"({"rejectupload":true,"HTTPRESPONSE":{"statusCode":418,"body":"no","HEADER":{"X-A":"b"}}})");
  ASSERT_TRUE(reply);
  EXPECT_TRUE(reply->reply.reject);
  ASSERT_TRUE(reply->reply.response);
  EXPECT_EQ(reply->reply.response->status, 418);
  EXPECT_EQ(reply->reply.response->body, "no");
  EXPECT_EQ(*reply->reply.response->fields.find("x-a"), "b");
}

TEST(HookReplyText, EachEventHasItsOwnWord) {  // [HOOK-12]
  const std::string all =
      R"({"RejectUpload":true,"RejectTermination":true,"RejectAccess":true,"StopUpload":true})";
  EXPECT_TRUE(read(HookEvent::pre_create, all)->reply.reject);
  EXPECT_TRUE(read(HookEvent::pre_terminate, all)->reply.reject);
  EXPECT_TRUE(read(HookEvent::pre_access, all)->reply.reject);
  EXPECT_TRUE(read(HookEvent::post_receive, all)->stop);
  for (auto event : {HookEvent::pre_finish, HookEvent::post_finish, HookEvent::post_receive}) {
    EXPECT_FALSE(read(event, all)->reply.reject);
  }
  EXPECT_FALSE(read(HookEvent::pre_terminate, R"({"RejectUpload":true})")->reply.reject);
  EXPECT_FALSE(read(HookEvent::pre_access, R"({"RejectUpload":true})")->reply.reject);
  EXPECT_FALSE(read(HookEvent::pre_create, all)->stop);
}

TEST(HookReplyText, ChangesWhatIsToBeCreated) {  // [HOOK-13]
  const std::string body =
      R"({"ChangeFileInfo":{"ID":"mine","MetaData":{"a":"1","b":null},"Storage":{"Path":"x/y"}}})";
  const auto reply = read(HookEvent::pre_create, body);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->reply.id, "mine");
  EXPECT_EQ(reply->reply.metadata, (Metadata{{"a", "1"}, {"b", ""}}));
  EXPECT_EQ(reply->reply.storage->at("Path"), "x/y");
  EXPECT_FALSE(read(HookEvent::pre_finish, body)->reply.id) << "only before a creation";
  EXPECT_TRUE(read(HookEvent::pre_create, R"({"ChangeFileInfo":{"MetaData":{}}})")
                  ->reply.metadata->empty());
}

TEST(HookReplyText, GarbageIsAFailure) {  // [HOOK-14]
  for (const char* garbage :
       {"x", "[]", "1", "{", R"({"RejectUpload":"yes"})", R"({"HTTPResponse":[]})",
        R"({"HTTPResponse":{"StatusCode":"200"}})", R"({"HTTPResponse":{"StatusCode":99}})",
        R"({"HTTPResponse":{"StatusCode":100}})", R"({"HTTPResponse":{"StatusCode":600}})",
        R"({"HTTPResponse":{"StatusCode":200.5}})", R"({"HTTPResponse":{"Header":{"A":["b"]}}})",
        R"({"HTTPResponse":{"Body":1}})", R"({"ChangeFileInfo":{"ID":5}})",
        R"({"ChangeFileInfo":{"MetaData":{"a":1}}})", R"({"ChangeFileInfo":{"Storage":"p"}})",
        "{}{}", "\xFF"}) {
    const auto reply = read(HookEvent::pre_create, garbage);
    ASSERT_FALSE(reply) << garbage;
    EXPECT_EQ(reply.error(), ErrorCode::internal);
    EXPECT_NE(reply.error().detail().find("pre-create"), std::string::npos);
  }
}

TEST(HookReplyText, LegacyRefusesByCode) {  // [HOOK-15]
  ReplyRules rules;
  rules.format = Format::legacy;
  TransportReply printed;
  printed.body = "not json";
  EXPECT_FALSE(read_reply(HookEvent::pre_create, printed, rules)->reply.reject);
  TransportReply no;
  no.refused = true;
  no.exit_code = 3;
  no.body = "quota";
  const auto refused = read_reply(HookEvent::pre_create, no, rules);
  EXPECT_TRUE(refused->reply.reject);
  EXPECT_EQ(refused->reply.response->body, "quota");
  EXPECT_EQ(refused->reply.response->status, 0) << "ours";
  no.status = 402;
  EXPECT_EQ(read_reply(HookEvent::pre_create, no, rules)->reply.response->status, 402);
  EXPECT_FALSE(read_reply(HookEvent::pre_finish, no, rules)) << "a failure";
}

TEST(HookReplyText, LegacyStopsByCode) {  // [HOOK-16]
  ReplyRules rules;
  rules.format = Format::legacy;
  TransportReply no;
  no.refused = true;
  no.exit_code = 3;
  EXPECT_FALSE(read_reply(HookEvent::post_receive, no, rules)) << "0 stops nothing";
  rules.stop_code = 3;
  EXPECT_TRUE(read_reply(HookEvent::post_receive, no, rules)->stop);
  no.exit_code = 4;
  EXPECT_FALSE(read_reply(HookEvent::post_receive, no, rules));
}

TEST(HookEvents, AreNamed) {  // [HOOK-6]
  for (std::size_t i = 0; i < hook_event_count; ++i) {
    const auto event = static_cast<HookEvent>(i);
    EXPECT_EQ(event_named(name_of(event)), event);
  }
  const auto set = EventSet::parse(" pre-create, ,post-finish");
  ASSERT_TRUE(set);
  EXPECT_TRUE(set->has(HookEvent::pre_create));
  EXPECT_TRUE(set->has(HookEvent::post_finish));
  EXPECT_FALSE(set->has(HookEvent::post_create));
  EXPECT_EQ(EventSet::parse("pre-creat").error(), "there is no event 'pre-creat'");
}

}  // namespace
}  // namespace tus::hooks
