#include "hooks/common/message.h"

#include "hooks/common/record_name.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tus::hooks {
namespace {

HookMessage message_with_everything() {
  HookMessage message;
  message.event = HookEvent::post_finish;
  message.upload.id = *UploadId::parse("abc");
  message.upload.length = 42;
  message.upload.offset = 7;
  message.upload.metadata = {{"filename", "a \"quoted\"\nname"}, {"bytes", "\xFF\xC3\xA4"}};
  message.upload.is_final = true;
  message.upload.partial_uploads = {"p1", "p2"};
  message.upload.storage = {{"Type", "filestore"}, {"Path", "/srv/abc"}};
  message.request.method = "PATCH";
  message.request.target = "/files/abc?x=1";
  message.request.remote_address = "192.0.2.1";
  message.request.peer_address = "127.0.0.1:9";
  message.request.host = "example.org";
  message.request.fields.add("x-request-id", "1");
  message.request.fields.add("Tus-resumable", "1.0.0");
  message.request.fields.add("X-Request-ID", "2");
  message.request.fields.add("transfer-encoding", "chunked");
  message.request.fields.add("Trailer", "Upload-Checksum");
  return message;
}

TEST(HookMessage, IsTusdsOfVersion2) {  // [HOOK-1]
  EXPECT_EQ(to_v2(message_with_everything(), "e1"),
            R"({"Type":"post-finish","EventId":"e1","Event":{"Upload":{"ID":"abc","Size":42,)"
            R"("SizeIsDeferred":false,"Offset":7,"MetaData":{"filename":"a \"quoted\"\u000aname",)"
            "\"bytes\":\"\xEF\xBF\xBD\xC3\xA4\"},"
            R"("IsPartial":false,"IsFinal":true,"PartialUploads":["p1","p2"],)"
            R"("Storage":{"Path":"/srv/abc","Type":"filestore"}},"HTTPRequest":{"Method":"PATCH",)"
            R"("URI":"/files/abc?x=1","RemoteAddr":"127.0.0.1:9","Header":{"Host":["example.org"],)"
            R"("Tus-Resumable":["1.0.0"],"X-Request-Id":["1","2"]}}}})");
}

TEST(HookMessage, SaysNullWhereGoHasNothing) {  // [HOOK-2]
  HookMessage message;
  message.event = HookEvent::pre_create;
  const auto text = to_v2(message, "e");
  EXPECT_NE(text.find(R"("ID":"","Size":0,"SizeIsDeferred":true,"Offset":0,"MetaData":{},)"
                      R"("IsPartial":false,"IsFinal":false,"PartialUploads":null,"Storage":null)"),
            std::string::npos)
      << text;
  EXPECT_NO_THROW((void)boost::json::parse(text));
}

TEST(HookMessage, IsTheUploadAloneInTheLegacyFormat) {  // [HOOK-3]
  EXPECT_EQ(to_legacy(message_with_everything()),
            R"({"ID":"abc","Size":42,"Offset":7,"MetaData":{"filename":"a \"quoted\"\u000aname",)"
            "\"bytes\":\"\xEF\xBF\xBD\xC3\xA4\"},"
            R"("IsPartial":false,"IsFinal":true,"PartialUploads":["p1","p2"],)"
            R"("Storage":{"Path":"/srv/abc","Type":"filestore"}})");
}

TEST(HookMessage, SpellsFieldNamesAsGoDoes) {  // [HOOK-1]
  EXPECT_EQ(canonical_field_name("x-reQUEST-id"), "X-Request-Id");
  EXPECT_EQ(canonical_field_name("upload-Offset"), "Upload-Offset");
  EXPECT_EQ(canonical_field_name("with space"), "with space");
  EXPECT_EQ(canonical_field_name("-a--b"), "-A--B");
}

TEST(HookMessage, GetsThePlaceThatAStoreChose) {  // [HOOK-4]
  HookMessage message;
  message.upload.metadata = {{"Storage", "\"Storage\":null"}};
  const auto body = with_storage(to_v2(message, "e"), {{"Path", "/p\""}});
  const auto upload = boost::json::parse(body).at("Event").at("Upload");
  EXPECT_EQ(upload.at("Storage").at("Path").as_string(), "/p\"");
  EXPECT_EQ(upload.at("MetaData").at("Storage").as_string(), "\"Storage\":null");
  EXPECT_EQ(with_storage(body, {{"Path", "/q"}}), body) << "a hook chose it";
}

TEST(HookMessage, EveryOneHasAnIdOfItsOwn) {  // [HOOK-5]
  const auto one = make_envelope(message_with_everything(), Format::v2);
  const auto two = make_envelope(message_with_everything(), Format::v2);
  EXPECT_NE(one.event_id, two.event_id);
  EXPECT_EQ(one.event_id.size(), 32u);
  EXPECT_NE(one.body.find(one.event_id), std::string::npos);
  EXPECT_EQ(one.event_name, "post-finish");
  EXPECT_EQ(one.upload_id, "abc");
  EXPECT_EQ(one.upload_length, 42u);
  EXPECT_EQ(one.upload_offset, 7u);
}

TEST(HookMessage, WhatHappensOnceHasOneId) {  // [HOOK-7]
  auto message = message_with_everything();
  message.upload.creation_id = "0123456789abcdef0123456789abcdef";
  std::set<std::string> ids;
  const auto once = {HookEvent::post_create, HookEvent::post_finish, HookEvent::post_terminate};
  for (const auto event : once) {
    message.event = event;
    message.upload.offset = 7;
    const auto one = make_envelope(message, Format::v2);
    message.upload.offset = 42;
    const auto two = make_envelope(message, Format::v2);
    EXPECT_EQ(one.event_id, two.event_id);
    EXPECT_TRUE(entry_named(record_name(OutboxEntry(), one.event_id)));
    ids.insert(one.event_id);
    message.upload.creation_id.back() = '0';
  }
  EXPECT_EQ(ids.size(), 3u);
  message.upload.creation_id.front() = '1';
  EXPECT_FALSE(ids.contains(make_envelope(message, Format::v2).event_id)) << "another upload";
  for (const auto event : {HookEvent::post_receive, HookEvent::pre_finish}) {
    message.event = event;
    const auto one = make_envelope(message, Format::v2);
    EXPECT_NE(one.event_id, make_envelope(message, Format::v2).event_id);
  }
  message.event = HookEvent::post_finish;
  for (const auto* strange : {"", "abc", "../56789abcdef0123456789abcdef01"}) {
    message.upload.creation_id = strange;
    const auto one = make_envelope(message, Format::v2).event_id;
    EXPECT_EQ(one.size(), 32u);
    EXPECT_NE(one, make_envelope(message, Format::v2).event_id);
  }
}

}  // namespace
}  // namespace tus::hooks
