#include "protocol/public_url.h"

#include "protocol/tus_v1.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tus::protocol {
namespace {

using testing::request_from_text;

std::string url(const std::string& fields, const LocationOptions& options) {
  const auto head = request_from_text("POST /files/\n" + fields);
  return public_url(head, options, "/files/", *UploadId::parse("a"));
}

LocationOptions behind_proxy() {
  LocationOptions options;
  options.behind_proxy = true;
  return options;
}

std::string proxied(const std::string& fields) { return url(fields, behind_proxy()); }

LocationOptions allowing(std::vector<std::string> hosts) {
  LocationOptions options;
  options.allowed_hosts = std::move(hosts);
  return options;
}

// [PROXY-1] Without the option nobody is believed.
TEST(public_url, headers_of_a_proxy_are_nothing_unless_asked_for) {
  EXPECT_EQ(url("X-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\nX-Forwarded-Prefix: /x\n"
                "Forwarded: host=evil.example;proto=https\n",
                {}),
            "http://example.org/files/a");
  EXPECT_EQ(url("Host: h:80\n", {}), "http://h:80/files/a") << "and the port stays";
}

// [PROXY-2]
TEST(public_url, x_forwarded) {
  EXPECT_EQ(proxied(""), "http://example.org/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: u.example\n"), "http://u.example/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Proto: https\n"), "https://example.org/files/a");
  EXPECT_EQ(proxied("x-forwarded-host: u.example:8443\nx-forwarded-proto: HTTPS\n"),
            "https://u.example:8443/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: [2001:db8::1]:8080\n"), "http://[2001:db8::1]:8080/files/a");
}

// [PROXY-2] The first of several is the one that stands next to the client.
TEST(public_url, several_values) {
  EXPECT_EQ(proxied("X-Forwarded-Host: a.example, b.internal\nX-Forwarded-Proto: https,http\n"),
            "https://a.example/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: a.example\nX-Forwarded-Host: b.internal\n"
                    "X-Forwarded-Proto: https\nX-Forwarded-Proto: http\n"),
            "https://a.example/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: , b.internal\n"), "http://example.org/files/a");
}

// [PROXY-3]
TEST(public_url, forwarded_counts_more) {
  const std::string others = "X-Forwarded-Host: x.example\nX-Forwarded-Proto: http\n";
  EXPECT_EQ(proxied(others + "Forwarded: host=f.example;proto=https\n"),
            "https://f.example/files/a");
  EXPECT_EQ(proxied(others + "Forwarded: proto=https\n"), "https://x.example/files/a");
  EXPECT_EQ(proxied(others + "Forwarded: host=f.example\n"), "http://f.example/files/a");
  EXPECT_EQ(proxied(others + "Forwarded: for=192.0.2.1, host=f.example;proto=https\n"),
            "http://x.example/files/a");
  EXPECT_EQ(proxied("Forwarded: host=f.example, for=b\n"), "http://f.example/files/a");
}

// [PROXY-4]
TEST(public_url, what_cannot_be_is_not_believed) {
  for (const char* host :
       {"a b", "a/b", "me@a", "<a>", "a\rX: y", "a:x", "[::1", "//a", "", "a?b", "\"a\""}) {
    EXPECT_EQ(proxied("X-Forwarded-Proto: https\nX-Forwarded-Host: " + std::string(host) + "\n"),
              "https://example.org/files/a")
        << host;
    EXPECT_EQ(proxied("Forwarded: host=\"" + std::string(host) + "\"\n"),
              "http://example.org/files/a")
        << host;
  }
  for (const char* proto : {"ftp", "javascript", "https:", "h\rX: y", "https http"}) {
    EXPECT_EQ(proxied("X-Forwarded-Proto: " + std::string(proto) + "\n"),
              "http://example.org/files/a");
  }
  EXPECT_EQ(proxied("Forwarded: host=\"evil\nX-Forwarded-Host: u.example\n"),
            "http://u.example/files/a");
}

// [PROXY-5] As Go's tusd, which strips it in this mode only.
TEST(public_url, default_ports) {
  EXPECT_EQ(proxied("Host: a:80\n"), "http://a/files/a");
  EXPECT_EQ(proxied("Host: a:443\n"), "http://a:443/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: a:443\nX-Forwarded-Proto: https\n"), "https://a/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: a:80\nX-Forwarded-Proto: https\n"), "https://a:80/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: a:8080\n"), "http://a:8080/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Host: [::1]:80\n"), "http://[::1]/files/a");
}

