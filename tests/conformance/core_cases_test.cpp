// Core protocol: HEAD, PATCH, OPTIONS and versions.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

// [CORE-9] [CORE-10] [CORE-12] [CORE-14] [CORE-18] [CORE-19]
TEST_P(Conformance, an_upload_in_three_pieces) {
  talk({{post("Upload-Length: 11"), "201\nLocation: http://example.org/files/*\n!Upload-Offset"},
        {head(), "200\nUpload-Offset: 0\nUpload-Length: 11\n!Upload-Defer-Length"},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5\n!Location"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 11"},
        {patch(5), whole(""), "204\nUpload-Offset: 5"},
        {patch(5), chunks(" worl"), "204\nUpload-Offset: 10"},
        {patch(10), whole("d"), "204\nUpload-Offset: 11"},
        {head(), "200\nUpload-Offset: 11\nUpload-Length: 11"}});
  expect_stored("hello world");
}

// [CORE-14] Without any body the request changes nothing and tells the offset.
TEST_P(Conformance, a_patch_without_a_body) {
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), "204\nUpload-Offset: 0"},
        {patch(0), chunks(""), "204\nUpload-Offset: 0"},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5"}});
  expect_stored("hello");
}

// [CORE-2] [CORE-3] [CORE-4]
TEST_P(Conformance, versions) {
  const std::string refused =
      "412\nTus-Version: 1.0.0\n!Upload-Offset\n!Location\n\n"
      "ERR_UNSUPPORTED_VERSION: missing, invalid or unsupported Tus-Resumable header\n";
  talk({{post("Upload-Length: 5\n-Tus-Resumable"), refused},
        {post("Upload-Length: 5\nTus-Resumable: 0.2.2"), refused},
        {post("Upload-Length: 5"), "201"},
        {patch(0) + "\n-Tus-Resumable", whole("hello"), refused},
        {patch(0) + "\nTus-Resumable: 1.0.1", whole("hello"), refused},
        {patch(0) + "\nTus-Resumable: 1.0.1", chunks("hello"), refused},
        {"DELETE {}\n-Tus-Resumable", refused},
        {"DELETE {}\nTus-Resumable: 2", refused},
        {"HEAD {}\nTus-Resumable: 2", "412\n!Upload-Offset\n\n"},
        {"HEAD {}\n-Tus-Resumable", "200\nUpload-Offset: 0"}});
  expect_stored("");
}

// [CORE-5] [CORE-6] [CORE-7] [CORE-23] [CORE-24] [CORE-25] [CREATE-30] [CREATE-43] [TERM-63]
TEST_P(Conformance, options) {
  options.max_size = 1000;
  const std::string answer =
      "200\nTus-Version: 1.0.0\nTus-Max-Size: 1000\n"
      "Tus-Extension: creation,creation-with-upload,termination,concatenation,"
      "concatenation-unfinished,creation-defer-length,checksum,checksum-trailer\n\n";
  talk({{"OPTIONS /files/", answer},
        {"OPTIONS /files", answer},
        {"OPTIONS /files/no-such-upload\n-Tus-Resumable", answer},
        {"OPTIONS /files/\nTus-Resumable: 9.9.9", answer},
        {"OPTIONS /files/\nTus-Resumable: 1\nTus-Resumable: 2", answer},
        {"POST /files/\nX-HTTP-Method-Override: OPTIONS", answer}});
}

// [CORE-7]
TEST_P(Conformance, options_without_a_limit) { talk({{"OPTIONS /files/", "200\n!Tus-Max-Size"}}); }

// [CORE-8]
TEST_P(Conformance, method_override) {
  const std::string as_patch = "\nX-HTTP-Method-Override: PATCH";
  const std::string content = "{}\nContent-Type: application/offset+octet-stream\nUpload-Offset: ";
  talk({{post("Upload-Length: 5"), "201"},
        {"POST " + content + "0" + as_patch, whole("he"), "204\nUpload-Offset: 2"},
        {"DELETE " + content + "2" + as_patch, whole("l"), "204\nUpload-Offset: 3"},
        {"PUT " + content + "3" + as_patch, chunks("lo"), "204\nUpload-Offset: 5"},
        {"POST {}\nX-HTTP-Method-Override: HEAD", "200\nUpload-Offset: 5\nUpload-Length: 5"},
        {"POST {}\nX-HTTP-Method-Override: head", "501"},
        {"POST {}\nX-HTTP-Method-Override: DELETE\nX-HTTP-Method-Override: DELETE", "400"},
        {"POST {}\nX-HTTP-Method-Override: DELETE", "204"},
        {head(), "404"}});
}

// [CORE-11] [CORE-20]
TEST_P(Conformance, uploads_that_do_not_exist) {
  const std::string refused = "404\n!Upload-Offset\n\nERR_UPLOAD_NOT_FOUND: upload not found\n";
  talk({{"HEAD /files/nothing", "404\n!Upload-Offset\n!Upload-Length\n\n"},
        {"PATCH /files/nothing\nUpload-Offset: 0\nContent-Type: application/offset+octet-stream",
         whole("hello"), refused},
        {"DELETE /files/nothing", refused}});
}

// [CORE-15]
TEST_P(Conformance, content_types_of_a_patch) {
  const std::string refused =
      "415\nAccept-Patch: application/offset+octet-stream\n\n"
      "ERR_INVALID_CONTENT_TYPE: missing or invalid Content-Type header\n";
  const std::string at = "PATCH {}\nUpload-Offset: ";
  talk({{post("Upload-Length: 9"), "201"},
        {at + "0", whole("xxx"), refused},
        {at + "0\nContent-Type: application/octet-stream", whole("xxx"), refused},
        {at + "0\nContent-Type: ", whole("xxx"), refused},
        {at + "0\nContent-Type: Application/Offset+Octet-Stream", whole("abc"),
         "204\nUpload-Offset: 3"},
        {at + "3\nContent-Type: application/offset+octet-stream; charset=utf-8", whole("def"),
         "204\nUpload-Offset: 6"}});
  expect_stored("abcdef");
}

