// Methods, paths and fields as HTTP sees them.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

// [HTTP-12] [HTTP-31] [ERR-1]
TEST_P(Conformance, methods_that_a_resource_does_not_have) {
  const std::string of_collection = "405\nAllow: OPTIONS, POST\n\nmethod not allowed";
  const std::string of_upload =
      "405\nAllow: OPTIONS, HEAD, GET, PATCH, DELETE\n\nmethod not allowed";
  talk({{"GET /files/", of_collection},
        {"PUT /files/", whole("x"), of_collection},
        {"DELETE /files/", of_collection},
        {"HEAD /files/", "405\nAllow: OPTIONS, POST\n\n"},
        {post("Upload-Length: 5"), "201"},
        {"PUT {}", whole("x"), of_upload},
        {"POST {}\nUpload-Length: 5", of_upload},
        {head(), "200\nUpload-Offset: 0"}});
}

// [HTTP-12]
TEST_P(Conformance, methods_that_nobody_knows) {
  const std::string refused = "501\n\nERR_NOT_IMPLEMENTED: feature not implemented\n";
  talk({{"BREW /files/", refused}, {"patch /files/a", refused}});
}

// [HTTP-13]
TEST_P(Conformance, fields_that_come_twice) {
  const std::string refused = "400\n!Location\n\nERR_INVALID_REQUEST: invalid request\n";
  talk({{post("Upload-Length: 5\nUpload-Length: 5"), refused},
        {post("Upload-Length: 5\nUpload-Length: 6"), refused},
        {post("Upload-Length: 5\nTus-Resumable: 1.0.0\nTus-Resumable: 1.0.0"), refused},
        {post("Upload-Length: 5"), "201"},
        {patch(0) + "\nUpload-Offset: 0", whole("hello"), refused},
        {patch(0) + "\nContent-Type: application/offset+octet-stream", whole("hello"), refused},
        {head(), "200\nUpload-Offset: 0"}});
}

// [HTTP-14]
TEST_P(Conformance, ids_that_no_upload_can_have) {
  const std::string refused = "404\n!Upload-Offset\n\nERR_UPLOAD_NOT_FOUND: upload not found\n";
  for (const std::string id :
       {"..%2f..%2fetc%2fpasswd", "%2e%2e/passwd", "a%2Fb", "a%5cb", "a%00", "a%0d%0aX:y", "a%",
        "a.info", "a.lock", ".tusd/x", "a//b", "a/", "%252e%252e", "%c3%a4"}) {
    const std::string path = "/files/" + id;
    talk({{"HEAD " + path, "404\n!Upload-Offset\n\n"},
          {"DELETE " + path, refused},
          {"PATCH " + path + "\nUpload-Offset: 0\nContent-Type: application/offset+octet-stream",
           whole("x"), refused}});
  }
}

// [HTTP-14]
TEST_P(Conformance, a_path_may_be_encoded_and_have_a_query) {
  talk({{post("Upload-Length: 5"), "201"}, {"HEAD {}?x=/../y", "200\nUpload-Offset: 0"}});
}

// [CREATE-31] The host that the client used is the one it can reach.
TEST_P(Conformance, the_location_follows_the_host) {
  talk(
      {{post("Upload-Length: 5\nHost: example.org"), "201\nLocation: http://example.org/files/*"}});
}

}  // namespace
}  // namespace tus::conformance
