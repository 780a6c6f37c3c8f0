// Checksums: all of a body counts, or nothing.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

const std::string hello_sha1 = "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=";
const std::string world_sha1 = "sha1 fCEUM/AgcVl3Qeb/Wo6jR4mrv0M=";
const std::string nothing_sha1 = "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=";
const std::string in_trailer = "\nTrailer: Upload-Checksum";
const std::string mismatch =
    "\n\nERR_CHECKSUM_MISMATCH: checksum does not match the received bytes\n";
const std::string invalid = "\n\nERR_INVALID_CHECKSUM: missing or invalid Upload-Checksum\n";

std::string checked(const std::string& value) { return "\nUpload-Checksum: " + value; }
std::string trailer(const std::string& value) { return "Upload-Checksum: " + value; }

// [CHECK-55]
TEST_P(Conformance, checksums_are_advertised) {
  talk({{"OPTIONS /files/",
         "200\nTus-Checksum-Algorithm: sha1,md5,sha256,sha512,crc32,crc32c\n"
         "Tus-Extension: creation,creation-with-upload,termination,concatenation,"
         "concatenation-unfinished,creation-defer-length,checksum,checksum-trailer\n\n"}});
}

// [CHECK-56] [CHECK-57]
TEST_P(Conformance, every_algorithm) {
  const std::vector<std::string> all = {
      "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
      "md5 XUFAKrxLKna5cZ2REBfFkg==",
      "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
      "sha512 m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBH"
      "Xx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==",
      "crc32 NhCmhg==",
      "crc32c mnG7TA=="};
  for (const auto& checksum : all) {
    talk({{post("Upload-Length: 10"), "201"},
          {patch(0) + checked(checksum), whole("hello"), "204\nUpload-Offset: 5"},
          {patch(5) + in_trailer, chunks("hello", trailer(checksum)), "204\nUpload-Offset: 10"},
          {head(), "200\nUpload-Offset: 10"}});
    expect_stored("hellohello");
  }
}

// [CHECK-57] [CHECK-58] With a known length and without one.
TEST_P(Conformance, a_checksum_that_does_not_match) {
  const auto refused = "460\nUpload-Offset: 5" + mismatch;
  talk({{post("Upload-Length: 10"), "201"},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5"},
        {patch(5) + checked(hello_sha1), whole("world"), refused},
        {patch(5) + checked(hello_sha1), chunks("world"), refused},
        {patch(5) + checked(hello_sha1), chunks("hell"), refused},
        {patch(5) + checked(hello_sha1), whole(""), refused},
        {patch(5) + checked(hello_sha1), refused},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 10"},
        {patch(5) + checked(world_sha1), chunks("world"), "204\nUpload-Offset: 10"},
        {head(), "200\nUpload-Offset: 10"}});
  expect_stored("helloworld");
}

// [CHECK-57] Appends with and without a checksum follow each other.
TEST_P(Conformance, checked_and_plain_appends) {
  talk({{post("Upload-Length: 20"), "201"},
        {patch(0) + checked(hello_sha1), chunks("hello"), "204\nUpload-Offset: 5"},
        {patch(5), chunks("world"), "204\nUpload-Offset: 10"},
        {patch(10) + checked(hello_sha1), chunks("XXXXX"), "460\nUpload-Offset: 10" + mismatch},
        {patch(10), whole("hello"), "204\nUpload-Offset: 15"},
        {patch(15) + checked(nothing_sha1), whole(""), "204\nUpload-Offset: 15"},
        {patch(15) + checked(nothing_sha1), chunks(""), "204\nUpload-Offset: 15"},
        {patch(15) + checked(world_sha1), whole("world"), "204\nUpload-Offset: 20"}});
  expect_stored("helloworldhelloworld");
}

