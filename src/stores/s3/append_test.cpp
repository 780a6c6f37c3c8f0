// How bytes get into the bucket: how many requests, how much memory, and what happens when there is none.
#include "stores/s3/s3_test_kit.h"

#include <gmock/gmock.h>

namespace tus::s3::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint64_t kib = 1024;

// As real sizes, divided by 1,024.
StoreOptions in_kib(Instances instances) {
  StoreOptions options;
  options.parts.smallest = 5 * kib;
  options.parts.preferred = 50 * kib;
  options.parts.largest = 5 * kib * kib;
  options.chunk = 64;
  options.max_memory = 256 * kib;
  options.instances = instances;
  return options;
}

Quirks kib_quirks() {
  Quirks quirks;
  quirks.smallest_part = 5 * kib;
  return quirks;
}

// 100 chunks of 1 KiB, as a client sends them. Requests that were needed for them.
int requests_for_chunks(Bench& bench) {
  const auto text = pattern(100 * kib);
  auto made = bench.create("a", text.size());
  EXPECT_TRUE(made);
  const auto id = (*made)->info().id;
  made->reset();
  bench.faults().reset_counts();
  for (std::size_t at = 0; at < text.size(); at += kib) {
    auto upload = bench.open(id);
    EXPECT_TRUE(upload);
    EXPECT_EQ(Bench::append(**upload, text.substr(at, kib)).safe_offset, at + kib);
  }
  const auto requests = bench.faults().requests();
  auto upload = bench.open(id);
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(bench.bucket().peek("a") == text);
  return requests;
}

// [S3-30] A small chunk is one request, nothing is read back, and 3 times its bytes are sent.
TEST(s3_append, small_chunks_are_cheap_for_a_single_server) {
  Bench bench(in_kib(Instances::one), kib_quirks());
  EXPECT_LE(requests_for_chunks(bench), 130);
  EXPECT_EQ(bench.faults().received(Operation::get_object), 0u);
  const auto sent = bench.faults().sent(Operation::put_part);
  const auto rests = bench.faults().sent(Operation::put_object);
  EXPECT_LE(sent + rests, 310 * kib);
}

// [S3-31] With others it is one more, which makes sure of what is remembered.
TEST(s3_append, small_chunks_cost_one_request_more_with_others) {
  Bench bench(in_kib(Instances::several), kib_quirks());
  EXPECT_LE(requests_for_chunks(bench), 230);
  EXPECT_EQ(bench.faults().received(Operation::get_object), 0u);
}

// [S3-31] Requests come to one server and the other in turn.
TEST(s3_append, two_servers_in_turn) {
  Bench bench(in_kib(Instances::several), kib_quirks());
  const auto other = bench.make_store();
  const auto text = pattern(60 * kib);
  auto made = bench.create("a", text.size());
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  made->reset();
  std::size_t at = 0;
  for (int i = 0; at < text.size(); ++i) {
    auto& store = i % 3 == 1 ? static_cast<Store&>(*other) : bench.store();
    auto looked =
        run((i % 2 == 0 ? static_cast<Store&>(*other) : bench.store()).inspect(id, never));
    ASSERT_TRUE(looked);
    EXPECT_EQ(looked->offset, at);
    auto upload = run(store.open(id, FakeLease(), never));
    ASSERT_TRUE(upload) << upload.error().detail();
    ASSERT_EQ((*upload)->info().offset, at);
    const auto next = text.substr(at, 700 + 300 * static_cast<std::size_t>(i % 7));
    at = static_cast<std::size_t>(Bench::append(**upload, next).safe_offset);
  }
  auto upload = run(other->open(id, FakeLease(), never));
  ASSERT_TRUE(upload);
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(bench.bucket().peek("a") == text);
}

