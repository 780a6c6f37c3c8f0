#include "protocol/concat.h"

#include "protocol/tus_v1.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

// The ids with '|' between them, or why there are none.
std::string parts_of(std::string_view value, std::string_view base_path = "/files/") {
  const auto concat = parse_concat(value, base_path);
  if (!concat) return "(invalid)";
  if (concat->is_partial) return concat->parts.empty() ? "(partial)" : "(both)";
  std::string all;
  for (const auto& part : concat->parts) {
    if (!all.empty()) all += '|';
    all += part.str();
  }
  return all;
}

TEST(Concat, HasTwoForms) {  // [GRAM-5]
  EXPECT_EQ(parts_of("partial"), "(partial)");
  EXPECT_EQ(parts_of("final;/files/a"), "a");
  EXPECT_EQ(parts_of("final;/files/a /files/b /files/a"), "a|b|a");
  EXPECT_EQ(parts_of("final; /files/a  /files/b "), "a|b");
  for (const char* value :
       {"", " partial", "partial ", "Partial", "partial;", "final", "final;", "final; ",
        "Final;/files/a", "final:/files/a", "final /files/a", "final;/files/a\t/files/b"}) {
    EXPECT_EQ(parts_of(value), "(invalid)") << value;
  }
}

TEST(Concat, UrlsAreAbsoluteOrBeginWithTheirPath) {  // [CONCAT-82]
  EXPECT_EQ(parts_of("final;http://example.org/files/a https://other:8080/files/b"), "a|b");
  EXPECT_EQ(parts_of("final;HTTP://[::1]:1/files/team/a"), "team/a");
  EXPECT_EQ(parts_of("final;/files/%61%2Eb"), "a.b") << "decoded once";
  EXPECT_EQ(parts_of("final;/a", "/"), "a");
  EXPECT_EQ(parts_of("final;http://h/a", "/"), "a");
  for (const char* value :
       {"final;a", "final;files/a", "final;//host/files/a", "final;ftp://host/files/a",
        "final;http:/files/a", "final;http:///files/a", "final;http://host",
        "final;://host/files/a", "final;/files/a?x=1", "final;/files/a#x"}) {
    EXPECT_EQ(parts_of(value), "(invalid)") << value;
  }
}

TEST(Concat, IdsFromOutsideAreNoParts) {  // [CONCAT-82]
  for (const char* value :
       {"final;/files/", "final;/files", "final;/other/a", "final;/filesa",
        "final;/files/../etc/passwd", "final;/files/%2e%2e/a", "final;/files/a%2Fb",
        "final;/files/a%00", "final;/files/.tusd/tmp/x", "final;/files/a.info",
        "final;/files/%2561", "final;/files/a%", "final;/files//a", "final;/files/a /etc/passwd",
        "final;http://host/other/files/a"}) {
    EXPECT_EQ(parts_of(value), "(invalid)") << value;
  }
}

TEST(Concat, ManyPartsAreManyParts) {  // [CONCAT-89]
  std::string value = "final;";
  for (int i = 0; i < 5000; ++i) value += "/files/" + std::to_string(i) + " ";
  const auto concat = parse_concat(value, "/files/");
  ASSERT_TRUE(concat);
  ASSERT_EQ(concat->parts.size(), 5000u);
  EXPECT_EQ(concat->parts[4999].str(), "4999");
}

TusV1 joining() {
  TusOptions options;
  options.can_concatenate = true;
  return TusV1(options);
}

RequestHead creation(std::initializer_list<Field> fields) {
  RequestHead head;
  head.method = "POST";
  head.target = "/files/";
  head.fields.add("Tus-Resumable", "1.0.0");
  for (const auto& field : fields) head.fields.add(field.name, field.value);
  return head;
}

// The command, or the code of the rejection.
std::string planned(const RequestHead& head, CreateCommand* command = nullptr) {
  auto plan = joining().plan(head);
  if (!plan) return std::string(describe(*plan.error().error).code);
  if (command != nullptr) *command = std::get<CreateCommand>(*plan);
  return "ok";
}

TEST(Concat, APartIsCreatedLikeAnyUpload) {  // [CONCAT-68]
  CreateCommand command;
  auto head = creation({{"Upload-Concat", "partial"}, {"Upload-Length", "5"}});
  ASSERT_EQ(planned(head, &command), "ok");
  EXPECT_TRUE(command.is_partial);
  EXPECT_EQ(command.length, 5u);
  EXPECT_EQ(command.raw_concat, "partial");
  EXPECT_TRUE(command.parts.empty());
  EXPECT_EQ(
      planned(creation({{"Upload-Concat", "partial"}, {"Upload-Defer-Length", "1"}}), &command),
      "ok");
  EXPECT_EQ(command.length, std::nullopt);
  EXPECT_EQ(planned(creation({{"Upload-Concat", "partial"}})), "ERR_INVALID_UPLOAD_LENGTH");
}

