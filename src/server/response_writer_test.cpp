#include "server/response_writer.h"

#include <gtest/gtest.h>

namespace tus::server {
namespace {

const ResponseContext plain{.date = "Sun, 06 Nov 1994 08:49:37 GMT"};

std::string head_of(const Response& response, const ResponseContext& context) {
  std::string out;
  write_head(out, response, context);
  return out;
}

TEST(ResponseWriter, StatusFieldsDateAndLength) {  // [HTTP-30]
  Response response(404);
  response.fields.add("Tus-Resumable", "1.0.0");
  response.body = "gone\n";
  EXPECT_EQ(head_of(response, plain),
            "HTTP/1.1 404 Not Found\r\nTus-Resumable: 1.0.0\r\nX-Content-Type-Options: "
            "nosniff\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\n");
  EXPECT_TRUE(sends_body(response, plain));
}

TEST(ResponseWriter, NoLengthWhereNoBodyCanBe) {  // [HTTP-29]
  for (int status : {204, 304}) {
    Response response(status);
    response.body = "ignored";
    EXPECT_FALSE(head_of(response, plain).contains("Content-Length"));
    EXPECT_FALSE(sends_body(response, plain));
  }
  EXPECT_TRUE(head_of(Response(201), plain).contains("Content-Length: 0\r\n"));
}

TEST(ResponseWriter, HeadHasNoBody) {  // [HTTP-29]
  ResponseContext to_head = plain;
  to_head.to_head = true;
  EXPECT_FALSE(head_of(Response(200), to_head).contains("Content-Length"));
  Response error(404);
  error.body = "gone\n";
  EXPECT_TRUE(head_of(error, to_head).contains("Content-Length: 5\r\n"));
  EXPECT_FALSE(sends_body(error, to_head));
}

TEST(ResponseWriter, WhatEveryAnswerCarriesIsThereOnce) {  // [HTTP-30] [CORE-13]
  ResponseContext to_head = plain;
  to_head.to_head = true;
  EXPECT_TRUE(head_of(Response(200), to_head).contains("Cache-Control: no-store\r\n"));
  EXPECT_FALSE(head_of(Response(200), plain).contains("Cache-Control"));
  Response own(200);
  own.fields.add("cache-control", "no-cache");
  own.fields.add("x-content-type-options", "nosniff");
  const auto text = head_of(own, to_head);
  EXPECT_FALSE(text.contains("no-store"));
  EXPECT_EQ(text.find("nosniff"), text.rfind("nosniff"));
}

TEST(ResponseWriter, Connection) {  // [HTTP-16] [HTTP-17]
  ResponseContext context = plain;
  context.close = true;
  EXPECT_TRUE(head_of(Response(200), context).contains("Connection: close\r\n"));
  context = plain;
  context.confirm_keep_alive = true;
  EXPECT_TRUE(head_of(Response(200), context).contains("Connection: keep-alive\r\n"));
  EXPECT_FALSE(head_of(Response(200), plain).contains("Connection"));
}

TEST(ResponseWriter, NothingBreaksOutOfItsLine) {
  Response response(200);
  response.fields.add("Good", "1");
  response.fields.add("X", "a\r\nSet-Cookie: b");
  response.fields.add("X\r\nY", "a");
  response.fields.add("content-length", "999");
  response.fields.add("Transfer-Encoding", "chunked");
  response.fields.add("Connection", "upgrade");
  response.fields.add("Date", "never");
  EXPECT_EQ(head_of(response, plain),
            "HTTP/1.1 200 OK\r\nGood: 1\r\nX-Content-Type-Options: nosniff\r\nDate: Sun, 06 Nov "
            "1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseWriter, InterimHasNoLengthAndNoDate) {  // [HTTP-29]
  std::string out;
  Fields fields;
  fields.add("Upload-Offset", "5");
  write_interim(out, 104, fields);
  EXPECT_EQ(out, "HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: 5\r\n\r\n");
}

TEST(ResponseWriter, StatusesOfOurOwn) {
  EXPECT_TRUE(head_of(Response(460), plain).starts_with("HTTP/1.1 460 Checksum Mismatch\r\n"));
  EXPECT_TRUE(head_of(Response(467), plain).starts_with("HTTP/1.1 467 \r\n"));
}

TEST(ResponseWriter, PlainErrorsLookLikeAllOthers) {  // [CORE-1] [HTTP-30]
  auto response = plain_error({400, "bare LF"});
  EXPECT_EQ(response.body, "ERR_INVALID_REQUEST: bare LF\n");
  EXPECT_EQ(*response.fields.find("Tus-Resumable"), "1.0.0");
  response = plain_error(rejection_of(ErrorCode::server_shutdown));
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.body.starts_with("ERR_SERVER_SHUTDOWN: request has been interrupted"));
  EXPECT_EQ(*response.fields.find("Retry-After"), "5");
}

}  // namespace
}  // namespace tus::server
