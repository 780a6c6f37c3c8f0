// The S3 client against a real S3: TUS_TEST_S3_URL, TUS_TEST_S3_KEY and TUS_TEST_S3_SECRET say which.
#include "net/http_client.h"
#include "stores/s3/client/http_bucket.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <stdexcept>

namespace tus::s3 {
namespace {

using namespace std::chrono_literals;
using tus::testing::run;

constexpr std::size_t mib = std::size_t{1} << 20;

Deadline soon() { return Deadline::after(std::chrono::steady_clock::now(), 60s); }

std::string env(const char* name) {
  const auto* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
  return value;
}

std::string random_bytes(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::minstd_rand random(seed);
  for (auto& byte : bytes) byte = static_cast<char>(random() >> 8);
  return bytes;
}

Payload payload_of(const std::string& bytes) {
  Payload payload;
  const auto all = std::as_bytes(std::span(bytes));
  // Uneven pieces, as buffers of a store would be.
  for (std::size_t at = 0; at < all.size();) {
    const auto size = std::min<std::size_t>(all.size() - at, 700'001);
    payload.pieces.push_back(all.subspan(at, size));
    at += size;
  }
  return payload;
}

class StringSource final : public PartSource {
 public:
  StringSource(std::string bytes, std::size_t announced)
      : bytes_(std::move(bytes)), rest_(std::as_bytes(std::span(bytes_))), size_(announced) {}
  std::uint64_t size() const noexcept override { return size_; }
  Awaitable<std::span<const std::byte>> next() override {
    const auto piece = rest_.first(std::min<std::size_t>(rest_.size(), 100'003));
    rest_ = rest_.subspan(piece.size());
    co_return piece;
  }

 private:
  std::string bytes_;
  std::span<const std::byte> rest_;
  std::uint64_t size_;
};

template <class T>
T good(Answer<T> answer) {
  if (!answer) throw std::runtime_error(answer.error().detail);
  return std::move(*answer);
}
void good(Answer<void> answer) {
  if (!answer) throw std::runtime_error(answer.error().detail);
}
template <class T>
Trouble bad(const Answer<T>& answer) {
  if (answer) throw std::runtime_error("that was to fail");
  return answer.error().trouble;
}

class S3ClientLive : public ::testing::TestWithParam<bool> {
 protected:
  S3ClientLive() {
    // Nothing of an earlier test.
    bucket_ += std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    options_.endpoint.url = env("TUS_TEST_S3_URL");
    options_.endpoint.region = "us-east-1";
    options_.disable_content_hashes = GetParam();
    parts_.http = &http_;
    use(env("TUS_TEST_S3_KEY"), env("TUS_TEST_S3_SECRET"));
    Calls calls(options_, *Endpoint::make(options_.endpoint), parts_);
    Call make(Operation::put_object, "PUT", {bucket_, ""});
    auto made = run(calls.send(std::move(make), soon()));
    if (!made && made.error().status != 409) throw std::runtime_error(made.error().failure.detail);
  }
  ~S3ClientLive() override { run(http_.close(soon())); }

  void use(const std::string& key, const std::string& secret) {
    parts_.credentials = std::make_shared<FixedCredentials>(
        Credentials{.key_id = key, .secret = secret, .token = {}, .expires = {}});
    bucket_client_ = *HttpBucket::make(options_, parts_);
  }

  HttpBucket& s3() { return *bucket_client_; }
  ObjectName name(std::string key) const { return {bucket_, std::move(key)}; }
  MultipartName multipart(const std::string& key, ObjectHeaders headers = {}) {
    return {name(key), good(run(s3().create_multipart(name(key), std::move(headers), soon())))};
  }
  std::string put_part(const MultipartName& upload, std::uint32_t number,
                       const std::string& bytes) {
    return good(run(s3().put_part(upload, number, payload_of(bytes), soon())));
  }
  void put(const std::string& key, const std::string& bytes, ObjectHeaders headers = {}) {
    good(run(s3().put_object(name(key), payload_of(bytes), std::move(headers), {}, soon())));
  }
  std::string get(const std::string& key, std::optional<ByteRange> range = {}) {
    return run(read_all(good(run(s3().open_object(name(key), range, soon())))));
  }
  static Awaitable<std::string> read_all(std::unique_ptr<ObjectStream> stream) {
    std::string all;
    std::vector<std::byte> buffer(77'777);
    while (true) {
      const auto got = good(co_await stream->read(buffer, soon()));
      if (got == 0) co_return all;
      all.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
  }

  EventLoops loops_{1};
  net::HttpClient http_{loops_.executors()[0], {}};
  ClientOptions options_;
  ClientParts parts_;
  std::unique_ptr<HttpBucket> bucket_client_;
  std::string bucket_ = "tus-";
};

TEST_P(S3ClientLive, ObjectsComeBackByteForByte) {  // [S3CLIENT-20]
  for (const std::size_t size : {0ul, 1ul, 4096ul, 32769ul, 5 * mib + 17}) {
    const auto bytes = random_bytes(size, static_cast<unsigned>(size) + 1);
    const std::string key = "a b/c+d%2F=~(1)*'&/\xc3\xa4\xe2\x82\xac" + std::to_string(size);
    put(key, bytes);
    EXPECT_TRUE(get(key) == bytes) << size;
    const auto look = good(run(s3().head_object(name(key), soon())));
    EXPECT_EQ(look.size, size);
    EXPECT_FALSE(look.etag.empty());
    const auto small = run(s3().get_object(name(key), 4096, "", soon()));
    if (size <= 4096) {
      EXPECT_TRUE(good(small)->bytes == bytes);
    } else {
      EXPECT_EQ(bad(small), Trouble::too_large);
    }
    good(run(s3().delete_object(name(key), soon())));
    good(run(s3().delete_object(name(key), soon())));
    EXPECT_EQ(bad(run(s3().head_object(name(key), soon()))), Trouble::missing);
    EXPECT_EQ(bad(run(s3().get_object(name(key), 10, "", soon()))), Trouble::missing);
    EXPECT_EQ(bad(run(s3().open_object(name(key), std::nullopt, soon()))), Trouble::missing);
  }
}

TEST_P(S3ClientLive, RangesAreCutExactly) {  // [S3CLIENT-20]
  const auto bytes = random_bytes(3 * mib, 5);
  put("range", bytes);
  for (const auto& range : {ByteRange{0, 1}, ByteRange{1, 100}, ByteRange{mib - 1, mib + 3},
                            ByteRange{3 * mib - 1, 1}, ByteRange{0, 3 * mib}})
    EXPECT_TRUE(get("range", range) == bytes.substr(range.first, range.count));
  EXPECT_EQ(get("range", ByteRange{3 * mib - 2, 100}), bytes.substr(3 * mib - 2));
  EXPECT_EQ(bad(run(s3().open_object(name("range"), ByteRange{3 * mib, 1}, soon()))),
            Trouble::changed);
  auto stream = good(run(s3().open_object(name("range"), ByteRange{5, 10}, soon())));
  EXPECT_EQ(stream->look().size, 3 * mib);
}

TEST_P(S3ClientLive, HeadersAndMetadataAreKept) {  // [S3CLIENT-20]
  ObjectHeaders headers;
  headers.content_type = "text/plain; charset=utf-8";
  headers.content_disposition = "attachment; filename=\"a  b.txt\"";
  headers.cache_control = "max-age=60";
  headers.metadata = {{"Tus-Start", "12"}, {"two", "a b  c;d,e=\"f\""}};
  put("meta", "x", headers);
  const auto look = good(run(s3().head_object(name("meta"), soon())));
  std::map<std::string, std::string> metadata(look.metadata.begin(), look.metadata.end());
  EXPECT_EQ(metadata["tus-start"], "12");
  EXPECT_EQ(metadata["two"], "a b  c;d,e=\"f\"");
  EXPECT_EQ(metadata.size(), 2u);
  EXPECT_GT(look.last_modified.time_since_epoch().count(), 1'700'000'000);
}

TEST_P(S3ClientLive, ConditionsHold) {  // [S3CLIENT-20]
  good(run(s3().delete_object(name("cond"), soon())));
  const auto only_new = [&](const std::string& bytes) {
    return run(s3().put_object(name("cond"), payload_of(bytes), {},
                               {.if_match = {}, .if_absent = true}, soon()));
  };
  const auto first = good(only_new("1"));
  EXPECT_EQ(bad(only_new("2")), Trouble::changed);
  const auto replace = [&](const std::string& etag) {
    return run(s3().put_object(name("cond"), payload_of("3"), {},
                               {.if_match = etag, .if_absent = false}, soon()));
  };
  EXPECT_EQ(bad(replace("\"0123456789abcdef0123456789abcdef\"")), Trouble::changed);
  const auto second = good(replace(first));
  EXPECT_NE(first, second);
  EXPECT_EQ(bad(replace(first)), Trouble::changed);
  EXPECT_FALSE(good(run(s3().get_object(name("cond"), 10, second, soon()))).has_value());
  EXPECT_EQ(good(run(s3().get_object(name("cond"), 10, first, soon())))->bytes, "3");
}

TEST_P(S3ClientLive, PartsBecomeAnObject) {  // [S3CLIENT-20]
  ObjectHeaders headers;
  headers.content_type = "video/mp4";
  headers.metadata = {{"id", "abc"}};
  const auto upload = multipart("parts/x", headers);
  const auto one = random_bytes(5 * mib, 1);
  const auto two = random_bytes(5 * mib + 1, 2);
  const auto three = random_bytes(17, 3);
  (void)put_part(upload, 1, three);  // replaced
  std::vector<PartTag> tags{
      {1, put_part(upload, 1, one)}, {2, {}}, {3, put_part(upload, 3, three)}};
  StringSource source(two, two.size());
  tags[1].etag = good(run(s3().stream_part(upload, 2, source, soon())));

  auto page = good(run(s3().list_parts(upload, 0, soon())));
  ASSERT_EQ(page.parts.size(), 3u);
  EXPECT_TRUE(page.at_end);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(page.parts[i].number, i + 1);
    EXPECT_EQ(page.parts[i].etag, tags[i].etag);
  }
  EXPECT_EQ(page.parts[1].size, two.size());
  page = good(run(s3().list_parts(upload, 2, soon())));
  ASSERT_EQ(page.parts.size(), 1u);
  EXPECT_EQ(page.parts[0].number, 3u);

  good(run(s3().complete_multipart(upload, tags, soon())));
  EXPECT_TRUE(get("parts/x") == one + two + three);
  const auto look = good(run(s3().head_object(name("parts/x"), soon())));
  EXPECT_EQ(look.size, one.size() + two.size() + three.size());
  EXPECT_EQ(look.metadata, (UserMetadata{{"id", "abc"}}));
  EXPECT_EQ(bad(run(s3().list_parts(upload, 0, soon()))), Trouble::missing);
}

TEST_P(S3ClientLive, ABodyThatEndsTooEarlyIsNoPart) {  // [S3CLIENT-20]
  const auto upload = multipart("short");
  const auto bytes = random_bytes(mib, 1);
  StringSource source(bytes, 2 * mib);
  EXPECT_EQ(bad(run(s3().stream_part(upload, 1, source, soon()))), Trouble::unavailable);
  EXPECT_TRUE(good(run(s3().list_parts(upload, 0, soon()))).parts.empty());
  good(run(s3().abort_multipart(upload, soon())));
}

TEST_P(S3ClientLive, BadPartsAreToldAsSuch) {  // [S3CLIENT-20]
  auto upload = multipart("bad");
  const auto tag = put_part(upload, 1, "small");
  const auto last = put_part(upload, 2, "last");
  EXPECT_EQ(bad(run(s3().complete_multipart(upload, {{1, tag}, {2, last}}, soon()))),
            Trouble::bad_parts);
  EXPECT_EQ(
      bad(run(s3().complete_multipart(upload, {{1, "\"" + std::string(32, '0') + "\""}}, soon()))),
      Trouble::bad_parts);
  good(run(s3().abort_multipart(upload, soon())));
  good(run(s3().abort_multipart(upload, soon())));
  EXPECT_EQ(bad(run(s3().complete_multipart(upload, {{1, tag}}, soon()))), Trouble::missing);
  EXPECT_EQ(bad(run(s3().put_part(upload, 1, payload_of("x"), soon()))), Trouble::missing);
  StringSource source("x", 1);
  EXPECT_EQ(bad(run(s3().stream_part(upload, 1, source, soon()))), Trouble::missing);
}

TEST_P(S3ClientLive, PartsAreCopied) {  // [S3CLIENT-20]
  const auto bytes = random_bytes(6 * mib, 9);
  put("from/\xc3\xa4 +", bytes);
  const auto upload = multipart("copy");
  const ByteRange range{mib / 2, 5 * mib};
  std::vector<PartTag> tags{
      {1, good(run(s3().copy_part(upload, 1, name("from/\xc3\xa4 +"), range, soon())))},
      {2, put_part(upload, 2, "end")}};
  good(run(s3().complete_multipart(upload, tags, soon())));
  EXPECT_TRUE(get("copy") == bytes.substr(range.first, range.count) + "end");
  const auto other = multipart("copy2");
  EXPECT_EQ(bad(run(s3().copy_part(other, 1, name("none"), range, soon()))), Trouble::missing);
  good(run(s3().abort_multipart(other, soon())));
}

TEST_P(S3ClientLive, ListsArePagedAndDecoded) {  // [S3CLIENT-20]
  const std::vector<std::string> keys{"l/ a", "l/%2F", "l/+b", "l/<&>", "l/\xc3\xa4"};
  for (const auto& key : keys) put(key, key);
  const auto page = good(run(s3().list_objects(bucket_, "l/", "", soon())));
  ASSERT_EQ(page.objects.size(), keys.size());
  EXPECT_TRUE(page.at_end);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(page.objects[i].key, keys[i]);
    EXPECT_EQ(page.objects[i].size, keys[i].size());
  }
  const auto rest = good(run(s3().list_objects(bucket_, "l/", keys[2], soon())));
  ASSERT_EQ(rest.objects.size(), 2u);
  EXPECT_EQ(rest.objects[0].key, keys[3]);

  std::vector<MultipartName> uploads;
  for (const auto& key : keys) uploads.push_back(multipart(key));
  const auto found = good(run(s3().list_multiparts(bucket_, "l/", "", "", soon())));
  ASSERT_EQ(found.uploads.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(found.uploads[i].key, keys[i]);
  const auto behind = good(run(
      s3().list_multiparts(bucket_, "l/", found.uploads[3].key, found.uploads[3].upload, soon())));
  ASSERT_EQ(behind.uploads.size(), 1u);
  EXPECT_EQ(behind.uploads[0].key, keys[4]);
  for (const auto& upload : uploads) good(run(s3().abort_multipart(upload, soon())));
  EXPECT_TRUE(good(run(s3().list_multiparts(bucket_, "l/", "", "", soon()))).uploads.empty());
}

TEST_P(S3ClientLive, WhatIsWrongAtStartIsSaid) {  // [S3CLIENT-15]
  good(run(s3().check(bucket_, soon())));
  EXPECT_TRUE(run(s3().check_start(bucket_, soon())));
  EXPECT_THAT(run(s3().check_start("no-such-bucket-here", soon())).error(),
              ::testing::HasSubstr("there is no bucket \"no-such-bucket-here\""));
  EXPECT_EQ(bad(run(s3().get_object({"no-such-bucket-here", "x"}, 10, "", soon()))),
            Trouble::refused)
      << "an upload is not gone because a bucket is";
  use(env("TUS_TEST_S3_KEY"), "wrong");
  EXPECT_THAT(run(s3().check_start(bucket_, soon())).error(),
              ::testing::HasSubstr("AWS_SECRET_ACCESS_KEY"));
  EXPECT_EQ(bad(run(s3().put_object(name("x"), payload_of("x"), {}, {}, soon()))),
            Trouble::refused);
  use("nobody", "wrong");
  EXPECT_THAT(run(s3().check_start(bucket_, soon())).error(),
              ::testing::HasSubstr("AWS_ACCESS_KEY_ID"));
}

INSTANTIATE_TEST_SUITE_P(Payload, S3ClientLive, ::testing::Bool(), [](const auto& info) {
  return info.param ? std::string("Unsigned") : std::string("Signed");
});

}  // namespace
}  // namespace tus::s3