// [CHECK-58] [CHECK-59] Before the body is read; what the head says comes before what the upload says.
TEST_P(Conformance, checksums_that_are_none) {
  const auto refused = "400\n!Upload-Offset" + invalid;
  talk(
      {{post("Upload-Length: 10"), "201"},
       {patch(0) + checked("sha1"), whole("hello"), refused},
       {patch(0) + checked("sha1 qvTGH"), whole("hello"), refused},
       {patch(0) + checked("md5 " + hello_sha1.substr(5)), whole("hello"), refused},
       {patch(0) + checked(""), whole("hello"), refused},
       {patch(0) + checked(hello_sha1) + in_trailer, chunks("hello", trailer(hello_sha1)), refused},
       {patch(0) + checked("sha0 qvTGHdzF6KLavt4PO0gs2a6pQ00="), whole("hello"),
        "400\nTus-Checksum-Algorithm: sha1,*\n\n"
        "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED: unsupported checksum algorithm\n"},
       {head(), "200\nUpload-Offset: 0"}});
  expect_stored("");
}

// [CHECK-58] [CHECK-61]
TEST_P(Conformance, trailers) {
  const auto refused = "400\nUpload-Offset: 0" + invalid;
  talk({{post("Upload-Length: 10"), "201"},
        {patch(0) + in_trailer, chunks("hello"), refused},
        {patch(0) + in_trailer, chunks("hello", "X-Other: 1"), refused},
        {patch(0) + in_trailer, whole("hello"), refused},
        {patch(0) + in_trailer, whole(""), refused},
        {patch(0) + in_trailer, refused},
        {patch(0) + in_trailer, chunks("hello", trailer("sha1 x")), refused},
        {patch(0) + in_trailer, chunks("hello", trailer("sha0 x")),
         "400\nUpload-Offset: 0\n\n"
         "ERR_CHECKSUM_ALGORITHM_UNSUPPORTED: unsupported checksum algorithm\n"},
        {patch(0) + checked(hello_sha1), chunks("hello", trailer(hello_sha1)), refused},
        {patch(0) + in_trailer, chunks("hello", trailer(world_sha1)),
         "460\nUpload-Offset: 0" + mismatch},
        {head(), "200\nUpload-Offset: 0"},
        {patch(0) + in_trailer, chunks("hello", trailer(hello_sha1)), "204\nUpload-Offset: 5"},
        {patch(5) + in_trailer, chunks("", trailer(nothing_sha1)), "204\nUpload-Offset: 5"}});
  expect_stored("hello");
}

// [CHECK-60] What could not be checked counts for nothing.
TEST_P(Conformance, checked_bodies_that_break_off_or_go_on) {
  const std::string broken = "\n\nERR_UNEXPECTED_EOF: server expected to receive more bytes\n";
  const std::string too_long = "\n\nERR_UPLOAD_SIZE_EXCEEDED: upload's size exceeded\n";
  talk({{post("Upload-Length: 20"), "201"},
        {patch(0) + checked(hello_sha1), cut("hello"), "500\nUpload-Offset: 0" + broken},
        {patch(0) + in_trailer, cut("hello"), "500\nUpload-Offset: 0" + broken},
        {head(), "200\nUpload-Offset: 0"},
        {patch(0), whole("0123456789abcde"), "204\nUpload-Offset: 15"},
        {patch(15) + checked(hello_sha1), chunks("hello!"), "413\nUpload-Offset: 15" + too_long},
        {patch(15) + checked(hello_sha1), whole("hello!"), "413\nUpload-Offset: 15" + too_long},
        {head(), "200\nUpload-Offset: 15"},
        {patch(15) + checked(hello_sha1), chunks("hello"), "204\nUpload-Offset: 20"}});
  expect_stored("0123456789abcdehello");
}

// [CHECK-57] [CHECK-58] [CREATE-41] The declared length counts with the bytes, or not at all.
TEST_P(Conformance, a_checked_append_that_declares_the_length) {
  talk({{post("Upload-Defer-Length: 1"), "201"},
        {patch(0) + "\nUpload-Length: 5" + checked(world_sha1), chunks("hello"),
         "460\nUpload-Offset: 0" + mismatch},
        {head(), "200\nUpload-Offset: 0\nUpload-Defer-Length: 1\n!Upload-Length"},
        {patch(0) + "\nUpload-Length: 5" + checked(hello_sha1), chunks("hello"),
         "204\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5\nUpload-Length: 5\n!Upload-Defer-Length"}});
  expect_stored("hello");
}