TEST(Concat, AFinalUploadHasNoLengthAndNoContentOfItsOwn) {  // [CONCAT-79] [CREATE-48]
  const Field parts{"Upload-Concat", "final;/files/a http://h/files/b"};
  const Field octets{"Content-Type", "application/offset+octet-stream"};
  CreateCommand command;
  ASSERT_EQ(planned(creation({parts}), &command), "ok");
  EXPECT_FALSE(command.is_partial);
  EXPECT_FALSE(command.with_content);
  EXPECT_EQ(command.length, std::nullopt);
  EXPECT_EQ(command.raw_concat, parts.value);
  ASSERT_EQ(command.parts.size(), 2u);
  EXPECT_EQ(command.parts[1].str(), "b");

  EXPECT_EQ(planned(creation({parts, {"Upload-Length", "5"}})), "ERR_INVALID_UPLOAD_LENGTH");
  EXPECT_EQ(planned(creation({parts, {"Upload-Defer-Length", "1"}})), "ERR_INVALID_UPLOAD_LENGTH");
  EXPECT_EQ(planned(creation({parts, parts})), "ERR_INVALID_REQUEST");
  auto head = creation({parts, octets});
  EXPECT_EQ(planned(head), "ok") << "without a body a type says nothing";
  head.has_body = true;
  EXPECT_EQ(planned(head), "ERR_MODIFY_FINAL");
  head.content_length = 0;
  EXPECT_EQ(planned(head), "ok");
  head.content_length = 3;
  EXPECT_EQ(planned(head), "ERR_MODIFY_FINAL");
  EXPECT_EQ(planned(creation({{"Upload-Concat", "final;/etc/a"}})), "ERR_INVALID_CONCAT");
}

TEST(Concat, IsRefusedWhereItIsNotOffered) {  // [ERR-6]
  const TusV1 without{TusOptions()};
  EXPECT_EQ(without.extensions().find("concatenation"), std::string::npos);
  for (const char* value : {"partial", "final;/files/a", "nonsense"}) {
    const auto plan = without.plan(creation({{"Upload-Concat", value}, {"Upload-Length", "5"}}));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().error, ErrorCode::concatenation_unsupported) << value;
  }
}

TEST(Concat, ListsItsExtensions) {  // [CONCAT-67]
  EXPECT_EQ(joining().extensions(),
            "creation,creation-with-upload,termination,concatenation,concatenation-unfinished,"
            "creation-defer-length");
}

UploadInfo final_upload() {
  UploadInfo info;
  info.id = *UploadId::parse("f");
  info.is_final = true;
  info.join_pending = true;
  info.raw_concat = "final;/files/a  /files/%62";
  return info;
}

Response head_of(const UploadInfo& info) {
  RequestHead head;
  head.method = "HEAD";
  head.target = "/files/f";
  InspectCommand command;
  command.id = info.id;
  return joining().render(head, command, Outcome(info));
}

std::string field(const Response& response, std::string_view name) {
  const auto* value = response.fields.find(name);
  return value == nullptr ? "(none)" : *value;
}

TEST(Concat, AFinalUploadHasAnOffsetOnlyWhenItIsJoined) {  // [CONCAT-71] [CONCAT-75] [CONCAT-77]
  auto info = final_upload();
  auto response = head_of(info);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(field(response, "Upload-Offset"), "(none)");
  EXPECT_EQ(field(response, "Upload-Length"), "(none)");
  EXPECT_EQ(field(response, "Upload-Defer-Length"), "(none)");
  EXPECT_EQ(field(response, "Upload-Concat"), info.raw_concat);
  info.length = 0;
  response = head_of(info);
  EXPECT_EQ(field(response, "Upload-Offset"), "(none)")
      << "also when there are no bytes to wait for";
  EXPECT_EQ(field(response, "Upload-Length"), "0");
  info.join_pending = false;
  EXPECT_EQ(field(head_of(info), "Upload-Offset"), "0");
  info.length = info.offset = 7;
  response = head_of(info);
  EXPECT_EQ(field(response, "Upload-Offset"), "7");
  EXPECT_EQ(field(response, "Upload-Length"), "7");
}

}  // namespace
}  // namespace tus::protocol
