#include "server/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::server {
namespace {

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::framing;
  std::string body;
  std::string rest;  // what came after the end
  std::string trailers;
};

// Feeds `wire` in pieces of `step` bytes.
Decoded decode(std::string_view wire, std::size_t step, ChunkDecoder decoder = ChunkDecoder()) {
  Decoded out;
  while (!wire.empty()) {
    std::string_view piece = wire.substr(0, step);
    while (!piece.empty() && decoder.state() != ChunkDecoder::State::done &&
           decoder.state() != ChunkDecoder::State::malformed) {
      if (auto left = decoder.data_left(); left > 0) {
        auto n = std::min<std::size_t>(left, piece.size());
        out.body += piece.substr(0, n);
        decoder.took(n);
        piece.remove_prefix(n);
        wire.remove_prefix(n);
      } else {
        auto n = decoder.read_framing(std::as_bytes(std::span(piece)));
        piece.remove_prefix(n);
        wire.remove_prefix(n);
      }
    }
    if (decoder.state() == ChunkDecoder::State::done ||
        decoder.state() == ChunkDecoder::State::malformed) {
      break;
    }
  }
  out.state = decoder.state();
  out.rest = wire;
  for (const auto& f : decoder.trailers()) out.trailers += f.name + "=" + f.value + ";";
  return out;
}

void expect_good(std::string_view wire, std::string_view body, std::string_view trailers = "") {
  std::string with_next = std::string(wire) + "GET / HTTP/1.1";
  for (std::size_t step = 1; step <= with_next.size(); ++step) {
    auto out = decode(with_next, step);
    EXPECT_EQ(out.state, ChunkDecoder::State::done) << wire << " in steps of " << step;
    EXPECT_EQ(out.body, body);
    EXPECT_EQ(out.rest, "GET / HTTP/1.1");
    EXPECT_EQ(out.trailers, trailers);
  }
}

void expect_bad(std::string_view wire) {
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    EXPECT_EQ(decode(wire, step).state, ChunkDecoder::State::malformed) << wire << " at " << step;
  }
}

TEST(ChunkDecoder, GoodBodies) {  // [HTTP-9]
  expect_good("0\r\n\r\n", "");
  expect_good("5\r\nhello\r\n0\r\n\r\n", "hello");
  expect_good("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!");
  expect_good("A\r\n0123456789\r\n00\r\n\r\n", "0123456789");
  expect_good("a\r\n0123456789\r\n0\r\n\r\n", "0123456789");
  expect_good("0000000000000002\r\n\r\n\r\n0\r\n\r\n", "\r\n");
  expect_good("2\r\n0\r\r\n0\r\n\r\n", "0\r");
}

TEST(ChunkDecoder, ExtensionsAreIgnored) {  // [HTTP-9]
  expect_good("5;a=b\r\nhello\r\n0;last\r\n\r\n", "hello");
  expect_good("5 ; a=\"x y\"\r\nhello\r\n0\r\n\r\n", "hello");
}

TEST(ChunkDecoder, BrokenFraming) {  // [HTTP-9]
  expect_bad("\r\n");
  expect_bad("x\r\n");
  expect_bad("-1\r\n");
  expect_bad("+1\r\n");
  expect_bad("0x5\r\n");
  expect_bad(" 5\r\n");
  expect_bad("5 \r\n");
  expect_bad("5\nhello");
  expect_bad("5\rhello");
  expect_bad("5;a\nhello");
  expect_bad(std::string_view("5;a\0b\r\n", 7));
  expect_bad("5\r\nhelloX");
  expect_bad("5\r\nhello\n");
  expect_bad("5\r\nhello\rX");
  expect_bad("5\r\nhello\r\n\r\n");
  expect_bad("0\r\nX-A: b\n");
  expect_bad("0\r\n\n");
  expect_bad("0\r\n\rX");
}

TEST(ChunkDecoder, SizesThatOverflow) {  // [HTTP-9]
  expect_bad("00000000000000005\r\n");
  expect_bad("8000000000000000\r\n");
  expect_bad("ffffffffffffffff\r\n");
  expect_bad("10000000000000005\r\n");
  ChunkDecoder decoder;
  decoder.read_framing(std::as_bytes(std::span(std::string_view("7fffffffffffffff\r\n"))));
  EXPECT_EQ(decoder.data_left(), 0x7fffffffffffffffull);
}

TEST(ChunkDecoder, Trailers) {  // [HTTP-10]
  expect_good("0\r\nUpload-Checksum: sha1 abc=\r\n\r\n", "", "Upload-Checksum=sha1 abc=;");
  expect_good("1\r\nx\r\n0\r\nA: 1\r\nB:\r\n\r\n", "x", "A=1;B=;");
  expect_good("0\r\nContent-Length: 5\r\nHost: evil\r\nAuthorization: x\r\nok: 1\r\n\r\n", "",
              "ok=1;");
  expect_good(
      "0\r\nUpload-Offset: 5\r\nTUS-Resumable: 1.0.0\r\nupload-concat: partial\r\n"
      "X-HTTP-Method-Override: DELETE\r\nUPLOAD-CHECKSUM: x\r\n\r\n",
      "", "UPLOAD-CHECKSUM=x;");
}

TEST(ChunkDecoder, BrokenTrailers) {  // [HTTP-10]
  expect_bad("0\r\nA : 1\r\n\r\n");
  expect_bad("0\r\n A: 1\r\n\r\n");
  expect_bad("0\r\nA: 1\r\n folded\r\n\r\n");
  expect_bad("0\r\nno colon\r\n\r\n");
  expect_bad(std::string_view("0\r\nA: \0\r\n\r\n", 11));
}

TEST(ChunkDecoder, TrailersAreBounded) {  // [HTTP-10]
  EXPECT_EQ(decode("0\r\nA: " + std::string(9000, 'x') + "\r\n\r\n", 100).state,
            ChunkDecoder::State::malformed);
  std::string many = "0\r\n";
  for (int i = 0; i < 33; ++i) many += "A: 1\r\n";
  EXPECT_EQ(decode(many + "\r\n", 7).state, ChunkDecoder::State::malformed);
}

TEST(ChunkDecoder, ExtensionsAreBounded) {  // [HTTP-9]
  EXPECT_EQ(decode("5;" + std::string(2000, 'x') + "\r\n", 100).state,
            ChunkDecoder::State::malformed);
  // Signed chunks as S3 clients send them: the extension is small beside the data.
  std::string data(1000, 'd');
  std::string signed_body;
  std::string cheap_body;
  for (int i = 0; i < 200; ++i) {
    signed_body += "3e8;chunk-signature=" + std::string(64, 'a') + "\r\n" + data + "\r\n";
    cheap_body += "1;x=" + std::string(500, 'a') + "\r\n.\r\n";
  }
  EXPECT_EQ(decode(signed_body + "0\r\n\r\n", 4096).state, ChunkDecoder::State::done);
  EXPECT_EQ(decode(cheap_body + "0\r\n\r\n", 4096).state, ChunkDecoder::State::malformed);
}

}  // namespace
}  // namespace tus::server