// [CHECK-57] [CHECK-58] [CORE-29]
TEST_P(Conformance, a_checked_patch_of_a_complete_upload) {
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0) + checked(hello_sha1), whole("hello"), "204\nUpload-Offset: 5"},
        {patch(5) + checked(nothing_sha1), whole(""), "204\nUpload-Offset: 5"},
        {patch(5) + in_trailer, chunks("", trailer(nothing_sha1)), "204\nUpload-Offset: 5"},
        {patch(5) + checked(hello_sha1), whole(""), "460\nUpload-Offset: 5" + mismatch},
        {patch(5) + checked(hello_sha1), chunks(""), "460\nUpload-Offset: 5" + mismatch},
        {patch(5) + in_trailer, chunks(""), "400\nUpload-Offset: 5" + invalid},
        {patch(5) + checked(hello_sha1), whole("hello"), "413\nUpload-Offset: 5"},
        {patch(0) + checked(hello_sha1), whole("hello"), "409\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5"}});
  expect_stored("hello");
}

// [DIGEST-1]
TEST_P(Conformance, digests_of_whole_uploads) {
  options.digest = WholeDigest::sha256;
  const std::string told = "\nRepr-Digest: sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
  talk({{post("Upload-Length: 5"), "201"},
        {patch(0), whole("he"), "204\nUpload-Offset: 2"},
        {head(), "200\nUpload-Offset: 2\n!Repr-Digest"},
        {patch(2), chunks("lXX!"), "413\nUpload-Offset: 4"},
        {post("Upload-Defer-Length: 1"), "201"},
        {patch(0), chunks("he"), "204\nUpload-Offset: 2"},
        {patch(2), cut("l"), "500\nUpload-Offset: 3"},
        {patch(3) + "\nUpload-Length: 5", whole("lo"), "204\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5" + told},
        {post_content("Upload-Length: 5"), whole("hello"), "201\nUpload-Offset: 5"},
        {head(), "200" + told},
        {post_content("Upload-Length: 5" + checked(hello_sha1)), chunks("hello"),
         "201\nUpload-Offset: 5"},
        {head(), "200" + told}});
}

// [CHECK-62] The upload is made, with its URL in the answer, and has no content.
TEST_P(Conformance, creations_with_a_checksum) {
  const std::string empty = "\nLocation: http://example.org/files/*\nUpload-Offset: 0";
  talk({{post_content("Upload-Length: 5" + checked(hello_sha1)), whole("hello"),
         "201\nUpload-Offset: 5"},
        {head(), "200\nUpload-Offset: 5"},
        {post_content("Upload-Length: 5" + in_trailer), chunks("hello", trailer(hello_sha1)),
         "201\nUpload-Offset: 5"},
        {post_content("Upload-Length: 5" + checked(world_sha1)), whole("hello"),
         "460" + empty + mismatch},
        {head(), "200\nUpload-Offset: 0"},
        {post_content("Upload-Length: 5" + checked(world_sha1)), chunks("hello"),
         "460" + empty + mismatch},
        {head(), "200\nUpload-Offset: 0"},
        {post_content("Upload-Defer-Length: 1" + in_trailer), chunks("hello"),
         "400" + empty + invalid},
        {post_content("Upload-Length: 20" + checked(hello_sha1)), cut("hello"), "500" + empty},
        {head(), "200\nUpload-Offset: 0"},
        {patch(0) + checked(hello_sha1), chunks("hello"), "204\nUpload-Offset: 5"}});
  expect_stored("hello");
}

// [CHECK-62] An upload without any bytes would be finished by a creation that is refused.
TEST_P(Conformance, creations_of_nothing_with_a_checksum) {
  talk({{post_content("Upload-Length: 0" + checked(nothing_sha1)), whole(""),
         "201\nUpload-Offset: 0"},
        {post_content("Upload-Length: 0" + in_trailer), chunks("", trailer(nothing_sha1)),
         "201\nUpload-Offset: 0"},
        {post_content("Upload-Length: 0" + checked(hello_sha1)), whole(""),
         "460\n!Location" + mismatch},
        {post_content("Upload-Length: 0" + checked(hello_sha1)), chunks(""),
         "460\n!Location" + mismatch},
        {post_content("Upload-Length: 0" + in_trailer), chunks(""), "400\n!Location" + invalid},
        {post("Upload-Length: 5" + checked(nothing_sha1)), "415\n!Location"}});
}

}  // namespace
}  // namespace tus::conformance
