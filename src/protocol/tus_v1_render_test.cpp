#include "protocol/conditions.h"
#include "protocol/tus_v1.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

using testing::request_from_text;
using testing::text_from_response;

const std::string common = "Tus-Resumable: 1.0.0\nX-Content-Type-Options: nosniff\n";
const std::string text_type = "Content-Type: text/plain; charset=utf-8\n";

UploadInfo upload(std::uint64_t offset, std::optional<std::uint64_t> length) {
  UploadInfo info;
  info.id = *UploadId::parse("a");
  info.offset = offset;
  info.length = length;
  return info;
}

Outcome failed(ErrorCode code) { return Outcome(Error(code, "secret /var/path")); }

Outcome failed(ErrorCode code, UploadInfo info) {
  Outcome outcome = failed(code);
  outcome.tell(std::move(info));
  return outcome;
}

template <class Command>
std::string render(const std::string& request, const Outcome& outcome, Command command = {},
                   TusOptions options = {}) {
  const auto response = TusV1(options).render(request_from_text(request), command, outcome);
  EXPECT_EQ(response.error.has_value(), outcome.error.has_value());
  if (response.error) EXPECT_EQ(*response.error, outcome.error->code());
  return text_from_response(response);
}

// [DL-1]
std::string can_be_read(const UploadInfo& info) {
  return "Accept-Ranges: bytes\nETag: " + entity_tag(info) + "\n";
}

std::string render_create(const Outcome& outcome) {
  CreateCommand command;
  command.with_content = true;
  return render("POST /files/\n", outcome, command);
}

std::string render_append(const Outcome& outcome) {
  return render<AppendCommand>("PATCH /files/a\n", outcome);
}

std::string render_inspect(const Outcome& outcome) {
  return render<InspectCommand>("HEAD /files/a\n", outcome);
}

// [CORE-1] [CORE-5] [CORE-6] [CORE-7] [CORE-23] [CORE-24]
TEST(tus_v1_render, options) {
  EXPECT_EQ(render<DescribeCommand>("OPTIONS /files/\n", Outcome()),
            "200\n" + common +
                "Tus-Version: 1.0.0\n"
                "Tus-Extension: creation,creation-with-upload,termination,creation-defer-length\n");
  TusOptions options;
  options.can_terminate = false;
  options.can_defer_length = false;
  DescribeCommand limited;
  limited.max_size = 10;
  EXPECT_EQ(render("OPTIONS /files/\n", Outcome(), limited, options),
            "200\n" + common +
                "Tus-Version: 1.0.0\nTus-Extension: creation,creation-with-upload\n"
                "Tus-Max-Size: 10\n");
}

// [CHECK-55] [CHECK-58]
TEST(tus_v1_render, checksums) {
  TusOptions options;
  options.can_check = true;
  const std::string algorithms = "Tus-Checksum-Algorithm: sha1,md5,sha256,sha512,crc32,crc32c\n";
  const auto described = render("OPTIONS /files/\n", Outcome(), DescribeCommand(), options);
  EXPECT_NE(described.find(algorithms), std::string::npos) << described;
  EXPECT_NE(described.find(",checksum,checksum-trailer\n"), std::string::npos) << described;
  UploadInfo upload;
  upload.offset = 7;
  const auto mismatch = render_append(failed(ErrorCode::checksum_mismatch, upload));
  EXPECT_TRUE(mismatch.starts_with("460\n")) << mismatch;
  EXPECT_NE(mismatch.find("Upload-Offset: 7\n"), std::string::npos) << mismatch;
}

