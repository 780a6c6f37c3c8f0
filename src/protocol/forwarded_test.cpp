#include "protocol/forwarded.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tus::protocol {
namespace {

// "client|host|scheme" of the first hop.
std::string hop_of_lines(const std::vector<std::string>& values) {
  Fields fields;
  fields.add("X-Forwarded-Host", "not.looked.at");
  for (const auto& value : values) fields.add("forwarded", value);
  const auto first = first_hop(fields);
  return first ? first->client + "|" + first->host + "|" + first->scheme : "none";
}

std::string hop(std::string value) { return hop_of_lines({std::move(value)}); }

// [PROXY-3] The examples of RFC 7239, sections 4 to 7.
TEST(forwarded, the_examples_of_the_rfc) {
  EXPECT_EQ(hop("for=\"_gazonk\""), "_gazonk||");
  EXPECT_EQ(hop("For=\"[2001:db8:cafe::17]:4711\""), "[2001:db8:cafe::17]:4711||");
  EXPECT_EQ(hop("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60||http");
  EXPECT_EQ(hop("for=192.0.2.43, for=198.51.100.17"), "192.0.2.43||");
  EXPECT_EQ(hop("for=_hidden, for=_SEVKISEK"), "_hidden||");
  EXPECT_EQ(hop("for=192.0.2.43, for=\"[2001:db8:cafe::17]\", for=unknown"), "192.0.2.43||");
  EXPECT_EQ(hop("for=192.0.2.43, for=\"[2001:db8:cafe::17]\""), "192.0.2.43||");
  EXPECT_EQ(hop("for=unknown"), "unknown||");
}

// [PROXY-3]
TEST(forwarded, the_grammar) {
  EXPECT_EQ(hop("host=a.example;proto=https"), "|a.example|https");
  EXPECT_EQ(hop("HOST=a.example;Proto=HTTPS"), "|a.example|https");
  EXPECT_EQ(hop("host=\"a.example:8443\" ; proto=\"https\""), "|a.example:8443|https");
  EXPECT_EQ(hop("host=\"a\\.example\""), "|a.example|") << "a quoted pair";
  EXPECT_EQ(hop("secret=\"a;host=evil, host=evil\";host=a.example"), "|a.example|");
  EXPECT_EQ(hop("secret=\"\\\";host=evil\";host=a.example"), "|a.example|");
  EXPECT_EQ(hop("ext=1;host=a.example;other=\"\""), "|a.example|");
  EXPECT_EQ(hop(";host=a.example;;proto=http;"), "|a.example|http") << "pairs may be empty";
  EXPECT_EQ(hop(" , ,\thost=a.example,"), "|a.example|") << "and so may elements";
  EXPECT_EQ(hop("host=a.example:80"), "|a.example:80|") << "beyond the grammar, as Go's tusd";
  EXPECT_EQ(hop("host=[::1]:80;for=[::1]"), "[::1]|[::1]:80|");
}

// [PROXY-3] Never what a later proxy has said: its host is a name inside of somebody's network.
TEST(forwarded, only_the_first_hop) {
  EXPECT_EQ(hop("for=192.0.2.1, host=b.internal;proto=http"), "192.0.2.1||");
  EXPECT_EQ(hop("host=a.example, host=b.internal, ="), "|a.example|") << "what follows is not read";
  EXPECT_EQ(hop_of_lines({"host=a.example", "host=b.internal"}), "|a.example|")
      << "a list in two lines";
  EXPECT_EQ(hop_of_lines({" ", "host=a.example"}), "|a.example|");
  EXPECT_EQ(hop_of_lines({"host", "host=a.example"}), "none");
}

// [PROXY-4] Guessing at it would be to let clients choose.
TEST(forwarded, malformed) {
  for (const char* text : {"",
                           " ",
                           ",",
                           "host",
                           "host=",
                           "=a",
                           ";",
                           "host =a",
                           "host= a",
                           "host=a b",
                           "host=\"a",
                           "host=\"a\\",
                           "host=\"a\\\"",
                           "host=\"a\"b",
                           "host=a;host=b",
                           "host=a;HOST=a",
                           "for=1;for=2;host=a",
                           "host=a;x",
                           "x;host=a",
                           "host=a/b",
                           "host=<a>",
                           "host=me@a",
                           "(x)=1;host=a",
                           "host=a\x01",
                           "host=a\r\nSet-Cookie: b",
                           "host=\xc3\xa4",
                           "host='a b'"}) {
    EXPECT_EQ(hop(text), "none") << text;
  }
  EXPECT_EQ(hop_of_lines({}), "none");
}

// [PROXY-4] A value that means nothing counts as not said; the rest of the hop does count.
TEST(forwarded, values_that_mean_nothing) {
  for (const char* host : {"\"\"", "\"a b\"", "\"a,b/c\"", "\"a@b\"", "\"a\r\nX: y\"", "\"//a\"",
                           "a:x", "\"[::1\"", "\"a:99999\"", "\"<script>\"", "::1"}) {
    EXPECT_EQ(hop("proto=https;host=" + std::string(host)), "||https") << host;
  }
  for (const char* proto :
       {"ftp", "httpsx", "\"https \"", "\"\"", "javascript:", "wss", "\"http\\\\\""}) {
    EXPECT_EQ(hop("host=a;proto=" + std::string(proto)), "|a|") << proto;
  }
}

// [PROXY-4]
TEST(forwarded, nodes) {
  for (const char* node :
       {"192.0.2.43", "192.0.2.43:47011", "192.0.2.43:_port", "[2001:db8::17]",
        "[2001:db8::17]:4711", "unknown", "UNKNOWN", "unknown:80", "_a", "_a.b-c_9:_x"}) {
    EXPECT_EQ(hop("for=\"" + std::string(node) + "\";host=a"), std::string(node) + "|a|");
  }
  for (const char* node :
       {"", "a.example", "_", "_a b", "__\xc3\xa4", "2001:db8::17", "[2001:db8::17", "[", "[]",
        "[192.0.2.1]", "192.0.2", "192.0.2.43:", "192.0.2.43:123456", "192.0.2.43:_",
        "192.0.2.43:x", "[::1]80", "unknownx"}) {
    EXPECT_EQ(hop("for=\"" + std::string(node) + "\";host=a"), "|a|") << node;
  }
}

std::string client_in(const std::vector<std::pair<std::string, std::string>>& lines) {
  Fields fields;
  for (const auto& [name, value] : lines) fields.add(name, value);
  return named_client(fields).value_or("none");
}

// [ABUSE-11] [ABUSE-13] What stands before the last word may be the client's own invention.
TEST(forwarded, the_client_is_whom_the_last_proxy_names) {
  EXPECT_EQ(client_in({}), "none");
  EXPECT_EQ(client_in({{"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client_in({{"X-Forwarded-For", "evil, 192.0.2.9 ,192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client_in({{"X-Forwarded-For", "192.0.2.9"}, {"x-forwarded-for", "192.0.2.1"}}),
            "192.0.2.1");
  EXPECT_EQ(client_in({{"X-Forwarded-For", "2001:db8::1"}}), "2001:db8::1");
  EXPECT_EQ(client_in({{"X-Forwarded-For", "192.0.2.1:4711"}}), "192.0.2.1:4711");
  EXPECT_EQ(client_in({{"X-Real-IP", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client_in({{"X-Real-IP", "192.0.2.9"}, {"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client_in({{"Forwarded", "for=192.0.2.9, for=\"[2001:db8::1]:80\";proto=https"}}),
            "[2001:db8::1]:80");
  EXPECT_EQ(client_in({{"Forwarded", "for=192.0.2.1"}, {"X-Forwarded-For", "192.0.2.9"}}),
            "192.0.2.1");
}

// [ABUSE-13] Nothing gets into the log, or another's share, that is no address.
TEST(forwarded, clients_that_mean_nothing) {
  for (const char* value : {"", ",", "192.0.2.1,", "a.example", "192.0.2.1 level=ERROR",
                            "[2001:db8::1", "\"192.0.2.1\"", "192.0.2.256", "-"}) {
    EXPECT_EQ(client_in({{"X-Forwarded-For", value}}), "none") << value;
    EXPECT_EQ(client_in({{"X-Real-IP", value}}), "none") << value;
  }
  EXPECT_EQ(client_in({{"Forwarded", "for=\"a, for=192.0.2.1"}}), "none")
      << "cannot be read for certain";
  EXPECT_EQ(client_in({{"Forwarded", "for=\"a"}, {"X-Forwarded-For", "192.0.2.1"}}), "192.0.2.1");
  EXPECT_EQ(client_in({{"Forwarded", "proto=https"}, {"X-Forwarded-For", "192.0.2.1"}}),
            "192.0.2.1");
}

TEST(forwarded, schemes) {
  EXPECT_EQ(known_scheme("http"), "http");
  EXPECT_EQ(known_scheme("hTTPs"), "https");
  for (std::string_view text : {"", "htt", "https ", "http:", "ftp"})
    EXPECT_EQ(known_scheme(text), "");
}

}  // namespace
}  // namespace tus::protocol
