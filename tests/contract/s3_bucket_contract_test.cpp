// What the store asks of S3, asked of the bucket of the tests, or of a real server when the environment names one
// (tests/services). A deviation is a limit of that product.
#include "stores/s3/client/memory_bucket_test_kit.h"
#include "tests/contract/s3_server.h"

#include <tus/testing/coro_test.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace tus::s3 {
namespace {

constexpr std::size_t large_part = 5 << 20;  // what Amazon's takes as the smallest

// Where a product differs from Amazon's S3.
struct Deviations {
  Deviations() = default;

  bool no_conditions = false;      // of PutObject
  bool absent_is_changed = false;  // If-Match of an object that is not there
  bool any_order = false;          // of parts in Complete
  bool completed_stays = false;    // parts of what was completed are listed and taken
  bool completes_again = false;    // the same Complete once more
};

Deviations deviations_of(const std::string& product) {
  Deviations found;
  if (product == "ceph") found.absent_is_changed = found.any_order = found.completes_again = true;
  if (product == "swift")
    found.no_conditions = found.completed_stays = found.completes_again = true;
  return found;
}

// One bucket for all tests.
class House {
 public:
  House() {
    if (S3Server::product().empty()) {
      memory_.emplace(clock_);
    } else {
      server_.emplace();
    }
  }

  Bucket& bucket() { return server_ ? server_->client() : *memory_; }
  std::string name() const { return server_ ? S3Server::bucket() : "tests"; }