// [CREATE-31]
TEST(tus_v1_render, a_creation_names_the_upload) {
  EXPECT_EQ(render<CreateCommand>("POST /files/\n", Outcome(upload(0, 5))),
            "201\n" + common + "Location: http://example.org/files/a\n");
  EXPECT_EQ(render<CreateCommand>("POST /files/\nHost: h:81\n", Outcome(upload(0, 5))),
            "201\n" + common + "Location: http://h:81/files/a\n");
  auto head = request_from_text("POST /files\n");
  head.scheme = "https";
  EXPECT_EQ(*TusV1({}).render(head, CreateCommand(), Outcome(upload(0, 5))).fields.find("Location"),
            "https://example.org/files/a");
  for (const char* host : {"", "h\r\nX: y"}) {
    head.host = host;
    EXPECT_EQ(
        *TusV1({}).render(head, CreateCommand(), Outcome(upload(0, 5))).fields.find("Location"),
        "/files/a");
  }
}

// [CREATE-46]
TEST(tus_v1_render, a_creation_with_content_tells_what_was_taken) {
  EXPECT_EQ(render_create(Outcome(upload(3, 5))),
            "201\n" + common + "Location: http://example.org/files/a\nUpload-Offset: 3\n");
  EXPECT_EQ(render_create(Outcome(upload(0, 5))),
            "201\n" + common + "Location: http://example.org/files/a\nUpload-Offset: 0\n");
}

// [CREATE-46] An upload that was created is not lost because its body broke.
TEST(tus_v1_render, an_error_after_creation_names_the_upload_too) {
  EXPECT_EQ(render_create(failed(ErrorCode::unexpected_eof, upload(3, 5))),
            "500\n" + common + "Location: http://example.org/files/a\nUpload-Offset: 3\n" +
                text_type + "\nERR_UNEXPECTED_EOF: server expected to receive more bytes\n");
  EXPECT_EQ(render_create(failed(ErrorCode::max_size_exceeded)),
            "413\n" + common + text_type + "\nERR_MAX_SIZE_EXCEEDED: maximum size exceeded\n");
}

// [CORE-18] [CORE-19]
TEST(tus_v1_render, an_append_tells_the_new_offset) {
  EXPECT_EQ(render_append(Outcome(upload(7, 10))), "204\n" + common + "Upload-Offset: 7\n");
  EXPECT_EQ(render_append(Outcome(upload(7, {}))), "204\n" + common + "Upload-Offset: 7\n");
}

// [CORE-16] [CORE-27]
TEST(tus_v1_render, errors_of_an_append_tell_the_offset_that_is_true) {
  EXPECT_EQ(render_append(failed(ErrorCode::mismatched_offset, upload(7, 10))),
            "409\n" + common + "Upload-Offset: 7\n" + text_type +
                "\nERR_MISMATCHED_OFFSET: mismatched offset\n");
  EXPECT_EQ(render_append(failed(ErrorCode::no_space, upload(7, 10))),
            "507\n" + common + "Retry-After: 30\nUpload-Offset: 7\n" + text_type +
                "\nERR_INSUFFICIENT_STORAGE: not enough space to store the upload\n");
  EXPECT_EQ(render_append(failed(ErrorCode::upload_not_found)),
            "404\n" + common + text_type + "\nERR_UPLOAD_NOT_FOUND: upload not found\n");
}

// [FIN-3] While a finish runs nobody may take the upload for finished.
TEST(tus_v1_render, a_finishing_upload_has_no_offset) {
  auto received = upload(10, 10);
  received.finish = FinishState::pending;
  const auto outcome = failed(ErrorCode::upload_finishing, received);
  const std::string body =
      text_type + "\nERR_UPLOAD_FINISHING: upload is being finished, try again\n";
  EXPECT_EQ(render_append(outcome), "503\n" + common + "Retry-After: 5\n" + body);
  EXPECT_EQ(render_create(outcome), "503\n" + common +
                                        "Retry-After: 5\n"
                                        "Location: http://example.org/files/a\n" +
                                        body);
  EXPECT_EQ(render_inspect(outcome),
            "503\n" + common + "Cache-Control: no-store\nRetry-After: 5\n");
}