// [S3-31] What is remembered is made sure of by one request, and given up when the other has written.
TEST(s3_append, a_look_at_what_is_remembered_is_one_request) {
  Bench bench(in_kib(Instances::several), kib_quirks());
  const auto other = bench.make_store();
  const auto text = pattern(60 * kib);
  auto made = bench.create("a", text.size(), text.substr(0, 7 * kib));
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  made->reset();
  bench.faults().reset_counts();
  EXPECT_EQ(bench.inspect(id)->offset, 7 * kib);
  EXPECT_EQ(bench.faults().requests(), 1);
  auto upload = run(other->open(id, FakeLease(), never));
  ASSERT_TRUE(upload);
  EXPECT_EQ(Bench::append(**upload, text.substr(7 * kib, kib)).safe_offset, 8 * kib);
  EXPECT_EQ(bench.inspect(id)->offset, 8 * kib);
  upload->reset();
  EXPECT_EQ(run(other->inspect(id, never))->offset, 8 * kib);
  EXPECT_TRUE(run((*bench.open(id))->terminate(FakeLease(), never)));
  EXPECT_TRUE(run(other->inspect(id, never)).error() == ErrorCode::upload_not_found);
}

// [S3-31] Who only looks while another is in the middle of writing remembers nothing of it.
TEST(s3_append, what_another_writes_is_not_remembered) {
  Bench bench;
  const auto other = bench.make_store();
  auto made = bench.create("a", 40);
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  EXPECT_EQ(Bench::append(**made, pattern(7)).safe_offset, 7u);
  {
    auto looker = run(other->open(id, FakeLease(), never));
    ASSERT_TRUE(looker);
    EXPECT_EQ((*looker)->info().offset, 7u);
  }
  // Under the same claim, so that the record stays as it is.
  EXPECT_EQ(Bench::append(**made, pattern(7).substr(0, 5)).safe_offset, 12u);
  EXPECT_EQ(run(other->inspect(id, never))->offset, 12u);
  EXPECT_EQ((*run(other->open(id, FakeLease(), never)))->info().offset, 12u);
}

Awaitable<void> append_all(Upload& upload, ScriptSource& source, AppendOutcome& outcome) {
  FakeLease lease;
  outcome = co_await upload.append(lease, source, AppendRequest(upload.info().offset), never);
}

// [S3-32] What a silent client has sent is put into the bucket, and goes on from there.
TEST(s3_append, a_stalled_body_is_put_aside) {
  auto options = Bench::small_options();
  options.stalled_after = std::chrono::milliseconds(20);
  for (std::size_t held_at : {1u, 2u, 3u}) {
    SCOPED_TRACE(held_at);
    Bench bench(options);
    auto made = bench.create("a", 12);
    ASSERT_TRUE(made);
    auto script = BodyScript::chunked("hello world!", 4);
    script.hold_before = held_at;
    ScriptSource source(std::move(script));
    AppendOutcome outcome;
    TestLoop loop;
    loop.spawn(append_all(**made, source, outcome));
    loop.spawn(wait_for_offset(bench, (*made)->info().id, 4 * held_at, source));
    loop.run();
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.safe_offset, 12u);
    // [METRIC-15] What is behind whole parts; the last one is whole with 2 bytes.
    const auto rest = held_at == 3 ? 0 : 4 * held_at % 5;
    EXPECT_EQ(bench.told().spilled, rest);
    EXPECT_EQ(bench.told().spills,
              std::vector<SpillReason>(rest > 0 ? 1 : 0, SpillReason::stalled));
    EXPECT_TRUE(run((*made)->finish_and_record(FakeLease(), never)));
    EXPECT_EQ(bench.bucket().peek("a"), "hello world!");
  }
}

// [S3-33] Many uploads at once in a memory that holds two parts: all come to their end.
TEST(s3_append, little_memory_is_enough_for_all) {
  auto options = Bench::small_options();
  options.max_memory = 11;
  options.chunk = 2;
  options.stalled_after = std::chrono::milliseconds(5);
  Bench bench(options);
  struct One {
    std::string text;
    std::unique_ptr<Upload> upload;
    std::unique_ptr<ScriptSource> source;
    AppendOutcome outcome;
  };
  std::vector<One> all(12);
  TestLoop loop;
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto& one = all[i];
    one.text = pattern(43, static_cast<unsigned>(i));
    one.upload = *bench.create("a" + std::to_string(i), one.text.size());
    one.source = std::make_unique<ScriptSource>(BodyScript::chunked(one.text, 3));
    loop.spawn(append_all(*one.upload, *one.source, one.outcome));
  }
  loop.run();
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    auto& one = all[i];
    EXPECT_FALSE(one.outcome.error) << one.outcome.error->detail();
    EXPECT_EQ(one.outcome.safe_offset, one.text.size());
    EXPECT_TRUE(run(one.upload->finish_and_record(FakeLease(), never)));
    EXPECT_EQ(bench.bucket().peek("a" + std::to_string(i)), one.text);
  }
}

