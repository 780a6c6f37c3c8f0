// The largest size of an upload, on every way that bytes and lengths can come.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

const std::string above = "\n\nERR_MAX_SIZE_EXCEEDED: maximum size exceeded\n";
const std::string deferred = "Upload-Defer-Length: 1";
const std::string partial = "Upload-Concat: partial\n";

// [LIMIT-30]
TEST_P(Conformance, the_largest_size_at_a_creation) {
  options.max_size = 8;
  talk({{post("Upload-Length: 9"), "413\n!Location" + above},
        {post("Upload-Length: 9223372036854775807"), "413\n!Location" + above},
        {post(partial + "Upload-Length: 9"), "413\n!Location" + above},
        {post_content("Upload-Length: 9"), chunks("123"), "413\n!Location" + above},
        {post_content(deferred), whole("123456789"), "413\n!Location" + above},
        {post_content(deferred), chunks("123456789"), "413\nLocation: *\nUpload-Offset: 7" + above},
        {head(), "200\nUpload-Offset: 7\nUpload-Defer-Length: 1"},
        {post_content(deferred), chunks("12345678"), "201\nUpload-Offset: 8"},
        {post_content(deferred), whole("12345678"), "201\nUpload-Offset: 8"},
        {patch(8) + "\nUpload-Length: 8", whole(""), "204\nUpload-Offset: 8"}});
  expect_stored("12345678");
}

// [LIMIT-31]
TEST_P(Conformance, the_largest_size_of_a_length_that_is_told_later) {
  options.max_size = 8;
  for (const auto& how : {deferred, partial + deferred}) {
    talk({{post(how), "201"},
          {patch(0) + "\nUpload-Length: 9", whole(""), "413\nUpload-Offset: 0" + above},
          {patch(0) + "\nUpload-Length: 9", chunks("1"), "413\nUpload-Offset: 0" + above},
          {patch(0), chunks("123"), "204\nUpload-Offset: 3"},
          {patch(3), whole("456789"), "413\nUpload-Offset: 3" + above},
          {patch(3), chunks("456789"), "413\nUpload-Offset: 7" + above},
          {patch(7), chunks("89"), "413\nUpload-Offset: 7" + above},
          {patch(7), chunks("8"), "204\nUpload-Offset: 8"},
          {patch(8), chunks("9"), "413\nUpload-Offset: 8" + above},
          {patch(8) + "\nUpload-Length: 9", whole(""), "413\nUpload-Offset: 8" + above},
          {head(), "200\nUpload-Offset: 8\nUpload-Defer-Length: 1"},
          {patch(8) + "\nUpload-Length: 8", whole(""), "204\nUpload-Offset: 8"}});
    expect_stored("12345678");
  }
}

// [LIMIT-31] Of such a body nothing counts.
TEST_P(Conformance, the_largest_size_of_checked_bytes) {
  options.max_size = 8;
  const std::string checked = "\nUpload-Checksum: crc32 NhCmhg==";  // of "hello"
  talk({{post(deferred), "201"},
        {patch(0) + checked, chunks("hello"), "204\nUpload-Offset: 5"},
        {patch(5) + checked, whole("hello"), "413\nUpload-Offset: 5" + above},
        {patch(5) + checked, chunks("hello"), "413\nUpload-Offset: 5" + above},
        {patch(5) + checked + "\nUpload-Length: 10", chunks("hello"),
         "413\nUpload-Offset: 5" + above},
        {head(), "200\nUpload-Offset: 5\nUpload-Defer-Length: 1"}});
  expect_stored("hello");
}

// [LIMIT-32] The sum when it is known at once, and when a part tells its length later.
TEST_P(Conformance, the_largest_size_of_what_is_joined) {
  options.max_size = 8;
  const auto five = made(partial + "Upload-Length: 5", "hello");
  const auto three = made(partial + "Upload-Length: 3", "abc");
  const auto late = made(partial + deferred, "");
  const auto final_of = [](const std::string& parts) {
    return post("Upload-Concat: final;" + parts);
  };
  talk({{final_of(five + " " + five), "413\n!Location" + above},
        {final_of(five + " " + three + " " + late), "201"},
        {head(), "200\n!Upload-Length\n!Upload-Offset"}});
  const std::string told = "PATCH " + late +
                           "\nUpload-Offset: 0\nUpload-Length: 1\n"
                           "Content-Type: application/offset+octet-stream";
  talk({{told, whole(""), "204\nUpload-Offset: 0"},
        {head(), "413\n!Upload-Offset"},
        {"DELETE {}", "204"},
        {final_of(three + " " + five), "201"},
        {head(), "200\nUpload-Offset: 8\nUpload-Length: 8"}});
  expect_stored("abchello");
}

}  // namespace
}  // namespace tus::conformance