// [CORE-9] [CORE-10] [CORE-12] [CORE-13] [CREATE-40]
TEST(tus_v1_render, head) {
  const auto ok = "200\n" + common + "Cache-Control: no-store\n";
  EXPECT_EQ(render_inspect(Outcome(upload(0, 10))), ok + "Upload-Offset: 0\nUpload-Length: 10\n");
  EXPECT_EQ(render_inspect(Outcome(upload(10, 10))),
            ok + "Upload-Offset: 10\nUpload-Length: 10\n" + can_be_read(upload(10, 10)));
  EXPECT_EQ(render_inspect(Outcome(upload(0, 0))),
            ok + "Upload-Offset: 0\nUpload-Length: 0\n" + can_be_read(upload(0, 0)));
  EXPECT_EQ(render_inspect(Outcome(upload(7, {}))),
            ok + "Upload-Offset: 7\nUpload-Defer-Length: 1\n");
}

// [CREATE-38] [GRAM-4]
TEST(tus_v1_render, head_echoes_what_the_client_sent) {
  auto info = upload(0, 1);
  info.raw_metadata = "b Yg==,bad x,a ";
  info.metadata = {{"b", "changed"}};
  info.raw_concat = "final;/files/x /files/y";
  EXPECT_EQ(render_inspect(Outcome(info)),
            "200\n" + common +
                "Cache-Control: no-store\nUpload-Offset: 0\nUpload-Length: 1\n"
                "Upload-Metadata: b Yg==,bad x,a \nUpload-Concat: final;/files/x /files/y\n");
}

// [MIG-5] Of a final upload Go's tusd keeps the ids of its parts, not what the client sent.
TEST(tus_v1_render, head_of_a_final_upload_that_go_made) {
  auto info = upload(7, 7);
  info.is_final = true;
  info.partial_uploads = {"x", "dir/y"};
  const std::string concat =
      "Upload-Concat: final;http://example.org/files/x http://example.org/files/dir/y\n";
  EXPECT_EQ(render<InspectCommand>("HEAD /files/a\nHost: example.org\n", Outcome(info)),
            "200\n" + common + "Cache-Control: no-store\nUpload-Offset: 7\nUpload-Length: 7\n" +
                concat + can_be_read(upload(7, 7)));
  info.offset = 3;  // Go died while it joined them
  EXPECT_EQ(render<InspectCommand>("HEAD /files/a\nHost: example.org\n", Outcome(info)),
            "200\n" + common + "Cache-Control: no-store\nUpload-Length: 7\n" + concat);
  info.offset = 7;
  info.partial_uploads = {"x", "no\r\nid"};
  EXPECT_EQ(render_inspect(Outcome(info)).find("Upload-Concat"), std::string::npos);
}

// [CREATE-38] [CREATE-39] Uploads that Go's tusd made have pairs only, and files can be edited.
TEST(tus_v1_render, head_never_sends_what_would_break_the_header) {
  auto info = upload(0, 1);
  info.metadata = {{"b", "b"}, {"x\r\ny", "z"}};
  const auto expected = "200\n" + common +
                        "Cache-Control: no-store\nUpload-Offset: 0\nUpload-Length: 1\n"
                        "Upload-Metadata: b Yg==\n";
  EXPECT_EQ(render_inspect(Outcome(info)), expected);
  info.raw_metadata = "b Yg==\r\nSet-Cookie: x";
  info.raw_concat = "partial\nX: y";
  EXPECT_EQ(render_inspect(Outcome(info)), expected);
}

