// The bucket of the tests has to be as strict as S3, or the tests of the store show nothing.
#include "stores/s3/client/memory_bucket_test_kit.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/manual_clock.h>

#include <gtest/gtest.h>

#include <cstring>

namespace tus::s3::test {
namespace {

using testing::run;

Payload payload_of(std::string_view text) {
  return {{std::as_bytes(std::span(text.data(), text.size()))}};
}

class TextSource final : public PartSource {
 public:
  TextSource(std::string text, std::uint64_t size) : text_(std::move(text)), size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }
  Awaitable<std::span<const std::byte>> next() override {
    auto count = std::min<std::size_t>(3, text_.size() - at_);
    auto piece = std::as_bytes(std::span(text_)).subspan(at_, count);
    at_ += count;
    co_return piece;
  }
  std::size_t taken() const { return at_; }

 private:
  std::string text_;
  std::uint64_t size_;
  std::size_t at_ = 0;
};

class MemoryBucketTest : public ::testing::Test {
 protected:
  MemoryBucketTest() { quirks({}); }

  void quirks(Quirks quirks) {
    quirks.smallest_part = 4;
    bucket.set_quirks(quirks);
  }
  Deadline soon() const { return Deadline::after(clock.now(), std::chrono::seconds(5)); }

  Answer<std::string> put(std::string_view key, std::string_view bytes, Condition condition = {}) {
    return run(bucket.put_object(named(key), payload_of(bytes), {}, std::move(condition), soon()));
  }
  MultipartName begin(std::string_view key, ObjectHeaders headers = {}) {
    auto upload = run(bucket.create_multipart(named(key), std::move(headers), soon()));
    return {named(key), upload.value_or("none")};
  }
  PartTag part(const MultipartName& upload, std::uint32_t number, std::string_view bytes) {
    auto etag = run(bucket.put_part(upload, number, payload_of(bytes), soon()));
    EXPECT_TRUE(etag);
    return {number, etag.value_or("")};
  }
  Answer<void> complete(const MultipartName& upload, std::vector<PartTag> parts) {
    return run(bucket.complete_multipart(upload, std::move(parts), soon()));
  }
  std::optional<Trouble> trouble_of(const auto& answer) {
    return answer ? std::nullopt : std::optional(answer.error().trouble);
  }
  static ObjectName named(std::string_view key) { return {"files", std::string(key)}; }

