#include "stores/limited/limited_test_kit.h"

#include <chrono>

namespace tus::limited_store {
namespace {

using namespace test;
using namespace std::chrono_literals;

constexpr auto staged = AppendRequest::Mode::staged;

// [LIMIT-1] [LIMIT-2]
TEST(LimitedStore, TakesLengthsFromTheCreationOn) {
  House house(100);
  ASSERT_TRUE(house.create("a", 60));
  EXPECT_EQ(house.taken(), 60u);
  expect_no_space(house.create("b", 41));
  ASSERT_TRUE(house.create("c", 40));
  EXPECT_EQ(house.taken(), 100u);
  ASSERT_TRUE(house.create("empty", 0)) << "it takes nothing";
  expect_no_space(house.create(draft_of("d", std::nullopt), "x"));
  // What was begun can be ended.
  auto a = house.open("a");
  EXPECT_EQ(append(*a, BodyScript::chunked(std::string(60, 'a'), 7)).safe_offset, 60u);
  EXPECT_EQ(house.taken(), 100u);
  house.terminate("c");
  house.terminate("a");
  EXPECT_EQ(house.taken(), 0u);
  EXPECT_EQ(run(house.store().usage(never))->uploads, 1u);
}

// [LIMIT-1] Lengths whose sum no number holds.
TEST(LimitedStore, RefusesWhatNeverFits) {
  House house(100);
  const std::uint64_t large = (1ull << 63) - 1;
  ASSERT_TRUE(house.create("a", 1));
  expect_no_space(house.create("b", large));
  expect_no_space(house.create("c", 101));
  EXPECT_EQ(house.behind->scans, 1) << "no look at what is there can help";
  EXPECT_EQ(house.taken(), 1u);
}

// [LIMIT-4]
TEST(LimitedStore, GivesBackWhatWasNotCreated) {
  House house(100);
  ASSERT_TRUE(house.create("a", 40));
  house.behind->creation_fails = Error(ErrorCode::store_unavailable);
  for (int i = 0; i < 3; ++i) {
    const auto made = house.create("b", 60);
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error() == ErrorCode::store_unavailable);
  }
  house.behind->creation_fails.reset();
  const auto twice = house.create("a", 60);
  ASSERT_FALSE(twice);
  EXPECT_TRUE(twice.error() == ErrorCode::upload_exists);
  EXPECT_EQ(house.taken(), 40u);
  EXPECT_TRUE(house.create("b", 60));
}

// [LIMIT-3]
TEST(LimitedStore, AnAppendWithoutALengthEndsWhereTheRoomEnds) {
  House house(100);
  auto made = house.create("a", std::nullopt);
  ASSERT_TRUE(made);
  auto& upload = **made;
  EXPECT_EQ(append(upload, BodyScript::chunked(std::string(70, 'a'), 9)).safe_offset, 70u);
  EXPECT_EQ(house.taken(), 70u);
  const auto outcome = append(upload, BodyScript::chunked(std::string(40, 'b'), 9));
  expect_no_space(outcome);
  EXPECT_EQ(outcome.safe_offset, 100u) << "everything that fits is kept";
  EXPECT_EQ(run(house.store().inspect(id_of("a"), never))->offset, 100u);
  EXPECT_EQ(house.taken(), 100u);

  // Nothing comes, so nothing has no room.
  EXPECT_FALSE(append(upload, BodyScript::chunked("", 1)).error);
  // A body that has to be refused is not asked for.
  BodyScript body = BodyScript::whole("more");
  body.arrived = 0;
  ScriptSource source(body);
  expect_no_space(run(upload.append(FakeLease(), source, AppendRequest(100), never)));
  EXPECT_FALSE(source.asked_for());
  EXPECT_EQ(source.taken(), 0u);
  EXPECT_TRUE(run(upload.terminate(FakeLease(), never)));
  EXPECT_EQ(house.taken(), 0u);
}

// [LIMIT-3] However the body ends, what it did not bring is free.
TEST(LimitedStore, AnAppendKeepsNoRoomItDoesNotUse) {
  for (const auto end : {BodyState::interrupted, BodyState::peer_closed, BodyState::malformed}) {
    House house(1 << 20);
    auto made = house.create(draft_of("a", std::nullopt), "12345");
    ASSERT_TRUE(made);
    auto body = BodyScript::chunked("678", 2);
    body.end = end;
    EXPECT_EQ(append(**made, std::move(body)).safe_offset, 8u);
    EXPECT_EQ(house.taken(), 8u);
  }
}

// [LIMIT-3]
TEST(LimitedStore, TakesALengthWhenItIsDeclared) {
  House house(100);
  auto made = house.create(draft_of("a", std::nullopt), std::string(30, 'a'));
  ASSERT_TRUE(made);
  auto& upload = **made;
  ASSERT_TRUE(house.create("b", 40));
  expect_no_space(run(upload.declare_length(FakeLease(), 61, never)));
  EXPECT_FALSE(upload.info().length);
  EXPECT_EQ(house.taken(), 70u);
  EXPECT_TRUE(run(upload.declare_length(FakeLease(), 60, never)));
  EXPECT_EQ(house.taken(), 100u);
  EXPECT_EQ(append(upload, BodyScript::chunked(std::string(30, 'b'), 9)).safe_offset, 60u);
  EXPECT_EQ(house.taken(), 100u);
  FakeLease lost;
  lost.lose();
  auto other = house.create("c", std::nullopt);
  ASSERT_TRUE(other);
  house.terminate("b");
  EXPECT_FALSE(run((*other)->declare_length(lost, 40, never)));
  EXPECT_EQ(house.taken(), 60u) << "given back";
}

// [LIMIT-3]
TEST(LimitedStore, StagedBytesTakeRoom) {
  House house(100);
  auto made = house.create(draft_of("a", std::nullopt), std::string(10, 'a'));
  ASSERT_TRUE(made);
  auto upload = std::move(*made);
  EXPECT_EQ(append(*upload, BodyScript::whole(std::string(50, 'b')), staged).staged_offset, 60u);
  EXPECT_EQ(house.taken(), 60u);
  EXPECT_TRUE(run(upload->rollback_staged(FakeLease(), never)));
  EXPECT_EQ(house.taken(), 10u);
  append(*upload, BodyScript::whole(std::string(50, 'b')), staged);
  append(*upload, BodyScript::whole(std::string(20, 'c')), staged);
  EXPECT_EQ(house.taken(), 30u) << "in the place of those before";
  EXPECT_TRUE(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(house.taken(), 30u);
  expect_no_space(append(*upload, BodyScript::whole(std::string(71, 'd')), staged));
  EXPECT_EQ(house.taken(), 100u);
  EXPECT_TRUE(run(upload->rollback_staged(FakeLease(), never)));
  append(*upload, BodyScript::whole(std::string(50, 'b')), staged);
  // A length that is declared with them.
  EXPECT_TRUE(run(upload->declare_length(FakeLease(), 95, never)));
  EXPECT_EQ(house.taken(), 95u);
  EXPECT_TRUE(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 80u);
  EXPECT_EQ(house.taken(), 95u);
  // Left behind: the next one who opens it cuts them off.
  auto other = house.create("b", std::nullopt);
  ASSERT_TRUE(other);
  append(**other, BodyScript::whole("12345"), staged);
  EXPECT_EQ(house.taken(), 100u);
  other->reset();
  EXPECT_EQ(house.taken(), 95u);
}

// [LIMIT-8]
TEST(LimitedStore, LeavesBytesOfAKnownLengthAlone) {
  House house(100);
  ASSERT_TRUE(house.create("a", 10));
  ASSERT_TRUE(house.create("b", std::nullopt));
  const AppendCheck check = [](const UploadInfo& info) { return AppendRequest(info.offset); };
  for (const std::string id : {"a", "b"}) {
    ScriptSource source(BodyScript::whole("hello"));
    auto opened = run(house.store().open_and_append(id_of(id), FakeLease(), source, check, never));
    ASSERT_TRUE(opened);
    ASSERT_TRUE(opened->appended);
    EXPECT_EQ(opened->appended->safe_offset, 5u);
    EXPECT_EQ(house.behind->appended_from, &source) << "it can be spliced as ever";
  }
  EXPECT_EQ(house.taken(), 15u);
}

// [LIMIT-4] Whoever has lost it still holds what it has not used.
TEST(LimitedStore, TerminatedWhileAppending) {
  House house(100);
  ASSERT_TRUE(house.create("a", std::nullopt));
  auto writer = house.open("a");
  ScriptSource source([] {
    auto body = BodyScript::chunked(std::string(40, 'a'), 10);
    body.hold_before = 2;
    return body;
  }());
  const FakeLease lease;
  testing::TestLoop loop;
  std::optional<AppendOutcome> outcome;
  loop.spawn(testing::keep_result(writer->append(lease, source, AppendRequest(0), never), outcome));
  loop.run_until_idle();
  EXPECT_EQ(house.taken(), 20u);
  house.terminate("a");
  EXPECT_EQ(house.taken(), 0u);
  ASSERT_TRUE(house.create("a", 70));
  source.release();
  loop.run();
  ASSERT_TRUE(outcome && outcome->error);
  EXPECT_EQ(house.taken(), 70u);
  writer.reset();
  EXPECT_EQ(house.taken(), 70u);
}

// [LIMIT-9]
TEST(LimitedStore, JoinsTakeTheirLength) {
  House house(100);
  auto part = draft_of("part", 30);
  part.is_partial = true;
  ASSERT_TRUE(house.create(part, std::string(30, 'p')));
  const auto final_draft = [](const char* id, std::optional<std::uint64_t> length, int times) {
    auto draft = draft_of(id, length);
    draft.partial_uploads.assign(static_cast<std::size_t>(times), "part");
    return draft;
  };
  expect_no_space(house.create(final_draft("f", 90, 3)));
  auto made = house.create(final_draft("f", std::nullopt, 2));
  ASSERT_TRUE(made);
  EXPECT_EQ(house.taken(), 30u) << "nobody knows how much it will be";
  EXPECT_EQ(run(house.store().pending_joins(never))->size(), 1u);
  expect_no_space(run((*made)->declare_length(FakeLease(), 71, never)));
  EXPECT_TRUE(run((*made)->declare_length(FakeLease(), 60, never)));
  EXPECT_EQ(house.taken(), 90u);
  const auto joined = run((*made)->concatenate(FakeLease(), never));
  ASSERT_TRUE(joined);
  EXPECT_EQ(*joined, Joined::wholly);
  EXPECT_EQ(house.taken(), 90u);
  house.terminate("part");
  EXPECT_EQ(house.taken(), 60u);
  made->reset();
  house.terminate("f");
  EXPECT_EQ(house.taken(), 0u);
}

// ---- counting

// [LIMIT-5] [LIMIT-2]
TEST(LimitedStore, CountsWhatIsThereAfterARestart) {
  House house(1000);
  for (int i = 0; i < 250; ++i) ASSERT_TRUE(house.create(std::to_string(i), 2));
  auto deferred = house.create(draft_of("deferred", std::nullopt), std::string(100, 'd'));
  ASSERT_TRUE(deferred);
  deferred->reset();
  house.restart();
  const auto before = house.behind->scans.load();
  expect_no_space(house.create("a", 401));
  EXPECT_EQ(house.behind->scans, before + 1);
  EXPECT_TRUE(house.create("a", 400));
  EXPECT_EQ(house.taken(), 1000u);

  // What was begun keeps its room under a smaller limit, too.
  house.options.max_bytes = 50;
  house.restart();
  expect_no_space(house.create("b", 1));
  EXPECT_EQ(append(*house.open("a"), BodyScript::whole(std::string(400, 'a'))).safe_offset, 400u);
}

// [LIMIT-5] Terminations and appends before the first count.
TEST(LimitedStore, CountsLateWhatHappenedBefore) {
  House house(100);
  ASSERT_TRUE(house.create("a", 50));
  ASSERT_TRUE(house.create("b", std::nullopt));
  house.restart();
  house.terminate("a");
  EXPECT_EQ(append(*house.open("b"), BodyScript::whole(std::string(30, 'b'))).safe_offset, 30u);
  EXPECT_EQ(house.taken(), 30u);
}

// [LIMIT-5]
TEST(LimitedStore, ACountOutlivesWhoeverHasNoTimeForIt) {
  House house(1000);
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(house.create(std::to_string(i), 2));
  house.restart();
  house.behind->scans = 0;
  int pages = 0;
  house.behind->at_page = [&]() -> std::optional<Error> {
    ++pages;
    house.clock->advance(1s);
    return std::nullopt;
  };
  const auto soon = [&] { return Deadline::after(house.clock->now(), 1500ms); };
  EXPECT_FALSE(run(house.store().prepare(soon())));
  EXPECT_EQ(pages, 2);
  const auto made = house.create(draft_of("a", 1), "", soon());
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error() == ErrorCode::store_unavailable);
  EXPECT_EQ(pages, 4);
  EXPECT_TRUE(house.create(draft_of("a", 100), "", soon()));
  EXPECT_EQ(pages, 5);
  EXPECT_TRUE(run(house.store().prepare(soon())));
  EXPECT_EQ(house.behind->scans, 1) << "each has gone on where the one before had stopped";
}

// [LIMIT-5]
TEST(LimitedStore, CountsAgainAfterAnError) {
  House house(100);
  ASSERT_TRUE(house.create("there", 60));
  house.restart();
  house.behind->at_page = [] { return Error(ErrorCode::store_unavailable, "told to fail"); };
  const auto made = house.create("a", 50);
  ASSERT_FALSE(made);
  EXPECT_TRUE(made.error() == ErrorCode::store_unavailable);
  EXPECT_FALSE(run(house.store().usage(never)));
  house.behind->at_page = []() -> std::optional<Error> {
    throw std::runtime_error("told to throw");
  };
  EXPECT_THROW(house.create("a", 50), std::runtime_error);
  house.behind->at_page = [] { return std::nullopt; };
  expect_no_space(house.create("a", 50));
  EXPECT_TRUE(house.create("a", 40));
}

// [LIMIT-6]
TEST(LimitedStore, CountsAgainBeforeItRefuses) {
  House house(100);
  ASSERT_TRUE(house.create("a", 60));
  ASSERT_TRUE(house.create(draft_of("b", std::nullopt), std::string(40, 'b')));
  house.take_away("a");
  expect_no_space(house.create("c", 60));
  EXPECT_EQ(house.behind->scans, 1) << "it has just counted";
  house.clock->advance(house.options.count_again_after);
  EXPECT_TRUE(house.create("c", 60));
  EXPECT_EQ(house.behind->scans, 2);
  house.take_away("c");
  house.clock->advance(house.options.count_again_after);
  auto b = house.open("b");
  EXPECT_EQ(append(*b, BodyScript::whole(std::string(60, 'b'))).safe_offset, 100u)
      << "appends look again, too";
  ASSERT_EQ(house.taken(), 100u);
  EXPECT_TRUE(run(b->terminate(FakeLease(), never)));
  ASSERT_TRUE(house.create("d", 70));
  auto e = house.create("e", std::nullopt);
  ASSERT_TRUE(e);
  house.take_away("d");
  house.clock->advance(house.options.count_again_after);
  EXPECT_TRUE(run((*e)->declare_length(FakeLease(), 90, never))) << "and declared lengths";
  EXPECT_EQ(house.taken(), 90u);
}

// [LIMIT-6] A store that is always full, with very many uploads.
TEST(LimitedStore, RestsBetweenLongCounts) {
  House house(100);
  ASSERT_TRUE(house.create("a", 100));
  house.clock->advance(1h);
  house.behind->at_page = [&]() -> std::optional<Error> {
    house.clock->advance(20s);
    return std::nullopt;
  };
  for (int i = 0; i < 20; ++i) {
    expect_no_space(house.create("b", 1));
    house.clock->advance(10s);
  }
  EXPECT_EQ(house.behind->scans, 2);
  house.clock->advance(200s);
  expect_no_space(house.create("b", 1));
  EXPECT_EQ(house.behind->scans, 3);
}

}  // namespace
}  // namespace tus::limited_store
