#include "server/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::server {
namespace {

using namespace std::string_literals;

struct Read {
  HeadScanner::Found found = HeadScanner::Found::nothing_yet;
  std::string head;
  std::string rest;
  Rejection rejection;
};

// As the session does it, with bytes arriving in pieces of `step`.
Read read(std::string_view wire, std::size_t step, HeadLimits limits = {}) {
  HeadScanner scanner;
  Read out;
  for (std::size_t here = 0; here < wire.size() && out.found == HeadScanner::Found::nothing_yet;) {
    here = std::min(here + step, wire.size());
    out.found = scanner.scan(wire.substr(0, here), limits);
  }
  out.rejection = scanner.rejection();
  if (out.found == HeadScanner::Found::head) {
    out.head = wire.substr(scanner.begin(), scanner.end() - scanner.begin());
    out.rest = wire.substr(scanner.end());
  }
  return out;
}

// 0: accepted.
int status_of(std::string_view wire, std::size_t step, HeadLimits limits = {}) {
  auto found = read(wire, step, limits);
  if (found.found == HeadScanner::Found::rejected) return found.rejection.status;
  if (found.found == HeadScanner::Found::nothing_yet) return -1;
  auto parsed = parse_head(found.head, limits);
  return parsed ? 0 : parsed.error().status;
}

ParsedHead parse(std::string_view wire) {
  auto parsed = parse_head(read(wire, wire.size()).head, {});
  EXPECT_TRUE(parsed.has_value()) << wire;
  return parsed ? std::move(*parsed) : ParsedHead();
}

const std::string start = "GET /files/x HTTP/1.1\r\n";
const std::string host = "Host: a\r\n";

struct Row {
  std::string wire;
  int status;
};

class HeadTable : public testing::TestWithParam<Row> {};

TEST_P(HeadTable, IsAnsweredTheSameHoweverItArrives) {
  const auto& row = GetParam();
  for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, row.wire.size()}) {
    EXPECT_EQ(status_of(row.wire, step), row.status)
        << testing::PrintToString(row.wire.substr(0, 200)) << " in steps of " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(  // [HTTP-1]
    Host, HeadTable,
    testing::Values(
        Row{start + host + "\r\n", 0}, Row{start + "\r\n", 400},
        Row{start + host + host + "\r\n", 400}, Row{start + "Host:\r\n\r\n", 400},
        Row{start + "Host: a b\r\n\r\n", 400}, Row{start + "Host: a,b\r\n\r\n", 0},
        Row{start + "Host: a@b\r\n\r\n", 400}, Row{start + "Host: a/b\r\n\r\n", 400},
        Row{start + "Host: a:80\r\n\r\n", 0}, Row{start + "Host: a:\r\n\r\n", 0},
        Row{start + "Host: a:8x\r\n\r\n", 400}, Row{start + "Host: a:65535\r\n\r\n", 0},
        Row{start + "Host: a:65536\r\n\r\n", 400}, Row{start + "Host: a:123456\r\n\r\n", 400},
        Row{start + "Host: a%41b\r\n\r\n", 0}, Row{start + "Host: a%zz\r\n\r\n", 400},
        Row{start + "Host: a%4\r\n\r\n", 400}, Row{start + "Host: [::1]:80\r\n\r\n", 0},
        Row{start + "Host: [::1]x\r\n\r\n", 400}, Row{start + "Host: [:::.v]\r\n\r\n", 400},
        Row{start + "Host: [fe80::1%25lo]\r\n\r\n", 400}, Row{start + "Host: [::1\r\n\r\n", 400},
        Row{start + "Host: []\r\n\r\n", 400}, Row{start + "Host: \"a\"\r\n\r\n", 400},
        Row{start + "Host: a\\b\r\n\r\n", 400}, Row{"GET / HTTP/1.0\r\n\r\n", 0},
        Row{"GET / HTTP/1.0\r\n" + host + host + "\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-2] [HTTP-3]
    Length, HeadTable,
    testing::Values(Row{start + host + "Content-Length: 5\r\n\r\n", 0},
                    Row{start + host + "Content-Length: 05\r\n\r\n", 0},
                    Row{start + host + "Content-Length: 9223372036854775807\r\n\r\n", 0},
                    Row{start + host + "Content-Length: 9223372036854775808\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 5, 5\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", 400},
                    Row{start + host + "Content-Length: +5\r\n\r\n", 400},
                    Row{start + host + "Content-Length: -1\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 0x5\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 5 5\r\n\r\n", 400},
                    Row{start + host + "Content-Length: 5.0\r\n\r\n", 400},
                    Row{start + host + "Content-Length:\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-2] [HTTP-4] [HTTP-5]
    TransferEncoding, HeadTable,
    testing::Values(
        Row{start + host + "Transfer-Encoding: chunked\r\n\r\n", 0},
        Row{start + host + "transfer-encoding: CHUNKED\r\n\r\n", 0},
        Row{start + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
        Row{start + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Row{start + host + "Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding : chunked\r\n\r\n", 400},
        Row{start + host + "\tTransfer-Encoding: chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunked,\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: ,chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: xchunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunkedx\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: identity\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: gzip\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Row{start + host + "Transfer-Encoding: gzip, deflate, chunked\r\n\r\n", 501},
        Row{start + host + "Transfer-Encoding: foo;a=b, chunked\r\n\r\n", 501},
        Row{start + host + "Transfer-Encoding: gzip,, chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: gzip, chunked, chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: gzip, chunked;a=b\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: identity, chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding:\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Row{start + host + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Row{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-6] [HTTP-7]
    Fields, HeadTable,
    testing::Values(
        Row{start + host + "A: b\r\n\r\n", 0}, Row{start + host + "A:b\r\n\r\n", 0},
        Row{start + host + "A:\t b \t\r\n\r\n", 0}, Row{start + host + "A: \xc3\xa4\r\n\r\n", 0},
        Row{start + host + "A : b\r\n\r\n", 400}, Row{start + host + "A\t: b\r\n\r\n", 400},
        Row{start + host + "A: b\r\n c\r\n\r\n", 400},
        Row{start + host + "A: b\r\n\tc\r\n\r\n", 400}, Row{start + " " + host + "\r\n", 400},
        Row{start + host + " \r\n\r\n", 400}, Row{start + host + "A: b\rc\r\n\r\n", 400},
        Row{start + host + "A: b\r\r\n\r\n", 400}, Row{start + host + "A: b\0c\r\n\r\n"s, 400},
        Row{start + host + "A: b\x01\r\n\r\n", 400}, Row{start + host + "A: b\x7f\r\n\r\n", 400},
        Row{start + host + ": b\r\n\r\n", 400}, Row{start + host + "A b\r\n\r\n", 400},
        Row{start + host + "A(: b\r\n\r\n", 400}, Row{start + host + "\xc3\xa4: b\r\n\r\n", 400},
        Row{start + host + "A: b\n\r\n", 400}, Row{start + "Host: a\n\n", 400},
        Row{"GET / HTTP/1.1\nHost: a\n\n", 400}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-8] [HTTP-12]
    RequestLine, HeadTable,
    testing::Values(Row{"\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 0},
                    Row{"\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"\nGET / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"\rGET / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"PATCH /files/a?b=c HTTP/1.1\r\n" + host + "\r\n", 0},
                    Row{"BREW /pot HTTP/1.1\r\n" + host + "\r\n", 0},
                    Row{"GET / HTTP/0.9\r\n" + host + "\r\n", 505},
                    Row{"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
                    Row{"GET / HTTP/1.2\r\n" + host + "\r\n", 505},
                    Row{"GET / HTTP/11\r\n" + host + "\r\n", 400},
                    Row{"GET / http/1.1\r\n" + host + "\r\n", 400}, Row{"GET /\r\n\r\n", 400},
                    Row{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                    Row{"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET / x HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET / HTTP/1.1 \r\n" + host + "\r\n", 400},
                    Row{" GET / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"G(T / HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET\t/\tHTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET /\xc3\xa4 HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET /#a HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET x HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET ftp://a/ HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET http:///x HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"GET * HTTP/1.1\r\n" + host + "\r\n", 400},
                    Row{"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 0},
                    Row{"CONNECT a:80 HTTP/1.1\r\n" + host + "\r\n", 501},
                    Row{"\x16\x03\x01\x02\x00\x01\x00"s, 400}, Row{"\x80\x2e\x01"s, 400},
                    Row{"{}"s, 400}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-11]
    Limits, HeadTable,
    testing::Values(Row{"GET /" + std::string(8000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 0},
                    Row{"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414},
                    Row{"GET /" + std::string(9000, 'x'), 414},
                    Row{start + host + "A: " + std::string(32000, 'x') + "\r\n\r\n", 0},
                    Row{start + host + "A: " + std::string(33000, 'x') + "\r\n\r\n", 431},
                    Row{start + host + "A: " + std::string(33000, 'x'), 431}));

INSTANTIATE_TEST_SUITE_P(  // [HTTP-21]
    Expect, HeadTable,
    testing::Values(Row{start + host + "Expect: 100-Continue\r\n\r\n", 0},
                    Row{start + host + "Expect: 200-ok\r\n\r\n", 417},
                    Row{start + host + "Expect: 100-continue, x\r\n\r\n", 417},
                    Row{"GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", 0}));

TEST(HeadParser, TooManyFields) {  // [HTTP-11]
  auto head = [](int fields) {
    std::string wire = start + host;
    for (int i = 1; i < fields; ++i) wire += "A: b\r\n";
    return wire + "\r\n";
  };
  EXPECT_EQ(status_of(head(100), 4096), 0);
  EXPECT_EQ(status_of(head(101), 4096), 431);
}

TEST(HeadParser, SaysWhatWasSent) {
  auto parsed = parse(
      "PATCH /files/a?b HTTP/1.1\r\nHost: h:1\r\nUpload-Offset:  5 \r\nContent-Length: "
      "7\r\n\r\nbody");
  EXPECT_EQ(parsed.head.method, "PATCH");
  EXPECT_EQ(parsed.head.target, "/files/a?b");
  EXPECT_EQ(parsed.head.host, "h:1");
  EXPECT_EQ(*parsed.head.fields.find("upload-offset"), "5");
  EXPECT_EQ(parsed.head.content_length, 7u);
  EXPECT_TRUE(parsed.head.has_body);
  EXPECT_FALSE(parsed.chunked);
  EXPECT_FALSE(parsed.http_1_0);
  EXPECT_EQ(read("\r\n" + start + host + "\r\nnext", 500).rest, "next");
}

TEST(HeadParser, FramingAnnouncesABody) {
  auto chunked = parse(start + host + "Transfer-Encoding: Chunked\r\n\r\n");
  EXPECT_TRUE(chunked.head.has_body);
  EXPECT_TRUE(chunked.chunked);
  EXPECT_FALSE(chunked.head.content_length);
  auto empty = parse(start + host + "Content-Length: 0\r\n\r\n");
  EXPECT_FALSE(empty.head.has_body);
  EXPECT_EQ(empty.head.content_length, 0u);
  EXPECT_FALSE(parse(start + host + "\r\n").head.has_body);
}

TEST(HeadParser, AbsoluteFormOverridesHost) {  // [HTTP-1]
  auto parsed = parse("GET http://real:8080/a?b HTTP/1.1\r\nHost: other\r\n\r\n");
  EXPECT_EQ(parsed.head.target, "/a?b");
  EXPECT_EQ(parsed.head.host, "real:8080");
  EXPECT_EQ(*parsed.head.fields.find("Host"), "real:8080");
  EXPECT_EQ(parse("GET http://real HTTP/1.1\r\nHost: o\r\n\r\n").head.target, "/");
  EXPECT_EQ(parse("GET http://real?q=/ HTTP/1.1\r\nHost: o\r\n\r\n").head.target, "/?q=/");
}

TEST(HeadParser, KeepAlive) {  // [HTTP-16] [HTTP-17]
  EXPECT_TRUE(parse(start + host + "\r\n").keep_alive);
  EXPECT_FALSE(parse(start + host + "Connection: close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse(start + host + "Connection: Keep-Alive, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keep_alive);
  EXPECT_FALSE(
      parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: Close\r\n\r\n").keep_alive);
}

TEST(HeadParser, ExpectIsForHttp11) {  // [HTTP-21]
  EXPECT_TRUE(parse(start + host + "Expect: 100-continue\r\n\r\n").expects_continue);
  EXPECT_FALSE(parse("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

}  // namespace
}  // namespace tus::server
