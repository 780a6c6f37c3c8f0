// Concatenation: partial and final uploads.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

const std::string partial = "Upload-Concat: partial\nUpload-Length: ";
const std::string not_found = "404\n!Location\n\nERR_UPLOAD_NOT_FOUND: upload not found\n";
const std::string invalid = "400\n!Location\n\nERR_INVALID_CONCAT: invalid Upload-Concat header\n";
const std::string bad_length =
    "400\n!Location\n\nERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header\n";

// [CONCAT-67]
TEST_P(Conformance, concatenation_is_offered) {
  talk({{"OPTIONS /files/",
         "200\nTus-Extension: creation,creation-with-upload,termination,concatenation,"
         "concatenation-unfinished,creation-defer-length,checksum,"
         "checksum-trailer\n\n"}});
}

// [CONCAT-68] [CONCAT-76] [CONCAT-77]
TEST_P(Conformance, partial_uploads) {
  talk({{post(partial + "5"), "201\nLocation: http://example.org/files/*"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 5\nUpload-Concat: partial"},
        {patch(0), whole("he"), "204\nUpload-Offset: 2"},
        {head(), "200\nUpload-Offset: 2\nUpload-Length: 5\nUpload-Concat: partial"},
        {patch(2), chunks("llo"), "204\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5\nUpload-Concat: partial"}});
  expect_stored("hello");
  talk({{post_content(partial + "5"), whole("hello"), "201\nUpload-Offset: 5"},
        {post("Upload-Concat: partial\nUpload-Defer-Length: 1"), "201"},
        {head(), "200\nUpload-Offset: 0\nUpload-Defer-Length: 1\nUpload-Concat: partial"},
        {post("Upload-Concat: partial"), bad_length}});
}

// [CONCAT-69] [CONCAT-73] [CONCAT-75] [CONCAT-77] [CONCAT-82]
TEST_P(Conformance, a_final_upload) {
  const auto a = made(partial + "6", "hello ");
  const auto b = made(partial + "5", "world");
  const auto value = "final;" + b + " http://example.org" + a + " https://elsewhere:8" + b;
  talk({{post("Upload-Concat: " + value),
         "201\nLocation: http://example.org/files/*\n!Upload-Offset"},
        {head(), "200\nUpload-Offset: 16\nUpload-Length: 16\nUpload-Concat: " + value},
        {"DELETE " + a, "204"},
        {"DELETE " + b, "204"},
        {head(), "200\nUpload-Offset: 16\nUpload-Length: 16\nUpload-Concat: " + value}});
  expect_stored("worldhello world");
}

// [CONCAT-74] [CREATE-48]
TEST_P(Conformance, a_final_upload_is_not_written_to) {
  const std::string refused =
      "403\n!Location\n\nERR_MODIFY_FINAL: modifying a final upload is not allowed\n";
  const auto a = made(partial + "5", "hello");
  talk({{post_content("Upload-Concat: final;" + a), whole("more"), refused},
        {post_content("Upload-Concat: final;" + a), chunks("more"), refused},
        {post("Upload-Concat: final;" + a), "201"},
        {patch(5), whole("more"), refused},
        {patch(5), chunks(""), refused},
        {patch(5), refused},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5"}});
  expect_stored("hello");
  talk({{post("Upload-Concat: final;" + a), whole("not its content"), "201"}});
  expect_stored("hello");
}

// [CONCAT-70] [CONCAT-79] [CONCAT-80] [CONCAT-82]
TEST_P(Conformance, creations_of_final_uploads_that_are_refused) {
  const auto a = made(partial + "5", "hello");
  const auto ordinary = made("Upload-Length: 5", "hello");
  talk({{post("Upload-Concat: final;" + a + " /files/no-such-upload"), not_found},
        {post("Upload-Concat: final;" + ordinary), invalid},
        {post("Upload-Concat: final;" + a + " /elsewhere/a"), invalid},
        {post("Upload-Concat: final;/files/../a"), invalid},
        {post("Upload-Concat: final;/files/%2e%2e%2fetc"), invalid},
        {post("Upload-Concat: final;" + a.substr(1)), invalid},
        {post("Upload-Concat: final;"), invalid},
        {post("Upload-Concat: finally"), invalid},
        {post("Upload-Concat: Partial\nUpload-Length: 5"), invalid},
        {post("Upload-Concat: final;" + a + "\nUpload-Length: 5"), bad_length},
        {post("Upload-Concat: final;" + a + "\nUpload-Defer-Length: 1"), bad_length},
        {post("Upload-Concat: final;" + a + "\nUpload-Concat: final;" + a),
         "400\n!Location\n\nERR_INVALID_REQUEST: invalid request\n"},
        {post("Upload-Concat: final;" + a), "201"},
        {post("Upload-Concat: final;{}"), invalid}});
}

// [CONCAT-71]
TEST_P(Conformance, a_final_upload_of_unfinished_parts) {
  const auto a = made(partial + "5", "hel");
  const auto b = made("Upload-Concat: partial\nUpload-Defer-Length: 1", "wor");
  const auto content = "\nContent-Type: application/offset+octet-stream\nUpload-Offset: 3";
  talk(
      {{post("Upload-Concat: final;" + a + " " + b), "201"},
       {head(), "200\n!Upload-Offset\n!Upload-Length\n!Upload-Defer-Length\nUpload-Concat: final;" +
                    a + " " + b},
       {"PATCH " + b + content + "\nUpload-Length: 5", whole("l"), "204\nUpload-Offset: 4"},
       {head(), "200\n!Upload-Offset\nUpload-Length: 10"},
       {"PATCH " + a + content, whole("lo"), "204\nUpload-Offset: 5"},
       {head(), "200\n!Upload-Offset\nUpload-Length: 10"},
       {patch(0), whole("x"), "403"},
       {"PATCH " + b + "\nContent-Type: application/offset+octet-stream\nUpload-Offset: 4",
        whole("d"), "204\nUpload-Offset: 5"},
       {head(), "200\nUpload-Offset: 10\nUpload-Length: 10"}});
  expect_stored("helloworld");
}

// [CONCAT-85]
TEST_P(Conformance, a_part_that_goes_too_early) {
  const auto a = made(partial + "5", "hel");
  talk({{post("Upload-Concat: final;" + a), "201"},
        {"DELETE " + a, "204"},
        {head(), "410\n!Upload-Offset"},
        {patch(0), whole("x"), "403"},
        {"DELETE {}", "204"},
        {head(), "404"}});
}

// [CONCAT-80]
TEST_P(Conformance, the_limit_of_a_final_upload) {
  options.max_size = 8;
  const std::string too_large = "413\n!Location\n\nERR_MAX_SIZE_EXCEEDED: maximum size exceeded\n";
  const auto a = made(partial + "5", "hello");
  const auto b = made(partial + "3", "abc");
  talk({{post("Upload-Concat: final;" + a + " " + a), too_large},
        {post("Upload-Concat: final;" + b + " " + a), "201"},
        {head(), "200\nUpload-Offset: 8\nUpload-Length: 8"}});
  expect_stored("abchello");
}

// [CONCAT-81]
TEST_P(Conformance, a_final_upload_of_nothing) {
  const auto none = made(partial + "0", "");
  talk({{post("Upload-Concat: final;" + none + " " + none), "201"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 0"}});
  expect_stored("");
}

// [CONCAT-72]
TEST_P(Conformance, metadata_of_a_final_upload) {
  const auto a = made(partial + "1\nUpload-Metadata: name YQ==", "a");
  talk({{post("Upload-Concat: final;" + a), "201"},
        {head(), "200\n!Upload-Metadata"},
        {post("Upload-Concat: final;" + a + "\nUpload-Metadata: name Yg=="), "201"},
        {head(), "200\nUpload-Metadata: name Yg=="}});
}

// [CONCAT-92] [ERR-6]
TEST_P(Conformance, concatenation_that_is_switched_off) {
  options.concatenation = false;
  const std::string refused =
      "400\n!Location\n\n"
      "ERR_CONCATENATION_UNSUPPORTED: Upload-Concat header is not supported by server\n";
  talk({{"OPTIONS /files/",
         "200\nTus-Extension: "
         "creation,creation-with-upload,termination,creation-defer-length,checksum,"
         "checksum-trailer\n\n"},
        {post("Upload-Length: 5\nUpload-Concat: partial"), refused},
        {post("Upload-Concat: final;/files/a /files/b"), refused}});
}

}  // namespace
}  // namespace tus::conformance
