#include "protocol/download.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

using testing::request_from_text;
using testing::text_from_response;

UploadInfo hello() {
  UploadInfo info;
  info.id = *UploadId::parse("a");
  info.length = info.offset = 5;
  info.metadata = {{"filename", "h.txt"}, {"filetype", "text/plain"}};
  return info;
}

std::string etag() { return entity_tag(hello()); }

DownloadAnswer answer(const std::string& fields) {
  const std::chrono::sys_seconds date{std::chrono::seconds(784111777)};
  return answer_download(request_from_text("GET /files/a\n" + fields), hello(), date);
}

std::string common() {
  return "Tus-Resumable: 1.0.0\nX-Content-Type-Options: nosniff\nAccept-Ranges: bytes\nETag: " +
         etag() + "\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n";
}

const std::string shown =
    "Content-Type: text/plain\nContent-Disposition: inline; filename=\"h.txt\"\n"
    "Content-Security-Policy: sandbox\n";

// [DL-1] [DL-8] [DL-9] [DL-10]
TEST(download, the_whole) {
  const auto whole = answer("");
  EXPECT_EQ(text_from_response(whole.head), "200\n" + common() + shown);
  EXPECT_EQ(whole.content, (ByteSpan{0, 5}));
}

// [DL-2] [DL-3]
TEST(download, a_part) {
  const auto part = answer("Range: bytes=1-2\n");
  EXPECT_EQ(text_from_response(part.head),
            "206\n" + common() + "Content-Range: bytes 1-2/5\n" + shown);
  EXPECT_EQ(part.content, (ByteSpan{1, 2}));
  EXPECT_EQ(answer("Range: bytes=0-0,2-2\n").head.status, 200);
  EXPECT_EQ(answer("Range: bytes=0-0\nRange: bytes=0-0\n").head.status, 200);
}

// [DL-4]
TEST(download, no_part) {
  const auto none = answer("Range: bytes=5-\n");
  EXPECT_EQ(text_from_response(none.head),
            "416\n" + common() +
                "Content-Type: text/plain; charset=utf-8\nContent-Range: bytes */5\n\n"
                "ERR_RANGE_NOT_SATISFIABLE: the requested range is not in the upload\n");
  EXPECT_FALSE(none.content.has_value());
  EXPECT_EQ(none.head.error, ErrorCode::range_not_satisfiable);
}

// [DL-5] [DL-6] Conditions come before ranges.
TEST(download, conditions) {
  const auto known = answer("If-None-Match: " + etag() + "\nRange: bytes=9-\n");
  EXPECT_EQ(text_from_response(known.head), "304\n" + common());
  EXPECT_FALSE(known.content.has_value());
  const auto other = answer("If-Match: \"b\"\nRange: bytes=9-\n");
  EXPECT_EQ(text_from_response(other.head),
            "412\n" + common() +
                "Content-Type: text/plain; charset=utf-8\n\n"
                "ERR_PRECONDITION_FAILED: a condition of the request does not hold\n");
  EXPECT_FALSE(other.content.has_value());
}

// [DL-7]
TEST(download, if_range) {
  EXPECT_EQ(answer("If-Range: " + etag() + "\nRange: bytes=3-\n").content, (ByteSpan{3, 2}));
  EXPECT_EQ(answer("If-Range: \"b\"\nRange: bytes=3-\n").content, (ByteSpan{0, 5}));
  EXPECT_EQ(answer("If-Range: \"b\"\nRange: bytes=9-\n").head.status, 200);
}

// [DL-11] [DL-12]
TEST(download, what_is_not_finished_is_refused) {
  auto upload = hello();
  EXPECT_EQ(refuse_download(upload), std::nullopt);
  upload.finish = FinishState::finished;
  EXPECT_EQ(refuse_download(upload), std::nullopt);
  upload.finish = FinishState::pending;
  EXPECT_EQ(refuse_download(upload), ErrorCode::upload_finishing);
  upload.offset = 4;
  EXPECT_EQ(refuse_download(upload), ErrorCode::incomplete_upload);
  upload.finish = FinishState::derived;
  EXPECT_EQ(refuse_download(upload), ErrorCode::incomplete_upload);
  upload.length.reset();
  EXPECT_EQ(refuse_download(upload), ErrorCode::incomplete_upload);
  upload.finish = FinishState::abandoned;
  EXPECT_EQ(refuse_download(upload), ErrorCode::upload_finish_failed);
}

}  // namespace
}  // namespace tus::protocol