// [CORE-16]
TEST_P(Conformance, another_offset_changes_nothing) {
  const auto refused = [](int offset) {
    return "409\nUpload-Offset: " + std::to_string(offset) +
           "\n\nERR_MISMATCHED_OFFSET: mismatched offset\n";
  };
  talk({{post("Upload-Length: 5"), "201"},
        {patch(1), whole("xxx"), refused(0)},
        {patch(0), whole("abc"), "204\nUpload-Offset: 3"},
        {patch(0), whole("xxx"), refused(3)},
        {patch(4), chunks("xxx"), refused(3)},
        {patch(2), whole(""), refused(3)},
        {patch(9223372036854775807u), whole("x"), refused(3)},
        {head(), "200\nUpload-Offset: 3"},
        {patch(3), whole("de"), "204\nUpload-Offset: 5"},
        {patch(3), whole("xx"), refused(5)}});
  expect_stored("abcde");
}

// [CORE-17] [CORE-26] [GRAM-1]
TEST_P(Conformance, offsets_that_are_none) {
  const std::string refused =
      "400\n!Upload-Offset\n\nERR_INVALID_OFFSET: missing or invalid Upload-Offset header\n";
  const std::string request = "PATCH {}\nContent-Type: application/offset+octet-stream";
  talk({{post("Upload-Length: 5"), "201"},
        {request, whole("xx"), refused},
        {request + "\nUpload-Offset: +0", whole("xx"), refused},
        {request + "\nUpload-Offset: -0", whole("xx"), refused},
        {request + "\nUpload-Offset: 0x0", whole("xx"), refused},
        {request + "\nUpload-Offset: 0,0", whole("xx"), refused},
        {request + "\nUpload-Offset: zero", whole("xx"), refused},
        {request + "\nUpload-Offset: 9223372036854775808", whole("xx"), refused}});
  expect_stored("");
}

// [CORE-27] [HTTP-27]
TEST_P(Conformance, a_body_that_is_known_to_be_too_long) {
  const std::string refused = "\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n";
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), whole("123456"), "413\nUpload-Offset: 0" + refused},
        {patch(0), whole("123"), "204\nUpload-Offset: 3"},
        {patch(3), whole("456"), "413\nUpload-Offset: 3" + refused},
        {head(), "200\nUpload-Offset: 3"},
        {patch(3), whole("45"), "204\nUpload-Offset: 5"}});
  expect_stored("12345");
}

// [CORE-28] Nothing of the excess counts, and the upload does not look complete because of it.
TEST_P(Conformance, a_body_that_turns_out_to_be_too_long) {
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), chunks("123456789"),
         "413\nUpload-Offset: 4\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n"},
        {head(), "200\nUpload-Offset: 4\nUpload-Length: 5"},
        {patch(4), chunks("5"), "204\nUpload-Offset: 5"}});
  expect_stored("12345");
}

// [CORE-28] The same where no byte at all has room: neither the length nor the finish may come of it.
TEST_P(Conformance, a_body_that_may_bring_nothing) {
  const std::string too_long = "\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n";
  talk({{post("Upload-Defer-Length: 1"), "201"},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5"},
        {patch(5) + "\nUpload-Length: 5", chunks("abc"), "413\nUpload-Offset: 5" + too_long},
        {head(), "200\nUpload-Offset: 5\nUpload-Defer-Length: 1\n!Upload-Length"},
        {patch(5) + "\nUpload-Length: 5", chunks(""), "204\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5"}});
  expect_stored("hello");
}

// [CORE-29]
TEST_P(Conformance, a_patch_of_a_complete_upload) {
  const std::string too_long =
      "413\nUpload-Offset: 5\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n";
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5"},
        {patch(5), "204\nUpload-Offset: 5"},
        {patch(5), whole(""), "204\nUpload-Offset: 5"},
        {patch(5), chunks(""), "204\nUpload-Offset: 5"},
        {patch(5), whole("x"), too_long},
        {patch(5), chunks("x"), too_long}});
  expect_stored("hello");
}

// [CORE-22] [ERR-4]
TEST_P(Conformance, what_arrived_of_a_body_that_is_cut_is_kept) {
  const std::string broken = "\n\nERR_UNEXPECTED_EOF: server expected to receive more bytes\n";
  talk({{post("Upload-Length: 40"), "201"},
        {patch(0), cut("0123456"), "500\nUpload-Offset: 7" + broken},
        {head(), "200\nUpload-Offset: 7"},
        {patch(7), cut(""), "500\nUpload-Offset: 7" + broken},
        {patch(7), whole("789"), "204\nUpload-Offset: 10"}});
  expect_stored("0123456789");
}

// [TERM-64] [TERM-65]
TEST_P(Conformance, termination) {
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), whole("he"), "204"},
        {"DELETE {}", "204\n!Upload-Offset"},
        {head(), "404\n!Upload-Offset"},
        {patch(2), whole("llo"), "404"},
        {"DELETE {}", "404"},
        {post_content("Upload-Length: 5"), whole("hello"), "201\nUpload-Offset: 5"},
        {"DELETE {}", "204"},
        {head(), "404"}});
}

}  // namespace
}  // namespace tus::conformance
