// Creation: lengths, limits, metadata, deferred length, content in the creation.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

const std::string bad_length =
    "400\n!Location\n\nERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header\n";
const std::string above_limit = "\n\nERR_MAX_SIZE_EXCEEDED: maximum size exceeded\n";

// [CREATE-31] [CREATE-36]
TEST_P(Conformance, creation) {
  talk({{"POST /files/\nUpload-Length: 5", "201\nLocation: http://example.org/files/*"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 5\n!Upload-Metadata\n!Upload-Concat"},
        {"POST /files\nUpload-Length: 5", "201\nLocation: http://example.org/files/*"},
        {"POST /files/?a=b\nUpload-Length: 5", "201\nLocation: http://example.org/files/*"},
        {post("Upload-Length: 0"), "201"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 0"},
        {post("Upload-Length: 9223372036854775807"), "201"},
        {head(), "200\nUpload-Length: 9223372036854775807"}});
}

// [CREATE-32] [CREATE-33] [CREATE-34] [CORE-26] [GRAM-1]
TEST_P(Conformance, creations_without_a_valid_length) {
  const std::string bad_defer =
      "400\n!Location\n\nERR_INVALID_UPLOAD_LENGTH_DEFER: invalid Upload-Defer-Length header\n";
  talk({{"POST /files/", bad_length},
        {post("Upload-Length: +5"), bad_length},
        {post("Upload-Length: -5"), bad_length},
        {post("Upload-Length: five"), bad_length},
        {post("Upload-Length: 5, 5"), bad_length},
        {post("Upload-Length: 9223372036854775808"), bad_length},
        {post("Upload-Defer-Length: 2"), bad_defer},
        {post("Upload-Defer-Length: true"), bad_defer},
        {post("Upload-Length: 5\nUpload-Defer-Length: 1"),
         "400\n\nERR_AMBIGUOUS_UPLOAD_LENGTH: provided both Upload-Length and "
         "Upload-Defer-Length\n"}});
}

// [CREATE-35]
TEST_P(Conformance, the_limit) {
  options.max_size = 8;
  talk({{post("Upload-Length: 9"), "413\n!Location" + above_limit},
        {post_content("Upload-Length: 9"), whole("123456789"), "413\n!Location" + above_limit},
        {post("Upload-Length: 8"), "201"},
        {patch(0), whole("12345678"), "204\nUpload-Offset: 8"}});
  expect_stored("12345678");
}

// [CREATE-35] Every way around the limit of an upload whose length is not known.
TEST_P(Conformance, the_limit_of_a_deferred_length) {
  options.max_size = 8;
  talk(
      {{post_content("Upload-Defer-Length: 1"), whole("123456789"), "413\n!Location" + above_limit},
       {post("Upload-Defer-Length: 1"), "201"},
       {patch(0), whole("123456789"), "413\nUpload-Offset: 0" + above_limit},
       {patch(0) + "\nUpload-Length: 9", whole("123"), "413\nUpload-Offset: 0" + above_limit},
       {patch(0), whole("123"), "204\nUpload-Offset: 3"},
       {patch(3), whole("456789"), "413\nUpload-Offset: 3" + above_limit},
       {patch(3), chunks("456789abc"), "413\nUpload-Offset: 7" + above_limit},
       {patch(7) + "\nUpload-Length: 8", whole("8"), "204\nUpload-Offset: 8"}});
  expect_stored("12345678");
}

// [CREATE-40] [CREATE-41] [CREATE-42]
TEST_P(Conformance, a_length_that_is_told_later) {
  const std::string refused =
      "400\nUpload-Offset: 3\n\n"
      "ERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header\n";
  talk({{post("Upload-Defer-Length: 1"), "201"},
        {head(), "200\nUpload-Offset: 0\nUpload-Defer-Length: 1\n!Upload-Length"},
        {patch(0), whole("abc"), "204\nUpload-Offset: 3"},
        {head(), "200\nUpload-Offset: 3\nUpload-Defer-Length: 1\n!Upload-Length"},
        {patch(3) + "\nUpload-Length: 2", whole(""), refused},
        {patch(3) + "\nUpload-Length: 6", whole("d"), "204\nUpload-Offset: 4"},
        {head(), "200\nUpload-Offset: 4\nUpload-Length: 6\n!Upload-Defer-Length"},
        {patch(4) + "\nUpload-Length: 6", whole("e"), "204\nUpload-Offset: 5"},
        {patch(5) + "\nUpload-Length: 7", whole("f"),
         "400\nUpload-Offset: 5\n\n"
         "ERR_INVALID_UPLOAD_LENGTH: missing or invalid Upload-Length header\n"},
        {patch(5), whole("f"), "204\nUpload-Offset: 6"},
        {head(), "200\nUpload-Offset: 6\nUpload-Length: 6"}});
  expect_stored("abcdef");
}

// [CREATE-41] The end of a stream is told with an empty body.
TEST_P(Conformance, a_length_that_is_told_at_the_end) {
  talk({{post("Upload-Defer-Length: 1"), "201"},
        {patch(0), chunks("abcde"), "204\nUpload-Offset: 5"},
        {patch(5) + "\nUpload-Length: 5", whole(""), "204\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5\n!Upload-Defer-Length"}});
  expect_stored("abcde");
}

// [CREATE-37] [CREATE-38] [GRAM-3] [GRAM-4] [HTTP-13]
TEST_P(Conformance, metadata_comes_back_as_it_was_sent) {
  const std::string length = "Upload-Length: 5\nUpload-Metadata: ";
  for (const std::string raw :
       {"filename d29ybGQucGRm,is_private", "b Yg==,a YQ==", "b Yg== , a YQ==", "k AP8NCg==",
        "a YQ==,bad base64!,c Yw==", "a YQ==,a Yg==", "n\xc3\xa4me YQ=="}) {
    talk({{post(length + raw), "201"}, {head(), "200\nUpload-Metadata: " + raw}});
  }
  talk({{post(length + "a YQ==\nUpload-Metadata: b Yg=="), "201"},
        {head(), "200\nUpload-Metadata: a YQ==,b Yg=="}});
}

// [CREATE-45] [CREATE-46]
TEST_P(Conformance, content_in_the_creation) {
  const std::string created = "201\nLocation: http://example.org/files/*\nUpload-Offset: ";
  talk({{post_content("Upload-Length: 5"), whole("hello"), created + "5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5"}});
  expect_stored("hello");
  talk({{post_content("Upload-Length: 9"), whole("hello"), created + "5"},
        {patch(5), whole("more"), "204\nUpload-Offset: 9"}});
  expect_stored("hellomore");
  talk({{post_content("Upload-Length: 9"), chunks("hello"), created + "5"},
        {post_content("Upload-Length: 5"), chunks("hello"), created + "5"},
        {post_content("Upload-Defer-Length: 1"), whole("hello"), created + "5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Defer-Length: 1"},
        {post_content("Upload-Length: 5"), whole(""), created + "0"},
        {post_content("Upload-Length: 5"), created + "0"},
        {post_content("Upload-Length: 0"), whole(""), created + "0"}});
}

// [CREATE-46] What was created is named, even when the rest of the request failed.
TEST_P(Conformance, content_in_the_creation_that_breaks) {
  talk({{post_content("Upload-Length: 40"), cut("01234"),
         "500\nLocation: http://example.org/files/*\nUpload-Offset: 5\n\n"
         "ERR_UNEXPECTED_EOF: server expected to receive more bytes\n"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 40"},
        {patch(5), whole("56789"), "204\nUpload-Offset: 10"}});
  expect_stored("0123456789");
  talk({{post_content("Upload-Length: 5"), chunks("0123456789"),
         "413\nLocation: http://example.org/files/*\nUpload-Offset: 4\n\n"
         "ERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n"},
        {head(), "200\nUpload-Offset: 4\nUpload-Length: 5"}});
  expect_stored("0123");
}

// [CREATE-36] [CORE-28] An upload of no bytes whose creation brings some is not created.
TEST_P(Conformance, content_of_an_empty_upload) {
  const std::string too_long =
      "413\n!Location\n!Upload-Offset\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n";
  talk({{post_content("Upload-Length: 0"), whole("hello"), too_long},
        {post_content("Upload-Length: 0"), chunks("hello"), too_long},
        {post_content("Upload-Length: 0"), chunks(""),
         "201\nLocation: http://example.org/files/*\nUpload-Offset: 0"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 0"}});
  expect_stored("");
}

// [CREATE-46] [HTTP-27]
TEST_P(Conformance, content_that_is_known_to_be_too_long_creates_nothing) {
  talk({{post_content("Upload-Length: 5"), whole("0123456789"),
         "413\n!Location\n!Upload-Offset\n\n"
         "ERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n"}});
}

// [CREATE-44]
TEST_P(Conformance, a_body_of_another_type_is_not_the_uploads) {
  const std::string created = "201\nLocation: http://example.org/files/*\n!Upload-Offset";
  talk({{post("Upload-Length: 5"), whole("hello"), created},
        {head(), "200\nUpload-Offset: 0"},
        {post("Upload-Length: 5\nContent-Type: application/x-www-form-urlencoded"), whole("a=b"),
         created},
        {head(), "200\nUpload-Offset: 0"},
        {post("Upload-Length: 0\nContent-Type: text/plain"), chunks("ignored"), created},
        {head(), "200\nUpload-Offset: 0"}});
  expect_stored("");
}

}  // namespace
}  // namespace tus::conformance