// [CORE-11] [CORE-13] [HTTP-29]
TEST(tus_v1_render, errors_of_head_have_no_body_and_are_not_cached) {
  EXPECT_EQ(render_inspect(failed(ErrorCode::upload_not_found)),
            "404\n" + common + "Cache-Control: no-store\n");
  EXPECT_EQ(render_inspect(failed(ErrorCode::upload_locked)),
            "423\n" + common + "Cache-Control: no-store\nRetry-After: 1\n");
  EXPECT_EQ(render<InspectCommand>("POST /files/a\nX-HTTP-Method-Override: HEAD\n",
                                   failed(ErrorCode::upload_not_found)),
            "404\n" + common + "Cache-Control: no-store\n");
  EXPECT_EQ(render<AppendCommand>("HEAD /files/a\nX-HTTP-Method-Override: PATCH\n",
                                  failed(ErrorCode::upload_not_found)),
            "404\n" + common);
}

// [TERM-64]
TEST(tus_v1_render, termination) {
  EXPECT_EQ(render<TerminateCommand>("DELETE /files/a\n", Outcome()), "204\n" + common);
}

// [ERR-5] [HTTP-30] Details are for the log.
TEST(tus_v1_render, no_internal_text_reaches_a_client) {
  EXPECT_EQ(render_append(failed(ErrorCode::internal)),
            "500\n" + common + text_type + "\nERR_INTERNAL_SERVER_ERROR: internal server error\n");
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto text = render_append(failed(static_cast<ErrorCode>(i)));
    EXPECT_EQ(text.find("secret"), std::string::npos) << text;
    EXPECT_NE(text.find(common), std::string::npos) << text;
    EXPECT_NE(text.find(text_type), std::string::npos) << text;
  }
}

// [HTTP-31]
TEST(tus_v1_render, retry_after) {
  auto outcome = failed(ErrorCode::overloaded);
  const auto body = text_type + "\nERR_OVERLOADED: server is overloaded, try again\n";
  EXPECT_EQ(render_append(outcome), "503\n" + common + "Retry-After: 5\n" + body);
  outcome.retry_after = std::chrono::seconds(120);
  EXPECT_EQ(render_append(outcome), "503\n" + common + "Retry-After: 120\n" + body);
}

TEST(tus_v1_render, hooks_may_change_an_answer) {
  Outcome outcome(upload(10, 10));
  outcome.hook_response = std::make_shared<Response>(201);
  outcome.hook_response->fields.add("X-Result", "42");
  outcome.hook_response->fields.add("upload-offset", "10");
  outcome.hook_response->body = "done";
  EXPECT_EQ(render_append(outcome),
            "201\n" + common + "Upload-Offset: 10\nX-Result: 42\n" + text_type + "\ndone");
  outcome.hook_response->status = 0;
  EXPECT_EQ(render_append(outcome), "204\n" + common + "Upload-Offset: 10\nX-Result: 42\n")
      << "no status keeps ours, and a 204 has no body";

  auto rejected = failed(ErrorCode::upload_rejected);
  rejected.hook_response = std::make_shared<Response>(403);
  rejected.hook_response->fields.add("content-type", "application/json");
  rejected.hook_response->body = "{}";
  EXPECT_EQ(render_create(rejected), "403\n" + common + "content-type: application/json\n\n{}");
}

TEST(tus_v1_render, hooks_may_not_break_an_answer) {
  Outcome outcome(upload(10, 10));
  outcome.hook_response = std::make_shared<Response>(99);
  for (const char* name :
       {"Content-Length", "transfer-encoding", "Connection", "Date", "A B", ""}) {
    outcome.hook_response->fields.add(name, "1");
  }
  outcome.hook_response->fields.add("X", "a\r\nSet-Cookie: b");
  EXPECT_EQ(render_append(outcome), "204\n" + common + "Upload-Offset: 10\n");
}

TEST(tus_v1_render, errors_without_a_command) {
  const auto text = text_from_response(
      TusV1({}).render_error(request_from_text("POST /files/\n"), ErrorCode::overloaded));
  EXPECT_EQ(text, "503\n" + common + "Retry-After: 5\n" + text_type +
                      "\nERR_OVERLOADED: server is overloaded, try again\n");
}

}  // namespace
}  // namespace tus::protocol
