#include "protocol/tus_v1.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tus::protocol {
namespace {

using testing::request_from_text;

const std::string v1 = "Tus-Resumable: 1.0.0\n";
const std::string octets = "Content-Type: application/offset+octet-stream\n";

std::string optional_text(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : "-";
}

std::string demand_text(const std::optional<ChecksumDemand>& demand) {
  if (!demand) return "";
  return demand->known ? " checked" : " checked by trailer";
}

struct Describe {
  std::string operator()(const DescribeCommand&) const { return "describe"; }
  std::string operator()(const CreateCommand& c) const {
    return "create " + optional_text(c.length) + (c.with_content ? " content" : "") +
           demand_text(c.checksum);
  }
  std::string operator()(const AppendCommand& c) const {
    return "append " + c.id.str() + " " + std::to_string(c.offset) + " " +
           optional_text(c.declared_length) + demand_text(c.checksum);
  }
  std::string operator()(const InspectCommand& c) const { return "inspect " + c.id.str(); }
  std::string operator()(const TerminateCommand& c) const { return "terminate " + c.id.str(); }
  std::string operator()(const ReadCommand& c) const { return "read " + c.id.str(); }
};

// What is planned for a request: a command, or the first line of the rejection.
std::string plan(const std::string& request, TusOptions options = {}) {
  const auto planned = TusV1(std::move(options)).plan(request_from_text(request));
  if (planned) return std::visit(Describe(), *planned);
  const auto& response = planned.error();
  EXPECT_TRUE(response.error.has_value()) << request;
  EXPECT_NE(response.fields.find("Tus-Resumable"), nullptr) << request;
  return std::to_string(response.status) + " " + response.body.substr(0, response.body.find(':'));
}

std::string plan_post(const std::string& fields, TusOptions options = {}) {
  return plan("POST /files/\n" + v1 + fields, std::move(options));
}

std::string plan_patch(const std::string& fields) { return plan("PATCH /files/a\n" + v1 + fields); }

// [CORE-2] [CORE-4]
TEST(tus_v1, versions) {
  EXPECT_EQ(plan("POST /files/\nUpload-Length: 1\n"), "412 ERR_UNSUPPORTED_VERSION");
  EXPECT_EQ(plan("PATCH /files/a\n"), "412 ERR_UNSUPPORTED_VERSION");
  EXPECT_EQ(plan("DELETE /files/a\n"), "412 ERR_UNSUPPORTED_VERSION");
  for (const char* value : {"", "1", "1.0", "1.0.1", "0.2.2", "1.0.0,1.0.0", "v1.0.0", "2.0.0"}) {
    const auto field = std::string("Tus-Resumable: ") + value + "\n";
    EXPECT_EQ(plan("POST /files/\nUpload-Length: 1\n" + field), "412 ERR_UNSUPPORTED_VERSION");
    EXPECT_EQ(plan("DELETE /files/a\n" + field), "412 ERR_UNSUPPORTED_VERSION");
    EXPECT_EQ(plan("HEAD /files/a\n" + field), "412 ") << value;
  }
  EXPECT_EQ(plan("HEAD /files/a\n"), "inspect a") << "as tusd: downloads and checks ask like this";
  EXPECT_EQ(plan("GET /files/a\nTus-Resumable: 9\n"), "read a");
}

// [CORE-3] [CORE-5]
TEST(tus_v1, a_412_names_the_versions_we_speak) {
  const auto planned = TusV1({}).plan(request_from_text("PATCH /files/a\nTus-Resumable: 2.0.0\n"));
  ASSERT_FALSE(planned.has_value());
  EXPECT_EQ(testing::text_from_response(planned.error()),
            "412\nTus-Resumable: 1.0.0\nX-Content-Type-Options: nosniff\nTus-Version: 1.0.0\n"
            "Content-Type: text/plain; charset=utf-8\n\n"
            "ERR_UNSUPPORTED_VERSION: missing, invalid or unsupported Tus-Resumable header\n");
}

// [CORE-23] [CORE-25]
TEST(tus_v1, options_on_any_path_and_with_any_version) {
  EXPECT_EQ(plan("OPTIONS /files/\n"), "describe");
  EXPECT_EQ(plan("OPTIONS /files/a\n"), "describe");
  EXPECT_EQ(plan("OPTIONS /files/../a\n"), "describe");
  EXPECT_EQ(plan("OPTIONS *\n"), "describe");
  EXPECT_EQ(plan("OPTIONS /files/\nTus-Resumable: 9.9\n"), "describe");
  EXPECT_EQ(plan("OPTIONS /files/\nTus-Resumable: 1\nTus-Resumable: 2\n"), "describe");
}

// [CORE-8]
TEST(tus_v1, method_override) {
  const auto patch = v1 + octets + "Upload-Offset: 3\nX-HTTP-Method-Override: PATCH\n";
  EXPECT_EQ(plan("POST /files/a\n" + patch), "append a 3 -");
  EXPECT_EQ(plan("GET /files/a\n" + patch), "append a 3 -");
  EXPECT_EQ(plan("DELETE /files/a\n" + patch), "append a 3 -");
  EXPECT_EQ(plan("POST /files/a\n" + v1 + "X-HTTP-Method-Override: DELETE\n"), "terminate a");
  EXPECT_EQ(plan("POST /files/a\nX-HTTP-Method-Override: HEAD\n"), "inspect a");
  EXPECT_EQ(plan("POST /files/a\nX-HTTP-Method-Override: OPTIONS\n"), "describe");
  EXPECT_EQ(plan("PATCH /files/\n" + v1 + "Upload-Length: 1\nX-HTTP-Method-Override: POST\n"),
            "create 1");
  EXPECT_EQ(plan("HEAD /files/a\nX-HTTP-Method-Override: \n"), "inspect a");
}

// [CORE-8] [HTTP-12] [HTTP-13]
TEST(tus_v1, method_override_that_is_no_method) {
  EXPECT_EQ(plan("POST /files/a\n" + v1 + "X-HTTP-Method-Override: patch\n"),
            "501 ERR_NOT_IMPLEMENTED");
  EXPECT_EQ(plan("POST /files/a\n" + v1 + "X-HTTP-Method-Override: PATCH, HEAD\n"),
            "501 ERR_NOT_IMPLEMENTED");
  EXPECT_EQ(plan("POST /files/a\nX-HTTP-Method-Override: PATCH\nx-http-method-override: PATCH\n"),
            "400 ERR_INVALID_REQUEST");
}

// [HTTP-12]
TEST(tus_v1, methods_that_are_not_there) {
  EXPECT_EQ(plan("BREW /files/\n" + v1), "501 ERR_NOT_IMPLEMENTED");
  EXPECT_EQ(plan("post /files/\n" + v1), "501 ERR_NOT_IMPLEMENTED");
  for (const char* method : {"PUT", "TRACE", "CONNECT"}) {
    EXPECT_EQ(plan(std::string(method) + " /files/\n" + v1), "405 method not allowed");
    EXPECT_EQ(plan(std::string(method) + " /files/a\n" + v1), "405 method not allowed");
  }
  EXPECT_EQ(plan("GET /files/\n"), "405 method not allowed");
  EXPECT_EQ(plan("PATCH /files/\n" + v1), "405 method not allowed");
  EXPECT_EQ(plan("DELETE /files/\n" + v1), "405 method not allowed");
  EXPECT_EQ(plan("HEAD /files/\n" + v1), "405 ") << "HEAD never has a body";
  EXPECT_EQ(plan("POST /files/a\n" + v1), "405 method not allowed");
}

// [HTTP-12] [HTTP-31]
TEST(tus_v1, a_405_tells_what_is_allowed) {
  const auto allow = [](const std::string& request, bool can_terminate) {
    TusOptions options;
    options.can_terminate = can_terminate;
    const auto planned = TusV1(options).plan(request_from_text(request + v1));
    EXPECT_FALSE(planned.has_value());
    const auto* value = planned.error().fields.find("Allow");
    return value != nullptr ? *value : std::string("none");
  };
  EXPECT_EQ(allow("PUT /files/\n", true), "OPTIONS, POST");
  EXPECT_EQ(allow("PUT /files\n", true), "OPTIONS, POST");
  EXPECT_EQ(allow("PUT /files/a\n", true), "OPTIONS, HEAD, GET, PATCH, DELETE");
  EXPECT_EQ(allow("DELETE /files/a\n", false), "OPTIONS, HEAD, GET, PATCH");
}

// [HTTP-13]
TEST(tus_v1, fields_that_may_come_once) {
  const std::string patch = octets + "Upload-Offset: 3\n";
  EXPECT_EQ(plan_patch(patch), "append a 3 -");
  for (const char* again :
       {"Upload-Offset: 3", "upload-offset: 4", "Tus-Resumable: 1.0.0",
        "content-type: application/offset+octet-stream", "Upload-Length: 5\nUpload-Length: 5",
        "Upload-Checksum: a\nUpload-Checksum: b",
        "Upload-Concat: partial\nUpload-Concat: partial"}) {
    EXPECT_EQ(plan_patch(patch + again + "\n"), "400 ERR_INVALID_REQUEST") << again;
  }
  EXPECT_EQ(plan_post("Upload-Length: 1\nUpload-Length: 1\n"), "400 ERR_INVALID_REQUEST");
  EXPECT_EQ(plan_post("Upload-Defer-Length: 1\nUpload-Defer-Length: 1\n"),
            "400 ERR_INVALID_REQUEST");
}

// [HTTP-14]
TEST(tus_v1, paths) {
  const auto patch = v1 + octets + "Upload-Offset: 0\n";
  EXPECT_EQ(plan("PATCH /files/a/b?x=1\n" + patch), "append a/b 0 -");
  EXPECT_EQ(plan("PATCH /files/%61\n" + patch), "append a 0 -");
  EXPECT_EQ(plan("PATCH /files/..%2f..%2fetc\n" + patch), "404 ERR_UPLOAD_NOT_FOUND");
  EXPECT_EQ(plan("DELETE /files/a.info\n" + patch), "404 ERR_UPLOAD_NOT_FOUND");
  EXPECT_EQ(plan("POST /other/\n" + patch), "404 ERR_UPLOAD_NOT_FOUND");
  TusOptions root;
  root.base_path = "/";
  EXPECT_EQ(plan("PATCH /a\n" + patch, root), "append a 0 -");
}

// [CREATE-31] [CREATE-32] [CREATE-33] [CREATE-34] [CREATE-36] [CREATE-42] [GRAM-1]
TEST(tus_v1, lengths_of_a_creation) {
  EXPECT_EQ(plan_post("Upload-Length: 5\n"), "create 5");
  EXPECT_EQ(plan("POST /files\n" + v1 + "Upload-Length: 5\n"), "create 5");
  EXPECT_EQ(plan_post("Upload-Length: 0\n"), "create 0");
  EXPECT_EQ(plan_post("Upload-Length: 9223372036854775807\n"), "create 9223372036854775807");
  EXPECT_EQ(plan_post("Upload-Defer-Length: 1\n"), "create -");
  EXPECT_EQ(plan_post(""), "400 ERR_INVALID_UPLOAD_LENGTH");
  for (const char* value : {"", "+5", "-5", "a", "5 5", "0x5", "9223372036854775808", "5.0"}) {
    EXPECT_EQ(plan_post(std::string("Upload-Length: ") + value + "\n"),
              "400 ERR_INVALID_UPLOAD_LENGTH")
        << value;
  }
  for (const char* value : {"", "0", "2", "true", "01", "1 "}) {
    EXPECT_EQ(plan_post(std::string("Upload-Defer-Length: ") + value + "\n"),
              "400 ERR_INVALID_UPLOAD_LENGTH_DEFER")
        << value;
  }
  EXPECT_EQ(plan_post("Upload-Length: 5\nUpload-Defer-Length: 1\n"),
            "400 ERR_AMBIGUOUS_UPLOAD_LENGTH");
  TusOptions options;
  options.can_defer_length = false;
  EXPECT_EQ(plan_post("Upload-Defer-Length: 1\n", options), "501 ERR_NOT_IMPLEMENTED");
  EXPECT_EQ(plan_post("Upload-Length: 5\n", options), "create 5");
}

// [CREATE-44] [CREATE-46]
TEST(tus_v1, only_a_body_of_the_right_type_is_content) {
  EXPECT_EQ(plan_post("Upload-Length: 5\n" + octets), "create 5 content");
  EXPECT_EQ(plan_post("Upload-Length: 5\nContent-Type: APPLICATION/offset+octet-stream;x=y\n"),
            "create 5 content");
  EXPECT_EQ(plan_post("Upload-Length: 5\nContent-Type: application/x-www-form-urlencoded\n"),
            "create 5");
  EXPECT_EQ(plan_post("Upload-Length: 5\nContent-Type: \n"), "create 5");
}

// [CREATE-37] [CREATE-38] [HTTP-13]
TEST(tus_v1, metadata_is_kept_as_sent_and_parsed) {
  const auto planned = TusV1({}).plan(
      request_from_text("POST /files/\n" + v1 +
                        "Upload-Length: 5\nUpload-Metadata: b Yg==,bad x\nupload-metadata: a\n"));
  ASSERT_TRUE(planned.has_value());
  const auto& command = std::get<CreateCommand>(*planned);
  EXPECT_EQ(command.raw_metadata, "b Yg==,bad x,a");
  EXPECT_EQ(command.metadata, (Metadata{{"b", "b"}, {"a", ""}}));
}

// [ERR-6] [ERR-7] A client that relies on one of these must not get less without being told.
TEST(tus_v1, extensions_that_are_not_there_are_refused) {
  EXPECT_EQ(plan_post("Upload-Length: 5\nUpload-Concat: partial\n"),
            "400 ERR_CONCATENATION_UNSUPPORTED");
  EXPECT_EQ(plan_post("Upload-Concat: final;/files/a /files/b\n"),
            "400 ERR_CONCATENATION_UNSUPPORTED");
  EXPECT_EQ(plan_post("Upload-Length: 5\nUpload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=\n"),
            "400 ERR_CHECKSUM_UNSUPPORTED");
  EXPECT_EQ(plan_patch(octets + "Upload-Offset: 0\nUpload-Checksum: sha1 x\n"),
            "400 ERR_CHECKSUM_UNSUPPORTED");
}

// [CHECK-57] [CHECK-58] [CHECK-59] [CHECK-61] [CHECK-62]
TEST(tus_v1, checksums) {
  TusOptions options;
  options.can_check = true;
  const std::string sha1 = "Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=\n";
  const std::string patch = "PATCH /files/a\n" + v1 + octets + "Upload-Offset: 0\n";
  const std::string post = octets + "Upload-Length: 5\n";
  EXPECT_EQ(plan(patch + sha1, options), "append a 0 - checked");
  EXPECT_EQ(plan(patch + "Trailer: Upload-Checksum\n", options), "append a 0 - checked by trailer");
  EXPECT_EQ(plan_post(post + sha1, options), "create 5 content checked");
  EXPECT_EQ(plan_post(post + "Trailer: Upload-Checksum\n", options),
            "create 5 content checked by trailer");
  EXPECT_EQ(plan_post("Upload-Length: 5\n" + sha1, options), "415 ERR_INVALID_CONTENT_TYPE");
  for (const auto& request : {patch, "POST /files/\n" + v1 + post}) {
    EXPECT_EQ(plan(request + sha1 + "Trailer: Upload-Checksum\n", options),
              "400 ERR_INVALID_CHECKSUM");
    EXPECT_EQ(plan(request + "Upload-Checksum: sha1 Kq5s\n", options), "400 ERR_INVALID_CHECKSUM");
    EXPECT_EQ(plan(request + "Upload-Checksum: sha0 Kq5s\n", options),
              "400 ERR_CHECKSUM_ALGORITHM_UNSUPPORTED");
    EXPECT_EQ(plan(request + "Upload-Checksum: sha1 Kq5s\n"), "400 ERR_CHECKSUM_UNSUPPORTED");
  }
}

// [CORE-14] [CORE-15] [CORE-17] [CORE-26] [CREATE-41]
TEST(tus_v1, appends) {
  EXPECT_EQ(plan_patch(octets + "Upload-Offset: 0\n"), "append a 0 -");
  EXPECT_EQ(plan_patch(octets + "Upload-Offset: 9223372036854775807\n"),
            "append a 9223372036854775807 -");
  EXPECT_EQ(plan_patch(octets + "Upload-Offset: 3\nUpload-Length: 10\n"), "append a 3 10");
  EXPECT_EQ(plan_patch("Content-Type: application/offset+octet-stream; charset=binary\n"
                       "Upload-Offset: 3\n"),
            "append a 3 -");
  EXPECT_EQ(plan_patch("Upload-Offset: 0\n"), "415 ERR_INVALID_CONTENT_TYPE");
  EXPECT_EQ(plan_patch("Upload-Offset: 0\nContent-Type: application/octet-stream\n"),
            "415 ERR_INVALID_CONTENT_TYPE");
  EXPECT_EQ(plan_patch(octets), "400 ERR_INVALID_OFFSET");
  for (const char* value : {"", "+0", "-1", "x", "0,0", "9223372036854775808", "0x0"}) {
    EXPECT_EQ(plan_patch(octets + "Upload-Offset: " + value + "\n"), "400 ERR_INVALID_OFFSET")
        << value;
  }
  EXPECT_EQ(plan_patch(octets + "Upload-Offset: 0\nUpload-Length: -1\n"),
            "400 ERR_INVALID_UPLOAD_LENGTH");
}

// [CORE-15] [HTTP-31]
TEST(tus_v1, a_415_tells_what_is_accepted) {
  const auto planned = TusV1({}).plan(request_from_text("PATCH /files/a\n" + v1));
  ASSERT_FALSE(planned.has_value());
  EXPECT_EQ(*planned.error().fields.find("Accept-Patch"), "application/offset+octet-stream");
}

// [DL-1] [DL-14]
TEST(tus_v1, downloads) {
  EXPECT_EQ(plan("GET /files/a\n"), "read a");
  EXPECT_EQ(plan("POST /files/a\nX-HTTP-Method-Override: GET\n"), "read a");
  EXPECT_EQ(plan("GET /files/a%2fb\n"), "404 ERR_UPLOAD_NOT_FOUND");
  TusOptions options;
  options.can_download = false;
  EXPECT_EQ(plan("GET /files/a\n", options), "405 method not allowed");
  const auto planned = TusV1(options).plan(request_from_text("GET /files/a\n"));
  EXPECT_EQ(*planned.error().fields.find("Allow"), "OPTIONS, HEAD, PATCH, DELETE");
}

// [TERM-64] [TERM-66]
TEST(tus_v1, termination) {
  EXPECT_EQ(plan("DELETE /files/a\n" + v1), "terminate a");
  TusOptions options;
  options.can_terminate = false;
  EXPECT_EQ(plan("DELETE /files/a\n" + v1, options), "405 method not allowed");
}

// [CORE-6] [CREATE-30] [CREATE-43] [TERM-63]
TEST(tus_v1, extensions_are_those_of_the_store) {
  TusOptions options;
  EXPECT_EQ(TusV1(options).extensions(),
            "creation,creation-with-upload,termination,creation-defer-length");
  options.can_terminate = false;
  EXPECT_EQ(TusV1(options).extensions(), "creation,creation-with-upload,creation-defer-length");
  options.can_defer_length = false;
  EXPECT_EQ(TusV1(options).extensions(), "creation,creation-with-upload");
  options.can_check = true;
  EXPECT_EQ(TusV1(options).extensions(), "creation,creation-with-upload,checksum,checksum-trailer");
}

}  // namespace
}  // namespace tus::protocol