 private:
  SystemClock clock_;
  std::optional<test::MemoryBucket> memory_;
  std::optional<S3Server> server_;
};

class TextSource final : public PartSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  Awaitable<std::span<const std::byte>> next() override {
    auto count = std::min<std::size_t>(100'000, text_.size() - at_);
    auto piece = std::as_bytes(std::span(text_)).subspan(at_, count);
    at_ += count;
    co_return piece;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

std::unique_ptr<House>& house() {
  static std::unique_ptr<House> one;
  return one;
}

class S3Bucket : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { house() = std::make_unique<House>(); }
  static void TearDownTestSuite() { house().reset(); }

  static std::string prefix() {
    return std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + "/";
  }
  static ObjectName named(const std::string& key) { return {house()->name(), prefix() + key}; }
  static Payload payload_of(std::string_view text) {
    auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    return {{bytes.first(bytes.size() / 2), bytes.subspan(bytes.size() / 2)}};
  }
  template <class T>
  T call(Awaitable<T> task) {
    return testing::run(std::move(task));
  }
  template <class T>
  static std::optional<Trouble> trouble_of(const Answer<T>& answer) {
    return answer ? std::nullopt : std::optional(answer.error().trouble);
  }
  Answer<std::string> put(const std::string& key, std::string_view text, Condition condition = {},
                          ObjectHeaders headers = {}) {
    return call(bucket.put_object(named(key), payload_of(text), std::move(headers),
                                  std::move(condition), soon()));
  }
  std::string bytes_of(const std::string& key) {
    auto found = call(bucket.get_object(named(key), 64 << 20, "", soon()));
    return found && *found ? (*found)->bytes : "[none]";
  }
  MultipartName begin(const std::string& key, ObjectHeaders headers = {}) {
    auto upload = call(bucket.create_multipart(named(key), std::move(headers), soon()));
    EXPECT_TRUE(upload) << upload.error().detail;
    return {named(key), upload.value_or("none")};
  }
  PartTag part(const MultipartName& upload, std::uint32_t number, const std::string& text) {
    auto etag = call(bucket.put_part(upload, number, payload_of(text), soon()));
    EXPECT_TRUE(etag) << etag.error().detail;
    return {number, etag.value_or("")};
  }
  static bool has(const ObjectLook& look, const std::string& name, const std::string& value) {
    return std::ranges::count(look.metadata, std::pair(name, value)) == 1;
  }
  Answer<void> complete(const MultipartName& upload, std::vector<PartTag> parts) {
    return call(bucket.complete_multipart(upload, std::move(parts), soon()));
  }
  static Deadline soon() { return S3Server::soon(); }

  Bucket& bucket = house()->bucket();
  Deviations deviations = deviations_of(S3Server::product());
  std::string large = std::string(large_part, 'a');
};

TEST_F(S3Bucket, IsThere) { EXPECT_TRUE(call(bucket.check(house()->name(), soon()))); }

TEST_F(S3Bucket, KeepsObjects) {
  ObjectHeaders headers;
  headers.content_type = "text/plain";
  headers.metadata = {{"Start-Offset", "17"}};
  auto key = std::string("a b+c%d~e=f,g");
  auto etag = put(key, "hello", {}, headers);
  ASSERT_TRUE(etag) << etag.error().detail;
  auto look = call(bucket.head_object(named(key), soon()));
  ASSERT_TRUE(look) << look.error().detail;
  EXPECT_EQ(look->size, 5U);
  EXPECT_EQ(look->etag, *etag);
  EXPECT_TRUE(has(*look, "start-offset", "17"));
  EXPECT_LT(std::chrono::abs(look->last_modified - std::chrono::system_clock::now()),
            std::chrono::minutes(2));
  EXPECT_EQ(bytes_of(key), "hello");
  EXPECT_EQ(trouble_of(call(bucket.get_object(named(key), 4, "", soon()))), Trouble::too_large);
  auto same = call(bucket.get_object(named(key), 5, *etag, soon()));
  ASSERT_TRUE(same) << same.error().detail;
  EXPECT_FALSE(*same);
  ASSERT_TRUE(put(key, ""));
  EXPECT_EQ(bytes_of(key), "");
  EXPECT_TRUE(call(bucket.get_object(named(key), 5, *etag, soon())).value());
}

TEST_F(S3Bucket, KnowsWhatIsMissing) {
  EXPECT_EQ(trouble_of(call(bucket.head_object(named("a"), soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(call(bucket.get_object(named("a"), 5, "", soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(call(bucket.open_object(named("a"), std::nullopt, soon()))),
            Trouble::missing);
  EXPECT_TRUE(call(bucket.delete_object(named("a"), soon())));
  ASSERT_TRUE(put("a", "1"));
  EXPECT_TRUE(call(bucket.delete_object(named("a"), soon())));
  EXPECT_EQ(trouble_of(call(bucket.head_object(named("a"), soon()))), Trouble::missing);
}

TEST_F(S3Bucket, Conditions) {
  auto first = put("a", "one", {.if_absent = true});
  if (deviations.no_conditions) {
    EXPECT_EQ(trouble_of(first), Trouble::unsupported);
    return;
  }
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_EQ(trouble_of(put("a", "two", {.if_absent = true})), Trouble::changed);
  auto second = put("a", "two", {.if_match = *first});
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(trouble_of(put("a", "three", {.if_match = *first})), Trouble::changed);
  EXPECT_EQ(trouble_of(put("b", "three", {.if_match = *first})),
            deviations.absent_is_changed ? Trouble::changed : Trouble::missing);
  EXPECT_EQ(bytes_of("a"), "two");
}

TEST_F(S3Bucket, StreamsRanges) {
  ASSERT_TRUE(put("a", "0123456789"));
  auto stream = call(bucket.open_object(named("a"), ByteRange(2, 5), soon()));
  ASSERT_TRUE(stream) << stream.error().detail;
  EXPECT_EQ((*stream)->look().size, 10U);
  std::string got;
  std::array<std::byte, 4> into{};
  while (auto count = call((*stream)->read(into, soon())).value()) {
    got.append(reinterpret_cast<const char*>(into.data()), count);
  }
  EXPECT_EQ(got, "23456");
  EXPECT_EQ(trouble_of(call(bucket.open_object(named("a"), ByteRange(10, 1), soon()))),
            Trouble::changed);
}

TEST_F(S3Bucket, CompletesWhatIsRight) {
  ObjectHeaders headers;
  headers.metadata = {{"name", "value"}};
  auto upload = begin("a", headers);
  auto old = part(upload, 1, "xxxx");
  auto second = part(upload, 2, "b");
  auto first = part(upload, 1, large);
  EXPECT_EQ(trouble_of(complete(upload, {old, second})), Trouble::bad_parts);
  EXPECT_EQ(trouble_of(complete(upload, {first, {7, second.etag}})), Trouble::bad_parts);
  if (!deviations.any_order) {
    EXPECT_EQ(trouble_of(complete(upload, {second, first})), Trouble::bad_parts);
  }
  auto page = call(bucket.list_parts(upload, 0, soon()));
  ASSERT_TRUE(page) << page.error().detail;
  ASSERT_EQ(page->parts.size(), 2U);
  EXPECT_TRUE(page->at_end);
  EXPECT_EQ(page->parts[0].size, large_part);
  EXPECT_EQ(page->parts[1].number, 2U);
  EXPECT_EQ(page->parts[1].etag, second.etag);
  auto done = complete(upload, {first, second});
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(bytes_of("a"), large + "b");
  auto look = call(bucket.head_object(named("a"), soon()));
  ASSERT_TRUE(look);
  EXPECT_TRUE(has(*look, "name", "value"));
}

TEST_F(S3Bucket, ForgetsWhatIsCompleted) {
  auto upload = begin("a");
  auto only = part(upload, 1, "a");
  ASSERT_TRUE(complete(upload, {only}));
  auto again = complete(upload, {only});
  EXPECT_EQ(trouble_of(again),
            deviations.completes_again ? std::nullopt : std::optional(Trouble::missing));
  EXPECT_EQ(bytes_of("a"), "a");
  if (deviations.completed_stays) return;
  EXPECT_EQ(trouble_of(call(bucket.list_parts(upload, 0, soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(call(bucket.put_part(upload, 2, payload_of("b"), soon()))),
            Trouble::missing);
}

TEST_F(S3Bucket, RefusesSmallParts) {
  auto upload = begin("a");
  auto first =
      part(upload, 1, "tiny");  // for every server here, also those that take small ones for tests
  auto second = part(upload, 2, "b");
  EXPECT_EQ(trouble_of(complete(upload, {first, second})), Trouble::bad_parts);
  EXPECT_EQ(bytes_of("a"), "[none]");
}

TEST_F(S3Bucket, CopiesAndStreamsParts) {
  ASSERT_TRUE(put("from", large + "0123456789"));
  auto upload = begin("a");
  auto first = call(bucket.copy_part(upload, 1, named("from"), ByteRange(5, large_part), soon()));
  ASSERT_TRUE(first) << first.error().detail;
  TextSource source(large + "streamed");
  auto second = call(bucket.stream_part(upload, 2, source, soon()));
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_EQ(trouble_of(call(bucket.copy_part(upload, 3, named("no"), ByteRange(0, 1), soon()))),
            Trouble::missing);
  auto done = complete(upload, {{1, *first}, {2, *second}});
  ASSERT_TRUE(done) << done.error().detail;
  auto wanted = large.substr(5) + "01234" + large + "streamed";
  EXPECT_TRUE(bytes_of("a") == wanted);
}

TEST_F(S3Bucket, ForgetsWhatIsAborted) {
  auto upload = begin("a");
  auto first = part(upload, 1, "a");
  EXPECT_TRUE(call(bucket.abort_multipart(upload, soon())));
  EXPECT_TRUE(call(bucket.abort_multipart(upload, soon())));
  EXPECT_EQ(trouble_of(call(bucket.list_parts(upload, 0, soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(complete(upload, {first})), Trouble::missing);
  EXPECT_EQ(trouble_of(call(bucket.put_part(upload, 2, payload_of("b"), soon()))),
            Trouble::missing);
  EXPECT_EQ(bytes_of("a"), "[none]");
}

TEST_F(S3Bucket, ListsObjects) {
  for (const auto* key : {"b", "a/2", "a/1", "a/3"}) ASSERT_TRUE(put(key, key));
  auto page = call(bucket.list_objects(house()->name(), prefix() + "a/", "", soon()));
  ASSERT_TRUE(page) << page.error().detail;
  ASSERT_EQ(page->objects.size(), 3U);
  EXPECT_EQ(page->objects[0].key, prefix() + "a/1");
  EXPECT_EQ(page->objects[0].size, 3U);
  EXPECT_TRUE(page->at_end);
  page = call(bucket.list_objects(house()->name(), prefix() + "a/", prefix() + "a/1", soon()));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->objects.size(), 2U);
  EXPECT_EQ(page->objects[0].key, prefix() + "a/2");
}

TEST_F(S3Bucket, ListsMultiparts) {
  auto first = begin("a");
  auto second = begin("b");
  auto page = call(bucket.list_multiparts(house()->name(), prefix(), "", "", soon()));
  ASSERT_TRUE(page) << page.error().detail;
  ASSERT_EQ(page->uploads.size(), 2U);
  EXPECT_EQ(page->uploads[0].key, first.name.key);
  EXPECT_EQ(page->uploads[0].upload, first.upload);
  EXPECT_EQ(page->uploads[1].upload, second.upload);
  EXPECT_TRUE(page->at_end);
  EXPECT_TRUE(call(bucket.abort_multipart(first, soon())));
  page = call(bucket.list_multiparts(house()->name(), prefix(), "", "", soon()));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->uploads.size(), 1U);
}

}  // namespace
}  // namespace tus::s3