// One who is silent in the middle, and another who needs the memory.
struct SilentAndOther {
  explicit SilentAndOther(std::chrono::milliseconds stalled_after)
      : bench(options(stalled_after)) {}

  static StoreOptions options(std::chrono::milliseconds stalled_after) {
    auto options = Bench::small_options();
    options.max_memory = 6;
    options.stalled_after = stalled_after;
    return options;
  }
  static BodyScript held_script() {
    auto script = BodyScript::chunked(pattern(40), 4);
    script.hold_before = 3;
    return script;
  }

  Bench bench;
  std::unique_ptr<Upload> silent = *bench.create("silent", 40);
  std::unique_ptr<Upload> other = *bench.create("other", 23);
  ScriptSource held{held_script()};
  ScriptSource whole{BodyScript::chunked(pattern(23), 4)};
  AppendOutcome first;
  AppendOutcome second;
  TestLoop loop;
};

// [S3-33] Somebody who is silent keeps nobody else from the memory.
TEST(s3_append, a_silent_client_holds_no_memory_that_others_need) {
  SilentAndOther two(std::chrono::hours(1));
  auto& bench = two.bench;
  two.loop.spawn(append_all(*two.silent, two.held, two.first));
  two.loop.run_until_idle();
  two.loop.spawn(append_all(*two.other, two.whole, two.second));
  two.loop.spawn(wait_for_offset(bench, two.other->info().id, 23, two.held));
  two.loop.run();
  EXPECT_FALSE(two.second.error);
  EXPECT_EQ(two.second.safe_offset, 23u);
  EXPECT_EQ(two.first.safe_offset, 40u);
  const auto told = bench.told();  // [METRIC-15]
  EXPECT_THAT(told.spills, AllOf(Not(IsEmpty()), Each(SpillReason::shortage)));
  EXPECT_THAT(told.waits, AllOf(Not(IsEmpty()), Each(MemoryOutcome::granted)));
  EXPECT_TRUE(run(two.silent->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("silent"), pattern(40));
  const auto idle = bench.store().figures();
  EXPECT_EQ(idle.memory_used, 0u);
  EXPECT_EQ(idle.memory_waiting, 0u);
  EXPECT_EQ(idle.sending, 0u);
  EXPECT_EQ(idle.part_slots_wanted, 0u);
}

Awaitable<void> stage_all(Upload& upload, ScriptSource& source, AppendOutcome& outcome) {
  FakeLease lease;
  AppendRequest request(upload.info().offset);
  request.mode = AppendRequest::Mode::staged;
  outcome = co_await upload.append(lease, source, std::move(request), never);
  (void)co_await upload.rollback_staged(lease, never);
}

// [S3-33] Nor does one whose bytes wait for their checksum: those can be put nowhere, so it is ended.
TEST(s3_append, a_silent_client_with_a_checksum_holds_no_memory_that_others_need) {
  SilentAndOther two(std::chrono::milliseconds(20));
  two.loop.spawn(stage_all(*two.silent, two.held, two.first));
  two.loop.run_until_idle();
  two.loop.spawn(append_all(*two.other, two.whole, two.second));
  two.loop.run();
  EXPECT_FALSE(two.second.error);
  EXPECT_EQ(two.second.safe_offset, 23u);
  ASSERT_TRUE(two.first.error);
  EXPECT_TRUE(*two.first.error == ErrorCode::overloaded);
  EXPECT_EQ(two.first.safe_offset, 0u);
  EXPECT_EQ(two.bench.store().figures().memory_used, 0u);
  EXPECT_EQ(two.bench.inspect(two.silent->info().id)->offset, 0u);
}

// [S3-15] Another server has declared the length, so that the body makes a part after all.
TEST(s3_append, a_length_that_another_has_declared_meanwhile) {
  auto options = Bench::small_options();
  options.parts.preferred = 10;
  Bench bench(options);
  const auto id = (*bench.create("a", std::nullopt))->info().id;
  const auto other = bench.make_store();
  auto upload = run(other->open(id, FakeLease(), never));
  ASSERT_TRUE(upload);
  EXPECT_TRUE(run((*bench.open(id))->declare_length(FakeLease(), 3, never)));
  const auto outcome = Bench::append(**upload, "abc");
  EXPECT_FALSE(outcome.error) << outcome.error->detail();
  EXPECT_EQ(outcome.safe_offset, 3u);
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("a"), "abc");
}