// [PROXY-6]
TEST(public_url, prefixes) {
  const std::string at = "http://example.org";
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /media\n"), at + "/media/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /a/b/\n"), at + "/a/b/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /\n"), at + "/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /outer, /inner\n"), at + "/outer/inner/files/a");
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /outer/\nX-Forwarded-Prefix: /inner\n"),
            at + "/outer/inner/files/a");
  for (const char* bad :
       {"media", "//evil.example", "/a//b", "/..", "/a/../b", "/./a", "/a b", "/a?b", "/a#b",
        "/a\\b", "/a\rX: y", "/%2e%2e", "http://evil.example", "/ok, evil", "/\xc3\xa4", "/a\"b"}) {
    EXPECT_EQ(proxied("X-Forwarded-Prefix: " + std::string(bad) + "\n"), at + "/files/a") << bad;
  }
  EXPECT_EQ(proxied("X-Forwarded-Prefix: /" + std::string(1024, 'a') + "\n"), at + "/files/a");
}

// [PROXY-7]
TEST(public_url, relative) {
  auto options = behind_proxy();
  options.relative = true;
  EXPECT_EQ(url("Forwarded: host=evil.example;proto=https\nX-Forwarded-Prefix: /media\n", options),
            "/media/files/a");
  EXPECT_EQ(url("X-Forwarded-Prefix: //evil.example\n", options), "/files/a");
  options.behind_proxy = false;
  EXPECT_EQ(url("X-Forwarded-Prefix: /media\n", options), "/files/a");
}

// [PROXY-8] [HTTP-33]
TEST(public_url, allowed_hosts) {
  const std::pair<std::string, bool> rows[] = {
      {"a.example", true},       {"A.Example:8080", true},  {"b.example:8443", true},
      {"b.example", false},      {"b.example:443", false},  {"x.c.example", true},
      {"y.x.c.example:1", true}, {"c.example", false},      {".c.example", false},
      {"xc.example", false},     {"a.example.evil", false}, {"evil-a.example", false},
      {"a.example.", false},     {"[2001:db8::1]", true},   {"127.0.0.1:1080", false}};
  const auto options = allowing({"a.example", "b.example:8443", "*.c.example", "[2001:db8::1]"});
  for (const auto& [host, allowed] : rows) {
    const auto expected = allowed ? "http://" + host + "/files/a" : "/files/a";
    EXPECT_EQ(url("Host: " + host + "\n", options), expected);
  }
}

// [PROXY-8]
TEST(public_url, allowed_hosts_hold_for_what_proxies_say) {
  auto options = allowing({"a.example"});
  options.behind_proxy = true;
  EXPECT_EQ(url("Host: internal\nX-Forwarded-Host: a.example\n", options),
            "http://a.example/files/a");
  EXPECT_EQ(url("Host: a.example\nForwarded: host=evil.example;proto=https\n", options),
            "https://a.example/files/a");
  EXPECT_EQ(
      url("Host: internal\nX-Forwarded-Host: evil.example\nX-Forwarded-Prefix: /media\n", options),
      "/media/files/a");
}

// [PROXY-9] Somebody has said where we are: nothing else counts.
TEST(public_url, a_whole_url) {
  auto options = behind_proxy();
  options.origin = "https://u.example";
  EXPECT_EQ(
      url("Host: evil\nForwarded: host=evil;proto=http\nX-Forwarded-Prefix: /evil\n", options),
      "https://u.example/files/a");
}

// [HTTP-33]
TEST(public_url, a_host_that_cannot_be_one) {
  for (const char* host : {"", "a b", "a\nb", "<a>", "me@a"}) {
    RequestHead head;
    head.host = host;
    EXPECT_EQ(public_url(head, {}, "/files/", *UploadId::parse("a")), "/files/a") << host;
    EXPECT_EQ(public_url(head, behind_proxy(), "/files/", *UploadId::parse("a")), "/files/a")
        << host;
  }
}

std::string parts(const std::string& list, LocationOptions location) {
  TusOptions options;
  options.can_concatenate = true;
  options.location = std::move(location);
  const auto command = TusV1(options).plan(request_from_text(
      "POST /files/\nTus-Resumable: 1.0.0\nX-Forwarded-Prefix: /media\nUpload-Concat: final;" +
      list));
  if (!command) return std::to_string(command.error().status);
  std::string ids;
  for (const auto& part : std::get<CreateCommand>(*command).parts) ids += part.str() + ' ';
  return ids;
}

// [PROXY-10] A client names the parts of an upload by the URLs that it was told.
TEST(public_url, parts_are_named_by_public_urls) {
  EXPECT_EQ(parts("https://u.example/media/files/a /media/files/b /files/c", behind_proxy()),
            "a b c ");
  EXPECT_EQ(parts("/media/files/a", {}), "400");
  EXPECT_EQ(parts("/mediafiles/a", behind_proxy()), "400");
  EXPECT_EQ(parts("/other/files/a", behind_proxy()), "400");
}

}  // namespace
}  // namespace tus::protocol
