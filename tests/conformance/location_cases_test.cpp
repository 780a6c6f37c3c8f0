// Where clients are told that their upload is: behind proxies, under several names, and for whoever lies.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

// A creation with these fields, and its Location.
Step located(const std::string& fields, const std::string& location) {
  return {"POST /files/\nUpload-Length: 5\n" + fields, "201\nLocation: " + location + "*"};
}

// [PROXY-1]
TEST_P(Conformance, a_proxy_is_not_believed_unless_there_is_one) {
  talk(
      {located("X-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\n"
               "X-Forwarded-Prefix: /evil\nForwarded: host=evil.example;proto=https",
               "http://example.org/files/")});
}

// [PROXY-2] [PROXY-3] [PROXY-4] [PROXY-5] [PROXY-6]
TEST_P(Conformance, behind_a_proxy) {
  options.location.behind_proxy = true;
  origin.clear();
  talk({located("X-Forwarded-Host: u.example:443\nX-Forwarded-Proto: https",
                "https://u.example/files/"),
        located("X-Forwarded-Host: u.example, b\nX-Forwarded-Prefix: /media",
                "http://u.example/media/files/"),
        located("X-Forwarded-Host: x\nForwarded: host=\"[2001:db8::1]:81\";proto=https, host=b",
                "https://[2001:db8::1]:81/files/"),
        located("Forwarded: for=_hidden;by=unknown;proto=https", "https://example.org/files/"),
        located("Forwarded: host=\"evil", "http://example.org/files/"),
        located("Forwarded: host=\"a, b\"", "http://example.org/files/"),
        located("X-Forwarded-Host: evil.example/x?", "http://example.org/files/"),
        located("X-Forwarded-Prefix: //evil.example", "http://example.org/files/"),
        located("Host: example.org:80", "http://example.org/files/")});
  // What was told can be gone on with.
  talk({located("X-Forwarded-Prefix: /media", "http://example.org/media/files/"),
        {patch(0), whole("12345"), "204\nUpload-Offset: 5"}});
  expect_stored("12345");
}

// [PROXY-7]
TEST_P(Conformance, relative_locations) {
  options.location.relative = true;
  origin.clear();
  talk({located("Host: evil.example", "/files/"), {patch(0), whole("12345"), "204"}});
  expect_stored("12345");
}

// [PROXY-8] [HTTP-33]
TEST_P(Conformance, hosts_that_may_be_told) {
  options.location.allowed_hosts = {"example.org", "*.example.net:8443"};
  origin.clear();
  talk({located("Host: EXAMPLE.org", "http://EXAMPLE.org/files/"),
        located("Host: up.example.net:8443", "http://up.example.net:8443/files/"),
        located("Host: up.example.net", "/files/"), located("Host: evil.example", "/files/"),
        located("Host: example.org.evil.example", "/files/")});
}

// [PROXY-9]
TEST_P(Conformance, a_whole_url_as_base) {
  options.location.origin = "https://u.example";
  origin = options.location.origin;
  talk({located("Host: evil.example", "https://u.example/files/"),
        {patch(0), whole("12345"), "204"}});
  expect_stored("12345");
}

// [PROXY-10]
TEST_P(Conformance, parts_behind_a_prefix) {
  options.location.behind_proxy = true;
  origin.clear();
  const std::string prefix = "X-Forwarded-Prefix: /media\n";
  const auto part = made("Upload-Length: 3\n" + prefix + "Upload-Concat: partial", "abc");
  talk({{post(prefix + "Upload-Concat: final;https://u.example/media" + part),
         "201\nLocation: http://example.org/media/files/*"},
        {head(), "200\nUpload-Length: 3"}});
  expect_stored("abc");
}

}  // namespace
}  // namespace tus::conformance