// [S3-33] What cannot be sent while it comes is in parts that leave room for others.
TEST(s3_append, bodies_of_unknown_length_have_parts_that_fit) {
  auto options = in_kib(Instances::several);
  options.max_memory = 40 * kib;
  for (const bool staged : {false, true}) {
    SCOPED_TRACE(staged);
    Bench bench(options, kib_quirks());
    const auto text = pattern(200 * kib);
    auto upload = *bench.create("a", std::nullopt);
    FakeLease lease;
    ScriptSource source(staged ? BodyScript::whole(text) : BodyScript::chunked(text, 7 * kib));
    AppendRequest request(0);
    request.mode = staged ? AppendRequest::Mode::staged : AppendRequest::Mode::plain;
    EXPECT_FALSE(run(upload->append(lease, source, std::move(request), never)).error);
    if (staged) EXPECT_TRUE(run(upload->commit_staged(lease, never)));
    for (const auto& part : bench.bucket().parts("a")) EXPECT_EQ(part.size, 10 * kib);
    EXPECT_EQ(bench.bucket().parts("a").size(), 20u);
    EXPECT_TRUE(bench.bucket().part_bytes("a") == text);
  }
}

// [S3-33] Nor many of them: neither the memory nor what carries parts is theirs, whatever they have announced.
TEST(s3_append, a_crowd_of_silent_clients_stops_nobody) {
  auto options = Bench::small_options();
  options.max_memory = 24;
  options.parts_in_flight = 2;
  options.stalled_after = std::chrono::hours(1);
  Bench bench(options);
  struct Silent {
    std::unique_ptr<Upload> upload;
    std::unique_ptr<ScriptSource> source;
    AppendOutcome outcome;
  };
  std::vector<Silent> crowd(20);
  TestLoop loop;
  for (std::size_t i = 0; i < crowd.size(); ++i) {
    auto& one = crowd[i];
    one.upload = *bench.create("s" + std::to_string(i), 10);
    auto script = BodyScript::chunked(pattern(10), 3);
    script.announced = 10;
    script.hold_before = 1;
    one.source = std::make_unique<ScriptSource>(std::move(script));
    loop.spawn(append_all(*one.upload, *one.source, one.outcome));
  }
  auto other = *bench.create("other", 23);
  ScriptSource whole(BodyScript::whole(pattern(23)));
  AppendOutcome outcome;
  loop.spawn(append_all(*other, whole, outcome));
  for (auto& one : crowd) loop.spawn(wait_for_offset(bench, other->info().id, 23, *one.source));
  loop.run();
  EXPECT_EQ(outcome.safe_offset, 23u);
  for (const auto& one : crowd) EXPECT_EQ(one.outcome.safe_offset, 10u);
}

// [S3-34] Parts that are too large for the memory are sent while they come; a cut costs at most one.
TEST(s3_append, large_parts_are_streamed) {
  auto options = Bench::small_options();
  options.max_memory = 8;
  Bench bench(options);
  auto made = bench.create("a", 43, "abc");
  ASSERT_TRUE(made);
  const auto text = "abc" + pattern(40);
  auto script = BodyScript::whole(text.substr(3));
  EXPECT_EQ(Bench::append(**made, std::move(script)).safe_offset, 43u);
  EXPECT_TRUE(run((*made)->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("a"), text);

  auto cut = bench.create("b", 40);
  ASSERT_TRUE(cut);
  BodyScript ends;
  ends.pieces = {pattern(13)};
  ends.announced = 40;
  ends.end = BodyState::peer_reset;
  const auto outcome = Bench::append(**cut, std::move(ends));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.body, BodyState::peer_reset);
  EXPECT_EQ(outcome.safe_offset, 10u);
  EXPECT_EQ(bench.inspect((*cut)->info().id)->offset, 10u);
}

