#include "stores/limited/ledger.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace tus::limited_store {
namespace {

using Failed = Ledger::Failed;

UploadInfo info_of(const char* id, std::optional<std::uint64_t> length, std::uint64_t offset = 0) {
  UploadInfo info;
  info.id = *UploadId::parse(id);
  info.length = length;
  info.offset = offset;
  return info;
}

UploadId id_of(const char* id) { return *UploadId::parse(id); }

// [LIMIT-1] [LIMIT-4]
TEST(Ledger, TakesAndGivesBackOnce) {
  Ledger ledger(100);
  auto a = ledger.reserve(id_of("a"), 60);
  ASSERT_TRUE(a);
  EXPECT_FALSE(ledger.reserve(id_of("b"), 41));
  EXPECT_EQ(ledger.used(), 60u);
  ledger.created(a);
  auto again = ledger.opened(info_of("a", 60));
  EXPECT_EQ(again, a) << "all who have it in hand share what it has taken";
  ledger.gone(*again);
  EXPECT_EQ(ledger.used(), 0u);
  // Whatever the other one still does.
  ledger.gone(*a);
  ledger.give_back(*a, 60);
  EXPECT_TRUE(ledger.take(*a, 1000));
  EXPECT_EQ(ledger.take_some(*a, 7), 7u);
  ledger.take_anyway(*a, 5);
  auto other = ledger.reserve(id_of("a"), 30);
  ledger.created(other);
  ledger.left(a);
  ledger.left(again);
  EXPECT_EQ(ledger.used(), 30u);
  EXPECT_EQ(ledger.opened(info_of("a", 30)), other);
}

// [LIMIT-4]
TEST(Ledger, ForgetsWhatWasNotCreated) {
  Ledger ledger(100);
  ledger.not_created(ledger.reserve(id_of("a"), 100), Failed::nothing_is_there);
  ledger.not_created(ledger.reserve(id_of("a"), 100), Failed::id_is_taken);
  EXPECT_EQ(ledger.used(), 0u);
  EXPECT_EQ(ledger.room(), 100u);
}

// [LIMIT-3]
TEST(Ledger, GrowsPieceByPiece) {
  Ledger ledger(1 << 20);
  const auto a = ledger.opened(info_of("a", std::nullopt));
  EXPECT_EQ(ledger.take_some(*a, 10), 10u);
  const auto large = ledger.take_some(*a, 4 << 20);
  EXPECT_LE(large, (1u << 20) / 8) << "others find no room while this is in hand";
  EXPECT_GE(large, 64u << 10);
  std::uint64_t sum = 10 + large;
  while (const auto some = ledger.take_some(*a, 4 << 20)) sum += some;
  EXPECT_EQ(sum, 1u << 20) << "all of the room can be used";
  ledger.give_back(*a, 100);
  EXPECT_FALSE(ledger.take(*a, 101));
  EXPECT_TRUE(ledger.take(*a, 100));
}

// [LIMIT-1] A limit that was made smaller, sums that no number holds.
TEST(Ledger, HasNoRoomBelowWhatIsThere) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  Ledger ledger(100);
  const std::vector<Seen> all{seen(info_of("a", most - 1)), seen(info_of("b", most - 1)),
                              seen(info_of("c", 7))};
  ledger.begin_count();
  ledger.end_count(all);
  EXPECT_EQ(ledger.used(), most);
  EXPECT_EQ(ledger.room(), 0u);
  EXPECT_FALSE(ledger.reserve(id_of("d"), 1));
  EXPECT_TRUE(ledger.reserve(id_of("e"), 0)) << "what takes nothing finds room";
  const auto a = ledger.opened(info_of("a", most - 1));
  EXPECT_FALSE(ledger.take(*a, most));
  EXPECT_EQ(ledger.take_some(*a, most), 0u);
}

// [LIMIT-7] Whether the scan has seen them as they were, as they are, or not at all.
TEST(Ledger, CountsWhatChangesMeanwhile) {
  for (const bool seen_before : {false, true}) {
    Ledger ledger(1000);
    const auto held = ledger.opened(info_of("held", std::nullopt, 10));
    const auto making = ledger.reserve(id_of("making"), 100);
    ledger.begin_count();
    std::vector<Seen> all{seen(info_of("still", 1))};
    const auto see = [&](const UploadInfo& info) {
      if (seen_before) all.push_back(seen(info));
    };
    see(info_of("held", std::nullopt, 10));
    see(info_of("ends", 50));
    see(info_of("grows", std::nullopt, 5));
    see(info_of("making", 100));

    ledger.take_anyway(*held, 3);
    const auto ends = ledger.opened(info_of("ends", 50));
    ledger.gone(*ends);
    ledger.left(ends);
    const auto grows = ledger.opened(info_of("grows", std::nullopt, 5));
    ledger.take_anyway(*grows, 20);
    ledger.left(grows);
    const auto made = ledger.reserve(id_of("made"), 200);
    ledger.created(made);
    ledger.left(made);
    see(info_of("made", 200));

    ledger.end_count(all);
    EXPECT_EQ(ledger.used(), 1u + 13 + 0 + 25 + 100 + 200);
    ledger.created(making);
    EXPECT_EQ(ledger.used(), 1u + 13 + 0 + 25 + 100 + 200);
  }
}

// [LIMIT-7] Another upload has the id: it counts, and the one that cannot be made does not.
TEST(Ledger, CountsTheOwnerOfAnId) {
  Ledger ledger(1000);
  const auto making = ledger.reserve(id_of("a"), 100);
  ledger.begin_count();
  const std::vector<Seen> all{seen(info_of("a", 7))};
  ledger.end_count(all);
  EXPECT_EQ(ledger.used(), 100u);
  ledger.not_created(making, Failed::id_is_taken);
  EXPECT_EQ(ledger.used(), 7u);
}

// [LIMIT-4] Another server has made it, so that it was never counted here.
TEST(Ledger, NeverOwesAnything) {
  Ledger ledger(100);
  const auto foreign = ledger.opened(info_of("a", 50));
  ledger.gone(*foreign);
  ledger.left(foreign);
  EXPECT_EQ(ledger.used(), 0u);
  EXPECT_EQ(ledger.room(), 100u);
}

}  // namespace
}  // namespace tus::limited_store
