#include "testing/store_contract_kit.h"

#include <tus/memory_store.h>

#include <gtest/gtest.h>

namespace tus::testing {
namespace {

// [STORE-16]
TEST(memory_store, keeps_to_its_limit) {
  MemoryStoreOptions options;
  options.max_bytes = 100;
  auto store = make_memory_store(options);
  auto a = create(*store, draft_of("a", 1000), std::string(30, 'a'));
  expect_error(try_create(*store, draft_of("b", 1000), std::string(71, 'b')), ErrorCode::no_space);
  auto b = create(*store, draft_of("b", 1000), std::string(20, 'b'));

  auto outcome = append(*a, BodyScript::chunked(std::string(60, 'A'), 7));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::no_space);
  EXPECT_EQ(outcome.safe_offset, 80u);
  EXPECT_EQ(outcome.body, BodyState::open);
  EXPECT_EQ(run(store->usage(Deadline::never()))->bytes, 100u);
  EXPECT_FALSE(append(*b, "").error) << "nothing needs no room";

  expect_ok(run(b->terminate(FakeLease(), Deadline::never())));
  outcome = append(*a, std::string(20, 'A'));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, 100u);
}

TEST(memory_store, gives_the_room_of_staged_bytes_back) {
  MemoryStoreOptions options;
  options.max_bytes = 100;
  auto store = make_memory_store(options);
  auto a = create(*store, draft_of("a", 1000));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(append_staged(*a, std::string(80, 'x')).staged_offset, 80u);
  expect_ok(run(a->rollback_staged(FakeLease(), Deadline::never())));
  EXPECT_EQ(run(store->usage(Deadline::never()))->bytes, 0u);
}

}  // namespace
}  // namespace tus::testing