// [S3-03] [S3-15] Parts grow as they have to, also when the length comes in between.
TEST(s3_append, parts_of_an_unknown_length_grow) {
  auto options = Bench::small_options();
  options.parts.most = 40;  // so that they double with every fourth
  Bench bench(options);
  const auto text = pattern(5 * 4 + 10 * 4 + 20 * 4 + 40 * 3 + 7);
  auto upload = *bench.create("a", std::nullopt);
  EXPECT_EQ(Bench::append(*upload, text.substr(0, 101)).safe_offset, 101u);
  EXPECT_TRUE(run(upload->declare_length(FakeLease(), text.size(), never)));
  EXPECT_EQ(Bench::append(*upload, text.substr(101)).safe_offset, text.size());
  std::vector<std::uint64_t> sizes;
  for (const auto& part : bench.bucket().parts("a")) sizes.push_back(part.size);
  EXPECT_EQ(sizes, (std::vector<std::uint64_t>{5, 5, 5, 5, 10, 10, 10, 10, 20, 20, 20, 20, 40, 40,
                                               40, 7}));
  EXPECT_TRUE(run(upload->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(bench.bucket().peek("a") == text);
}

// [S3-31] More parts than a page has: the pages come side by side, and make one list.
TEST(s3_append, many_parts_are_all_found) {
  Bench bench;
  const auto text = pattern(5 * 2'345 + 3);
  auto made = bench.create("a", text.size() + 10);
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  EXPECT_EQ(Bench::append(**made, text).safe_offset, text.size());
  made->reset();
  bench.restart();
  bench.faults().reset_counts();
  EXPECT_EQ(bench.inspect(id)->offset, text.size());
  EXPECT_LE(bench.faults().requests(Operation::list_parts), 5);
  auto upload = bench.open(id);
  ASSERT_TRUE(upload);
  EXPECT_EQ(Bench::append(**upload, pattern(10, 2)).safe_offset, text.size() + 10);
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(bench.bucket().peek("a") == text + pattern(10, 2));
}

// [S3-35] After a clean stop there is nothing that Go's tusd would count and we do not.
TEST(s3_append, a_clean_stop_removes_what_does_not_count) {
  Bench bench;
  auto made = bench.create("a", 40, pattern(3));
  ASSERT_TRUE(made);
  EXPECT_EQ(Bench::append(**made, pattern(7)).safe_offset, 10u);
  const auto id = (*made)->info().id;
  made->reset();
  EXPECT_EQ(bench.bucket().peek("a.part"), "") << "it does not take the place of bytes";
  EXPECT_EQ(Bench::append(**bench.open(id), pattern(2)).safe_offset, 12u);
  EXPECT_EQ(Bench::append(**bench.open(id), pattern(28)).safe_offset, 40u);
  EXPECT_EQ(bench.bucket().peek("a.part"), pattern(2));
  run(bench.store().close(never));
  EXPECT_FALSE(bench.bucket().peek("a.part"));
}

// [S3-36] Go's tusd says nothing in .part: there it lies behind the last part.
TEST(s3_append, goes_on_with_what_go_has_left) {
  Bench bench;
  auto made = bench.create("a", 20, pattern(13));
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  made->reset();
  bench.bucket().put_behind_the_back({"uploads", "a.part"}, pattern(13).substr(10));
  bench.bucket().put_behind_the_back(
      {"uploads", "a.info"},
      R"({"ID":")" + id.str() +
          R"(","Size":20,"SizeIsDeferred":false,"Offset":0,"MetaData":{},"IsPartial":false,)"
          R"("IsFinal":false,"PartialUploads":null,)"
          R"("Storage":{"Bucket":"uploads","Key":"a","Type":"s3store"}})");
  bench.restart();
  EXPECT_EQ(bench.inspect(id)->offset, 13u);
  auto upload = bench.open(id);
  ASSERT_TRUE(upload);
  EXPECT_EQ(Bench::append(**upload, "-behind").safe_offset, 20u);
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("a"), pattern(13) + "-behind");
}

}  // namespace
}  // namespace tus::s3::test
