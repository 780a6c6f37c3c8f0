// Every operation: what is sent, and what becomes of the answers.
#include "stores/s3/client/http_bucket.h"

#include "digest/crc32c.h"
#include "protocol/header_values.h"
#include "stores/s3/client/client_test_kit.h"
#include "stores/s3/client/sigv4.h"

#include <future>

namespace tus::s3::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view etag_field = "ETag: \"e\"\r\n";
const ObjectName name{"buck", "a/b c"};
const MultipartName upload{name, "up/1"};

std::string crc_of(const std::string& bytes) {
  const auto crc = digest::crc32c(0, std::as_bytes(std::span(bytes)));
  std::string big;
  for (const int shift : {24, 16, 8, 0}) big += static_cast<char>(crc >> shift & 0xff);
  return protocol::encode_base64(big);
}

class StringSource final : public PartSource {
 public:
  StringSource(std::string bytes, std::uint64_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }
  Awaitable<std::span<const std::byte>> next() override {
    const auto rest = std::as_bytes(std::span(bytes_)).subspan(at_);
    const auto piece = rest.first(std::min<std::size_t>(rest.size(), 70'000));
    at_ += piece.size();
    co_return piece;
  }

 private:
  const std::string bytes_;
  const std::uint64_t size_;
  std::size_t at_ = 0;
};

class S3BucketTest : public ClientTest {
 protected:
  // What becomes of each operation, in its order: "ok" or the trouble.
  std::vector<std::string> all_operations(Deadline deadline) {
    std::vector<std::string> out;
    const auto note = [&out](const auto& answer) {
      out.push_back(answer ? "ok" : std::to_string(static_cast<int>(answer.error().trouble)));
    };
    note(run(s3().check("buck", deadline)));
    note(run(s3().head_object(name, deadline)));
    note(run(s3().get_object(name, 100, "", deadline)));
    note(run(s3().open_object(name, std::nullopt, deadline)));
    note(run(s3().put_object(name, payload_of(body_), {}, {}, deadline)));
    note(run(s3().delete_object(name, deadline)));
    note(run(s3().create_multipart(name, {}, deadline)));
    note(run(s3().put_part(upload, 1, payload_of(body_), deadline)));
    StringSource source(body_, body_.size());
    note(run(s3().stream_part(upload, 1, source, deadline)));
    note(run(s3().copy_part(upload, 1, name, {0, 5}, deadline)));
    note(run(s3().list_parts(upload, 0, deadline)));
    note(run(s3().complete_multipart(upload, {{1, "\"e\""}}, deadline)));
    note(run(s3().abort_multipart(upload, deadline)));
    note(run(s3().list_objects("buck", "", "", deadline)));
    note(run(s3().list_multiparts("buck", "", "", "", deadline)));
    return out;
  }
  static std::string code(Trouble trouble) { return std::to_string(static_cast<int>(trouble)); }

  const std::string body_ = "the body";
};

// ---- requests ----

TEST_F(S3BucketTest, RequestsAreThoseOfS3) {  // [S3CLIENT-4]
  serve(error(403, "AccessDenied"));
  (void)all_operations(in(60s));
  (void)run(s3().list_parts(upload, 7, in(60s)));
  (void)run(s3().list_objects("buck", "p/", "p/+ x", in(60s)));
  (void)run(s3().list_multiparts("buck", "p/", "k&", "m", in(60s)));
  (void)run(s3().open_object(name, ByteRange{10, 5}, in(60s)));
  (void)run(s3().get_object(name, 5, "\"old\"", in(60s)));
  std::vector<std::string> lines;
  const auto all = seen();
  for (const auto& request : all) lines.push_back(request.line.substr(0, request.line.rfind(' ')));
  EXPECT_THAT(
      lines,
      ::testing::ElementsAre(
          "GET /buck?encoding-type=url&list-type=2&max-keys=1", "HEAD /buck/a/b%20c",
          "GET /buck/a/b%20c", "GET /buck/a/b%20c", "PUT /buck/a/b%20c", "DELETE /buck/a/b%20c",
          "POST /buck/a/b%20c?uploads=", "PUT /buck/a/b%20c?partNumber=1&uploadId=up%2F1",
          "PUT /buck/a/b%20c?partNumber=1&uploadId=up%2F1",
          "PUT /buck/a/b%20c?partNumber=1&uploadId=up%2F1",
          "GET /buck/a/b%20c?max-parts=1000&uploadId=up%2F1", "POST /buck/a/b%20c?uploadId=up%2F1",
          "DELETE /buck/a/b%20c?uploadId=up%2F1",
          "GET /buck?encoding-type=url&list-type=2&max-keys=1000&prefix=",
          "GET /buck?max-uploads=1000&prefix=&uploads=",
          "GET /buck/a/b%20c?max-parts=1000&part-number-marker=7&uploadId=up%2F1",
          "GET /buck?encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F&"
          "start-after=p%2F%2B%20x",
          "GET /buck?key-marker=k%26&max-uploads=1000&prefix=p%2F&upload-id-marker=m&uploads=",
          "GET /buck/a/b%20c", "GET /buck/a/b%20c"));
  EXPECT_EQ(all[9].field("x-amz-copy-source"), "buck/a/b%20c");
  EXPECT_EQ(all[9].field("x-amz-copy-source-range"), "bytes=0-4");
  EXPECT_EQ(all[18].field("range"), "bytes=10-14");
  EXPECT_EQ(all[19].field("if-none-match"), "\"old\"");
  EXPECT_THAT(all[11].body, HasSubstr("<PartNumber>1</PartNumber><ETag>\"e\"</ETag>"));
}

TEST_F(S3BucketTest, EveryRequestIsSigned) {  // [S3CLIENT-1]
  parts_.credentials = std::make_shared<FixedCredentials>(
      Credentials{.key_id = "K", .secret = "S", .token = "TOKEN", .expires = {}});
  const auto clock = std::make_shared<tus::testing::ManualClock>();
  parts_.clock = clock;
  serve(reply(204, ""));
  ASSERT_TRUE(run(s3().delete_object(name, in(60s))));
  const auto request = seen().at(0);
  EXPECT_EQ(request.field("x-amz-date"), "20260102T000000Z");
  EXPECT_EQ(request.field("x-amz-security-token"), "TOKEN");
  const auto host = "127.0.0.1:" + std::to_string(server_->port());
  EXPECT_EQ(request.field("host"), host);
  const auto hash = request.field("x-amz-content-sha256");
  const ToSign to_sign{.method = "DELETE",
                       .path = "/buck/a/b%20c",
                       .query = {},
                       .headers = {{"host", host},
                                   {"x-amz-content-sha256", sha256_hex("")},
                                   {"x-amz-date", "20260102T000000Z"},
                                   {"x-amz-security-token", "TOKEN"}},
                       .payload_hash = hash};
  EXPECT_EQ(request.field("authorization"),
            authorization(to_sign,
                          {.time = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2),
                           .region = "us-east-1"},
                          {.id = "K", .secret = "S"}));
}

TEST_F(S3BucketTest, PayloadsAreSignedOverHttp) {  // [S3CLIENT-5]
  serve(reply(200, "", etag_field));
  const std::string large(3'000'001, 'x');
  EXPECT_EQ(run(s3().put_object(name, payload_of(body_), {}, {}, in(60s))), "\"e\"");
  EXPECT_EQ(run(s3().put_part(upload, 1, payload_of(large), in(60s))), "\"e\"");
  const auto all = seen();
  EXPECT_EQ(all[0].field("x-amz-content-sha256"), sha256_hex(body_));
  EXPECT_EQ(all[1].field("x-amz-content-sha256"), sha256_hex(large));
  EXPECT_EQ(all[0].count("x-amz-checksum-crc32c"), 0u) << "one hash is enough";
  EXPECT_EQ(all[0].body, body_);
  EXPECT_TRUE(all[1].body == large);
}

TEST_F(S3BucketTest, WithoutContentHashesAChecksumIsSent) {  // [S3CLIENT-5]
  options_.disable_content_hashes = true;
  serve(reply(200, "", etag_field));
  ASSERT_TRUE(run(s3().put_object(name, payload_of(body_), {}, {}, in(60s))));
  ASSERT_TRUE(run(s3().put_part(upload, 1, payload_of(body_), in(60s))));
  for (const auto& request : seen()) {
    EXPECT_EQ(request.field("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
    EXPECT_EQ(request.field("x-amz-checksum-crc32c"), crc_of(body_));
    EXPECT_THAT(request.field("authorization"), HasSubstr("x-amz-checksum-crc32c"));
  }
}

TEST_F(S3BucketTest, OverHttpsPayloadsAreNotHashed) {  // [S3CLIENT-5]
  const net::test::TestCertificate certificate;
  serve(
      [](Peer& peer, const SeenRequest&, int) {
        peer.send(reply(200, "", etag_field));
        return Then::keep;
      },
      &certificate);
  ASSERT_TRUE(run(s3().put_part(upload, 1, payload_of(body_), in(60s))));
  EXPECT_EQ(seen().at(0).field("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
  EXPECT_EQ(seen().at(0).body, body_);
}

TEST_F(S3BucketTest, AServerThatRefusesAChecksumIsNotSentItAgain) {  // [S3CLIENT-5]
  options_.disable_content_hashes = true;
  serve([](Peer& peer, const SeenRequest& request, int) {
    peer.send(request.count("x-amz-checksum-crc32c") > 0
                  ? reply(400,
                          "<Error><Code>InvalidRequest</Code><Message>Checksum Type mismatch "
                          "occurred</Message></Error>")
                  : reply(200, "", etag_field));
    return Then::keep;
  });
  EXPECT_TRUE(run(s3().put_part(upload, 1, payload_of(body_), in(60s))));
  EXPECT_TRUE(run(s3().put_part(upload, 2, payload_of(body_), in(60s))));
  EXPECT_EQ(seen().size(), 3u);
  EXPECT_TRUE(run(s3().put_object(name, payload_of(body_), {}, {}, in(60s))));
  EXPECT_EQ(seen().size(), 5u) << "objects may be another matter";
}

TEST_F(S3BucketTest, ObjectsAreMadeAsTheyWereWanted) {  // [S3CLIENT-19]
  options_.encryption = Encryption::sse_kms;
  options_.kms_key = "key-1";
  serve([](Peer& peer, const SeenRequest& request, int) {
    peer.send(request.line.starts_with("POST")
                  ? reply(200,
                          "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                          "</InitiateMultipartUploadResult>")
                  : reply(200, "", etag_field));
    return Then::keep;
  });
  ObjectHeaders headers;
  headers.content_type = "text/plain";
  headers.content_disposition = "attachment";
  headers.cache_control = "no-store";
  headers.storage_class = "STANDARD_IA";
  headers.metadata = {{"One", "a b"}, {"two", ""}};
  ASSERT_TRUE(run(s3().put_object(name, payload_of(body_), headers, {}, in(60s))));
  ASSERT_EQ(run(s3().create_multipart(name, headers, in(60s))), "u");
  for (const auto& request : seen()) {
    EXPECT_EQ(request.field("content-type"), "text/plain");
    EXPECT_EQ(request.field("content-disposition"), "attachment");
    EXPECT_EQ(request.field("cache-control"), "no-store");
    EXPECT_EQ(request.field("x-amz-storage-class"), "STANDARD_IA");
    EXPECT_EQ(request.field("x-amz-meta-one"), "a b");
    EXPECT_EQ(request.count("x-amz-meta-two"), 1u);
    EXPECT_EQ(request.field("x-amz-server-side-encryption"), "aws:kms");
    EXPECT_EQ(request.field("x-amz-server-side-encryption-aws-kms-key-id"), "key-1");
  }
  headers.metadata = {{"x", "caf\xc3\xa9"}};
  EXPECT_EQ(run(s3().create_multipart(name, headers, in(60s))).error().trouble, Trouble::refused);
  headers.metadata = {{"x", "a\r\nb: c"}};
  EXPECT_EQ(run(s3().put_object(name, payload_of(body_), headers, {}, in(60s))).error().trouble,
            Trouble::refused);
  EXPECT_EQ(seen().size(), 2u) << "what is unfit is not sent";
}

TEST_F(S3BucketTest, ConditionsAreSent) {  // [S3CLIENT-20]
  serve(reply(200, "", etag_field));
  ASSERT_TRUE(run(
      s3().put_object(name, payload_of(body_), {}, {.if_match = {}, .if_absent = true}, in(60s))));
  ASSERT_TRUE(run(s3().put_object(name, payload_of(body_), {},
                                  {.if_match = "\"x\"", .if_absent = false}, in(60s))));
  EXPECT_EQ(seen()[0].field("if-none-match"), "*");
  EXPECT_EQ(seen()[1].field("if-match"), "\"x\"");
}

// ---- answers ----

TEST_F(S3BucketTest, WhatIsMissingIsMissing) {  // [S3CLIENT-3] [S3CLIENT-10]
  serve([](Peer& peer, const SeenRequest& request, int) {
    const bool head = request.line.starts_with("HEAD");
    peer.send(head ? "HTTP/1.1 404 No\r\nContent-Type: application/xml\r\nContent-Length: 9\r\n\r\n"
                   : error(404, "NoSuchKey"));
    return Then::keep;
  });
  const auto missing = code(Trouble::missing);
  EXPECT_THAT(
      all_operations(in(60s)),
      ::testing::ElementsAre(missing, missing, missing, missing, missing, "ok", missing, missing,
                             missing, missing, missing, missing, "ok", missing, missing));
}

TEST_F(S3BucketTest, APageOfAProxyIsNoAnswer) {  // [S3CLIENT-12]
  options_.attempts = 2;
  const auto unavailable = code(Trouble::unavailable);
  for (const int status : {200, 404, 403}) {
    serve([status](Peer& peer, const SeenRequest& request, int) {
      auto bytes = html(status);
      if (request.line.starts_with("HEAD")) bytes.resize(bytes.find("\r\n\r\n") + 4);
      peer.send(bytes);
      return Then::keep;
    });
    const auto all = all_operations(in(60s));
    EXPECT_THAT(all, ::testing::Each(unavailable)) << status;
    end_client();
  }
}

TEST_F(S3BucketTest, AnErrorWithin200IsAnError) {  // [S3CLIENT-9]
  options_.attempts = 1;
  serve(error(200, "InternalError"));
  EXPECT_EQ(run(s3().complete_multipart(upload, {{1, "e"}}, in(60s))).error().trouble,
            Trouble::unavailable);
  EXPECT_EQ(run(s3().copy_part(upload, 1, name, {0, 5}, in(60s))).error().trouble,
            Trouble::unavailable);
  end_client();
  serve(error(200, "InvalidPart"));
  EXPECT_EQ(run(s3().complete_multipart(upload, {{1, "e"}}, in(60s))).error().trouble,
            Trouble::bad_parts);
  end_client();
  // AWS keeps the connection alive by spaces before the document.
  serve(reply(200, "   <CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>"));
  EXPECT_TRUE(run(s3().complete_multipart(upload, {{1, "e"}}, in(60s))));
}

TEST_F(S3BucketTest, ACompletionOfWhatIsGoneSaysSo) {  // [S3CLIENT-10]
  serve([](Peer& peer, const SeenRequest& request, int) {
    peer.send(request.line.starts_with("POST") ? error(500, "InternalError")
                                               : error(404, "NoSuchKey"));
    return Then::keep;
  });
  EXPECT_EQ(run(s3().complete_multipart(upload, {{1, "e"}}, in(60s))).error().trouble,
            Trouble::missing);
  end_client();
  // The first was carried out, and its answer lost.
  serve_all({"", error(404, "NoSuchUpload")});
  EXPECT_EQ(run(s3().complete_multipart(upload, {{1, "e"}}, in(60s))).error().trouble,
            Trouble::missing);
}

TEST_F(S3BucketTest, ObjectsAreLookedAt) {  // [S3CLIENT-20]
  const std::string fields =
      "ETag: \"e\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nX-Amz-Meta-Tus-Start: 12\r\n";
  serve(reply(200, "0123456789", fields));
  const auto small = run(s3().get_object(name, 10, "", in(60s)));
  ASSERT_TRUE(small && *small);
  EXPECT_EQ((*small)->bytes, "0123456789");
  EXPECT_EQ((*small)->look.etag, "\"e\"");
  EXPECT_EQ((*small)->look.size, 10u);
  EXPECT_EQ((*small)->look.metadata, (UserMetadata{{"tus-start", "12"}}));
  EXPECT_EQ((*small)->look.last_modified.time_since_epoch().count(), 784111777);
  EXPECT_EQ(run(s3().get_object(name, 9, "", in(60s))).error().trouble, Trouble::too_large);
  end_client();
  serve("HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n");
  EXPECT_FALSE(run(s3().get_object(name, 9, "\"e\"", in(60s))).value().has_value());
}

// ---- streams ----

TEST_F(S3BucketTest, AStreamedPartIsWholeOrNone) {  // [S3CLIENT-18]
  serve(reply(200, "", etag_field));
  const std::string bytes(1'000'003, 'y');
  StringSource whole(bytes, bytes.size());
  EXPECT_EQ(run(s3().stream_part(upload, 1, whole, in(60s))), "\"e\"");
  EXPECT_TRUE(seen().at(0).body == bytes);
  StringSource cut(bytes, bytes.size() + 1);
  EXPECT_EQ(run(s3().stream_part(upload, 1, cut, in(60s))).error().trouble, Trouble::unavailable);
  StringSource longer(bytes, 10);
  EXPECT_TRUE(run(s3().stream_part(upload, 1, longer, in(60s))));
  EXPECT_EQ(seen().at(1).body, bytes.substr(0, 10));
}

TEST_F(S3BucketTest, AStreamedPartIsSentOnce) {  // [S3CLIENT-18]
  serve(error(503, "SlowDown"));
  StringSource source("abc", 3);
  EXPECT_EQ(run(s3().stream_part(upload, 1, source, in(60s))).error().trouble,
            Trouble::unavailable);
  EXPECT_EQ(seen().size(), 1u);
}

// [S3CLIENT-16] [S3CLIENT-17] A body that its client did not send is no failure of S3.
TEST_F(S3BucketTest, StreamedPartsAreToldLikeAllOthers) {
  options_.log_api_calls = true;
  const std::string bytes(100'000, 'x');
  serve(reply(200, "", etag_field));
  StringSource whole(bytes, bytes.size());
  ASSERT_TRUE(run(s3().stream_part(upload, 1, whole, in(60s))));
  EXPECT_THAT(log_->text(), HasSubstr("S3Call operation=UploadPart"));
  EXPECT_THAT(log_->text(), HasSubstr("request_id=REQ1"));
  StringSource cut(bytes, bytes.size() + 1);
  ASSERT_FALSE(run(s3().stream_part(upload, 1, cut, in(60s))));
  EXPECT_THAT(log_->text(), Not(HasSubstr("S3CallFailed")));
  const auto all = observer_->all();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_FALSE(all[1].report.trouble);
}

Awaitable<Answer<std::string>> read_all(ObjectStream& stream, Deadline deadline) {
  std::string all;
  std::vector<std::byte> buffer(10'000);
  while (true) {
    const auto got = co_await stream.read(buffer, deadline);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return all;
    all.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

TEST_F(S3BucketTest, AnObjectThatBreaksOffIsNotShort) {  // [S3CLIENT-18]
  serve([](Peer& peer, const SeenRequest&, int number) {
    if (number == 1) {
      peer.send(error(503, "SlowDown"));
      return Then::keep;
    }
    peer.send("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 100\r\n\r\n0123456789");
    return Then::close;
  });
  auto stream = run(s3().open_object(name, std::nullopt, in(60s)));
  ASSERT_TRUE(stream) << "opening is tried again";
  EXPECT_EQ((*stream)->look().size, 100u);
  EXPECT_EQ(run(read_all(**stream, in(60s))).error().trouble, Trouble::unavailable);
}

TEST_F(S3BucketTest, ARangeThatWasNotGivenIsNoSuccess) {  // [S3CLIENT-18]
  options_.attempts = 1;
  serve(reply(200, "0123456789", etag_field));
  EXPECT_FALSE(run(s3().open_object(name, ByteRange{3, 2}, in(60s))));
  end_client();
  serve(
      "HTTP/1.1 206 Part\r\nETag: \"e\"\r\nContent-Range: bytes 3-4/10\r\nContent-Length: "
      "2\r\n\r\n34");
  auto stream = run(s3().open_object(name, ByteRange{3, 2}, in(60s)));
  ASSERT_TRUE(stream) << stream.error().detail;
  EXPECT_EQ((*stream)->look().size, 10u);
  EXPECT_EQ(run(read_all(**stream, in(60s))), "34");
}

TEST_F(S3BucketTest, AReaderThatIsSlowHoldsUpTheServer) {  // [S3CLIENT-18] [CLIENT-16]
  const std::size_t size = 64'000'000;
  std::promise<void> sent;
  serve([&](Peer& peer, const SeenRequest&, int) {
    peer.send("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: " + std::to_string(size) +
              "\r\n\r\n");
    peer.send(std::string(size, 'z'));
    sent.set_value();
    return Then::close;
  });
  auto stream = run(s3().open_object(name, std::nullopt, in(60s)));
  ASSERT_TRUE(stream);
  auto all_sent = sent.get_future();
  EXPECT_EQ(all_sent.wait_for(500ms), std::future_status::timeout)
      << "somebody holds what nobody has read";
  EXPECT_EQ(run(read_all(**stream, in(60s))).value().size(), size);
  all_sent.get();
  end_client();
}

}  // namespace
}  // namespace tus::s3::test