  testing::ManualClock clock;
  MemoryBucket bucket{clock};
};

TEST_F(MemoryBucketTest, KeepsObjects) {
  ObjectHeaders headers;
  headers.metadata = {{"Name", "a b"}};
  auto etag = run(bucket.put_object(named("a"), payload_of("hello"), headers, {}, soon()));
  ASSERT_TRUE(etag);
  clock.advance(std::chrono::hours(1));
  auto look = run(bucket.head_object(named("a"), soon()));
  ASSERT_TRUE(look);
  EXPECT_EQ(look->size, 5U);
  EXPECT_EQ(look->etag, *etag);
  EXPECT_EQ(look->last_modified + std::chrono::hours(1),
            std::chrono::floor<std::chrono::seconds>(clock.wall()));
  EXPECT_EQ(look->metadata, (UserMetadata{{"name", "a b"}}));
  auto whole = run(bucket.get_object(named("a"), 5, "", soon()));
  ASSERT_TRUE(whole && *whole);
  EXPECT_EQ((*whole)->bytes, "hello");
  EXPECT_EQ(run(bucket.get_object(named("a"), 5, *etag, soon())).value(), std::nullopt);
  EXPECT_EQ(trouble_of(run(bucket.get_object(named("a"), 4, "", soon()))), Trouble::too_large);
  EXPECT_TRUE(run(bucket.delete_object(named("a"), soon())));
  EXPECT_TRUE(run(bucket.delete_object(named("a"), soon())));
  EXPECT_EQ(trouble_of(run(bucket.head_object(named("a"), soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(run(bucket.get_object(named("a"), 5, *etag, soon()))), Trouble::missing);
}

TEST_F(MemoryBucketTest, MetadataHasLimits) {
  ObjectHeaders headers;
  headers.metadata = {{"name", "\xc3\xa9"}};
  EXPECT_EQ(trouble_of(run(bucket.create_multipart(named("a"), headers, soon()))),
            Trouble::refused);
  headers.metadata = {{"name", std::string(2045, 'x')}};
  EXPECT_EQ(trouble_of(run(bucket.create_multipart(named("a"), headers, soon()))),
            Trouble::refused);
}

TEST_F(MemoryBucketTest, Conditions) {
  auto first = put("a", "one", {.if_absent = true}).value();
  EXPECT_EQ(trouble_of(put("a", "two", {.if_absent = true})), Trouble::changed);
  auto second = put("a", "two", {.if_match = first}).value();
  EXPECT_NE(first, second);
  EXPECT_EQ(trouble_of(put("a", "three", {.if_match = first})), Trouble::changed);
  EXPECT_EQ(trouble_of(put("b", "three", {.if_match = first})), Trouble::missing);
  EXPECT_EQ(bucket.peek("a"), "two");
  Quirks swift;
  swift.no_conditions = true;
  quirks(swift);
  EXPECT_EQ(trouble_of(put("c", "one", {.if_absent = true})), Trouble::unsupported);
  EXPECT_EQ(bucket.keys(), std::vector<std::string>{"a"});
}

TEST_F(MemoryBucketTest, StreamsRanges) {
  (void)put("a", "0123456789");
  auto stream = run(bucket.open_object(named("a"), ByteRange(2, 5), soon()));
  ASSERT_TRUE(stream);
  EXPECT_EQ((*stream)->look().size, 10U);
  (void)put("a", "another");
  std::array<char, 4> into{};
  auto bytes = std::as_writable_bytes(std::span(into));
  EXPECT_EQ(run((*stream)->read(bytes, soon())).value(), 4U);
  EXPECT_EQ(std::string_view(into.data(), 4), "2345");
  EXPECT_EQ(run((*stream)->read(bytes, soon())).value(), 1U);
  EXPECT_EQ(run((*stream)->read(bytes, soon())).value(), 0U);
  EXPECT_EQ(trouble_of(run(bucket.open_object(named("a"), ByteRange(7, 1), soon()))),
            Trouble::changed);
  EXPECT_EQ(bucket.faults().received(Operation::get_object), 5U);
}

TEST_F(MemoryBucketTest, CompletesWhatIsRight) {
  ObjectHeaders headers;
  headers.content_type = "text/plain";
  auto upload = begin("a", headers);
  auto old = part(upload, 1, "xxxx");
  auto second = part(upload, 2, "b");
  auto first = part(upload, 1, "aaaa");
  auto third = part(upload, 3, "not listed");
  EXPECT_EQ(trouble_of(complete(upload, {})), Trouble::refused);
  EXPECT_EQ(trouble_of(complete(upload, {old, second})), Trouble::bad_parts);
  EXPECT_EQ(trouble_of(complete(upload, {second, first})), Trouble::bad_parts);
  EXPECT_EQ(trouble_of(complete(upload, {first, second, third})), Trouble::bad_parts);
  EXPECT_EQ(bucket.peek("a"), std::nullopt);
  ASSERT_TRUE(complete(upload, {first, second}));
  EXPECT_EQ(bucket.peek("a"), "aaaab");
  EXPECT_EQ(bucket.peek_headers("a")->content_type, "text/plain");
  EXPECT_TRUE(bucket.multiparts().empty());
  EXPECT_EQ(bucket.bytes(), 5U);
  EXPECT_EQ(trouble_of(complete(upload, {first, second})), Trouble::missing);
  EXPECT_EQ(trouble_of(run(bucket.list_parts(upload, 0, soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(run(bucket.put_part(upload, 1, payload_of("a"), soon()))), Trouble::missing);
}

TEST_F(MemoryBucketTest, CephTakesAnyOrderAndTheSameAgain) {
  Quirks ceph;
  ceph.any_order = ceph.complete_again = true;
  quirks(ceph);
  auto upload = begin("a");
  auto second = part(upload, 2, "b");
  auto first = part(upload, 1, "aaaa");
  ASSERT_TRUE(complete(upload, {second, first}));
  EXPECT_EQ(bucket.peek("a"), "aaaab");
  EXPECT_TRUE(complete(upload, {first, second}));
  EXPECT_EQ(trouble_of(complete(upload, {first})), Trouble::missing);
  bucket.delete_behind_the_back("a");
  EXPECT_EQ(trouble_of(complete(upload, {first, second})), Trouble::missing);
}

TEST_F(MemoryBucketTest, ListsInPages) {
  Quirks small;
  small.page_size = 2;
  quirks(small);
  auto upload = begin("m");
  for (std::uint32_t number : {3U, 1U, 2U}) part(upload, number, "aaaa");
  auto page = run(bucket.list_parts(upload, 0, soon())).value();
  ASSERT_EQ(page.parts.size(), 2U);
  EXPECT_FALSE(page.at_end);
  EXPECT_EQ(page.parts[1].number, 2U);
  page = run(bucket.list_parts(upload, 2, soon())).value();
  ASSERT_EQ(page.parts.size(), 1U);
  EXPECT_TRUE(page.at_end);
  EXPECT_EQ(page.parts[0].size, 4U);

  for (auto key : {"a/3", "a/1", "a/2", "b"}) (void)put(key, key);
  auto objects = run(bucket.list_objects("files", "a/", "", soon())).value();
  ASSERT_EQ(objects.objects.size(), 2U);
  EXPECT_EQ(objects.objects[1].key, "a/2");
  EXPECT_FALSE(objects.at_end);
  objects = run(bucket.list_objects("files", "a/", "a/2", soon())).value();
  ASSERT_EQ(objects.objects.size(), 1U);
  EXPECT_TRUE(objects.at_end);

  for (int i = 0; i < 2; ++i) begin("m");
  auto uploads = run(bucket.list_multiparts("files", "", "", "", soon())).value();
  ASSERT_EQ(uploads.uploads.size(), 2U);
  EXPECT_FALSE(uploads.at_end);
  uploads =
      run(bucket.list_multiparts("files", "", uploads.key_marker, uploads.upload_marker, soon()))
          .value();
  EXPECT_EQ(uploads.uploads.size(), 1U);
  EXPECT_TRUE(uploads.at_end);
}

TEST_F(MemoryBucketTest, AListMayBeLate) {
  auto upload = begin("m");
  for (std::uint32_t number : {1U, 3U, 2U}) part(upload, number, "aaaa");
  Quirks late;
  late.newest_parts_hidden = 1;
  quirks(late);
  auto page = run(bucket.list_parts(upload, 0, soon())).value();
  ASSERT_EQ(page.parts.size(), 2U);
  EXPECT_EQ(page.parts[1].number, 3U);
  late.newest_parts_hidden = 9;
  quirks(late);
  EXPECT_TRUE(run(bucket.list_parts(upload, 0, soon())).value().parts.empty());
}

TEST_F(MemoryBucketTest, CopiesAndStreamsParts) {
  (void)put("from", "0123456789");
  auto upload = begin("a");
  auto copied = run(bucket.copy_part(upload, 1, named("from"), ByteRange(2, 4), soon()));
  ASSERT_TRUE(copied);
  EXPECT_EQ(trouble_of(run(bucket.copy_part(upload, 2, named("from"), ByteRange(8, 3), soon()))),
            Trouble::changed);
  EXPECT_EQ(trouble_of(run(bucket.copy_part(upload, 2, named("no"), ByteRange(8, 3), soon()))),
            Trouble::missing);
  TextSource source("streamed", 8);
  auto streamed = run(bucket.stream_part(upload, 2, source, soon()));
  ASSERT_TRUE(streamed);
  ASSERT_TRUE(complete(upload, {{1, *copied}, {2, *streamed}}));
  EXPECT_EQ(bucket.peek("a"), "2345streamed");
}

TEST_F(MemoryBucketTest, AStreamThatEndsEarlyLeavesThePartAsItWas) {
  auto upload = begin("a");
  part(upload, 1, "before");
  TextSource ends("short", 8);
  EXPECT_EQ(trouble_of(run(bucket.stream_part(upload, 1, ends, soon()))), Trouble::unavailable);
  bucket.faults().fail_nth(Operation::put_part, 1, Fault::breaks_off);
  TextSource cut("streamed", 8);
  EXPECT_EQ(trouble_of(run(bucket.stream_part(upload, 1, cut, soon()))), Trouble::unavailable);
  EXPECT_GT(cut.taken(), 0U);
  EXPECT_LT(cut.taken(), 8U);
  EXPECT_EQ(bucket.part_bytes("a"), "before");
}

TEST_F(MemoryBucketTest, BehindTheBack) {
  auto upload = begin("a");
  part(upload, 1, "aaaa");
  bucket.abort_behind_the_back("a");
  EXPECT_EQ(trouble_of(complete(upload, {{1, etag_of("aaaa")}})), Trouble::missing);
  bucket.put_behind_the_back(named("b"), "theirs");
  EXPECT_EQ(run(bucket.head_object(named("b"), soon()))->size, 6U);
}

TEST_F(MemoryBucketTest, OnlyBucketsThatAreThere) {
  MemoryBucketOptions options;
  options.buckets = {"files"};
  MemoryBucket one(clock, options);
  EXPECT_TRUE(run(one.check("files", soon())));
  EXPECT_EQ(trouble_of(run(one.check("other", soon()))), Trouble::refused);
  EXPECT_EQ(trouble_of(run(one.put_object({"other", "a"}, payload_of("a"), {}, {}, soon()))),
            Trouble::refused);
}

TEST_F(MemoryBucketTest, EachFaultDoesWhatItSays) {
  auto& faults = bucket.faults();
  faults.fail_nth(2, Fault::fails);
  EXPECT_TRUE(put("a", "1"));
  EXPECT_EQ(trouble_of(put("a", "2")), Trouble::unavailable);
  EXPECT_EQ(bucket.peek("a"), "1");
  EXPECT_TRUE(put("a", "3"));
  faults.fail_nth(Operation::put_object, 1, Fault::answer_lost);
  EXPECT_TRUE(run(bucket.head_object(named("a"), soon())));
  EXPECT_EQ(trouble_of(put("a", "4")), Trouble::unavailable);
  EXPECT_EQ(bucket.peek("a"), "4");
  faults.fail_all(Operation::head_object, Fault::missing);
  EXPECT_EQ(trouble_of(run(bucket.head_object(named("a"), soon()))), Trouble::missing);
  EXPECT_EQ(trouble_of(run(bucket.head_object(named("a"), soon()))), Trouble::missing);
  faults.clear_faults();
  EXPECT_TRUE(run(bucket.head_object(named("a"), soon())));
  faults.fail_nth(Operation::create_multipart, 1, Fault::done_twice);
  auto upload = begin("m");
  ASSERT_EQ(bucket.multiparts().size(), 2U);
  EXPECT_EQ(bucket.multiparts()[1].upload, upload.upload);
  auto tag = part(upload, 1, "x");
  faults.fail_nth(Operation::complete_multipart, 1, Fault::done_twice);
  EXPECT_EQ(trouble_of(complete(upload, {tag})), Trouble::missing);
  EXPECT_EQ(bucket.peek("m"), "x");
  faults.fail_nth(Operation::get_object, 1, Fault::breaks_off);
  (void)put("a", "0123456789");
  auto stream = run(bucket.open_object(named("a"), std::nullopt, soon()));
  ASSERT_TRUE(stream);
  std::array<std::byte, 16> into{};
  EXPECT_EQ(run((*stream)->read(into, soon())).value(), 5U);
  EXPECT_EQ(trouble_of(run((*stream)->read(into, soon()))), Trouble::unavailable);
}

Awaitable<void> keep_trouble(Awaitable<Answer<ObjectLook>> call, std::optional<Trouble>& trouble,
                             bool& done) {
  auto answer = co_await std::move(call);
  if (!answer) trouble = answer.error().trouble;
  done = true;
}

TEST_F(MemoryBucketTest, WhatHangsEndsAtItsDeadlineAndWhatIsHeldWhenItIsLetGo) {
  (void)put("a", "1");
  for (auto fault : {Fault::hangs, Fault::held}) {
    bucket.faults().fail_nth(1, fault);
    std::optional<Trouble> trouble;
    bool done = false;
    testing::TestLoop loop;
    loop.spawn(keep_trouble(bucket.head_object(named("a"), soon()), trouble, done));
    loop.run_until_idle();
    EXPECT_FALSE(done);
    EXPECT_EQ(bucket.faults().held(), 1);
    if (fault == Fault::hangs) clock.advance(std::chrono::seconds(5));
    if (fault == Fault::held) bucket.faults().let_go();
    loop.run();
    EXPECT_EQ(trouble, fault == Fault::hangs ? std::optional(Trouble::unavailable) : std::nullopt);
  }
}

TEST_F(MemoryBucketTest, ADeadProcessDoesNothingUntilItIsRevived) {
  bucket.faults().die_after(2);
  EXPECT_TRUE(put("a", "1"));
  EXPECT_FALSE(put("a", "2"));
  EXPECT_FALSE(run(bucket.delete_object(named("a"), soon())));
  EXPECT_TRUE(bucket.faults().is_dead());
  bucket.faults().revive();
  EXPECT_EQ(bucket.peek("a"), "1");
  EXPECT_TRUE(put("a", "3"));
  bucket.faults().die_during(1);
  EXPECT_FALSE(put("a", "4"));
  EXPECT_FALSE(put("a", "5"));
  EXPECT_EQ(bucket.peek("a"), "4");
}

TEST_F(MemoryBucketTest, CountsAndTells) {
  auto upload = begin("a");
  part(upload, 1, "12345");
  bucket.faults().fail_nth(1, Fault::answer_lost);
  (void)run(bucket.put_part(upload, 2, payload_of("678"), soon()));
  auto& faults = bucket.faults();
  EXPECT_EQ(faults.requests(), 3);
  EXPECT_EQ(faults.requests(Operation::put_part), 2);
  EXPECT_EQ(faults.sent(), 8U);
  EXPECT_EQ(faults.log().back(), "put_part files/a+" + upload.upload + "#2 3: answer_lost");
  faults.reset_counts();
  EXPECT_EQ(faults.requests(), 0);
}

Awaitable<void> put_many(MemoryBucket& bucket, int thread, int& failed) {
  auto name = ObjectName("files", std::to_string(thread));
  for (int i = 0; i < 200; ++i) {
    auto text = std::to_string(i);
    auto put = co_await bucket.put_object(name, payload_of(text), {}, {}, Deadline::never());
    auto got = co_await bucket.get_object(name, 10, "", Deadline::never());
    if (!put || !got || (*got)->bytes != text) ++failed;
  }
}

TEST_F(MemoryBucketTest, ManyThreads) {
  std::array<int, 4> failed{};
  testing::run_on_threads(
      4, [&](int i) { return put_many(bucket, i, failed[static_cast<std::size_t>(i)]); });
  EXPECT_EQ(failed, (std::array<int, 4>{}));
  EXPECT_EQ(bucket.faults().requests(), 1600);
}

}  // namespace
}  // namespace tus::s3::test
