// Joining partial uploads to a final one.
#include "testing/store_contract_kit.h"

#include <algorithm>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

using Ids = std::vector<std::string>;

bool can_join(StoreBackend& backend) { return backend.store().capabilities().concatenate; }

void make_part(Store& store, std::string_view id, const std::string& bytes) {
  auto draft = draft_of(id, bytes.size());
  draft.is_partial = true;
  draft.raw_concat = "partial";
  auto upload = create(store, std::move(draft));
  if (!bytes.empty()) append(*upload, bytes);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
}

UploadDraft final_draft(std::string_view id, std::optional<std::uint64_t> length, Ids parts) {
  auto draft = draft_of(id, length);
  draft.raw_concat = "final;/files/x";
  draft.partial_uploads = std::move(parts);
  draft.finish = FinishState::pending;
  return draft;
}

Result<Joined> join(Upload& upload, Deadline deadline = Deadline::never(),
                    const Lease& lease = FakeLease()) {
  return run(upload.concatenate(lease, deadline));
}

void expect_joined(Upload& upload) {
  auto joined = join(upload);
  ASSERT_TRUE(joined) << describe(joined.error().code()).code << " " << joined.error().detail();
  EXPECT_EQ(*joined, Joined::wholly);
}

void expect_pending(Store& store, std::string_view id) {
  auto info = inspect(store, id);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->join_pending);
  EXPECT_EQ(info->offset, 0u);
  EXPECT_FALSE(info->has_all_bytes());
  EXPECT_FALSE(info->finished());
}

Ids pending(Store& store) {
  auto found = run(store.pending_joins(Deadline::never()));
  Ids ids;
  EXPECT_TRUE(found);
  if (found) {
    for (const auto& id : *found) ids.push_back(id.str());
  }
  std::ranges::sort(ids);
  return ids;
}

// [STORE-40]
void joins_parts_in_order(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  const auto a = pattern(20'001, 1);
  const auto b = pattern(3, 2);
  make_part(store, "a", a);
  make_part(store, "dir/b", b);
  make_part(store, "none", "");
  auto whole = b + a + b;
  auto upload =
      create(store, final_draft("f", whole.size(), {"dir/b", "none", "a", "dir/b", "none"}));
  EXPECT_TRUE(upload->info().is_final);
  expect_pending(store, "f");
  expect_joined(*upload);
  EXPECT_FALSE(upload->info().join_pending);
  EXPECT_TRUE(upload->info().finishing());
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  expect_stored(backend, "f", whole);
  EXPECT_TRUE(inspect(store, "f")->finished());
  if (!backend.deviations().forgets_at_restart) backend.restart();
  expect_stored(backend, "f", whole);
  expect_stored(backend, "a", a);
  const auto info = inspect(backend.store(), "f");
  EXPECT_TRUE(info->is_final);
  EXPECT_FALSE(info->is_partial);
  EXPECT_EQ(info->raw_concat, "final;/files/x");
  EXPECT_EQ(info->partial_uploads, (Ids{"dir/b", "none", "a", "dir/b", "none"}));
}

// [STORE-40]
void joins_nothing_to_nothing(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  make_part(store, "a", "");
  auto upload = create(store, final_draft("f", 0, {"a", "a"}));
  expect_pending(store, "f");
  expect_joined(*upload);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  expect_stored(backend, "f", "");
  EXPECT_TRUE(inspect(store, "f")->finished());
}

// [STORE-41]
void shows_nothing_of_a_join_before_its_end(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  const auto part = pattern(backend.more_than_one_step() / 12 + 1);
  make_part(store, "a", part);
  Ids parts(12, "a");
  auto upload = create(store, final_draft("f", 12 * part.size(), parts));
  int steps = 0;
  for (auto joined = join(*upload, Deadline::at({})); joined && *joined == Joined::partly;
       joined = join(*upload, Deadline::at({}))) {
    ++steps;
    if (steps > 3) continue;
    expect_pending(store, "f");
    EXPECT_EQ(pending(store), Ids{"f"});
  }
  EXPECT_GT(steps, 0) << "it should have stopped at its deadline";
  EXPECT_FALSE(upload->info().join_pending);
  EXPECT_EQ(pending(store), Ids());
  EXPECT_EQ(inspect(store, "f")->offset, 12 * part.size());
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  EXPECT_TRUE(read_range(store, "f", {11 * part.size(), part.size()}) == part);
}

// [STORE-41] [STORE-42]
void goes_on_with_a_join_after_a_restart(StoreBackend& backend) {
  if (!can_join(backend) || backend.deviations().forgets_at_restart) return;
  const auto part = pattern(backend.more_than_one_step() / 14 + 1);
  make_part(backend.store(), "a", part);
  make_part(backend.store(), "b", "end");
  Ids parts(14, "a");
  parts.push_back("b");
  auto upload = create(backend.store(), final_draft("team/f", 14 * part.size() + 3, parts));
  auto joined = join(*upload, Deadline::at({}));
  ASSERT_TRUE(joined);
  EXPECT_EQ(*joined, Joined::partly);
  upload.reset();
  backend.restart();
  expect_pending(backend.store(), "team/f");
  EXPECT_EQ(pending(backend.store()), Ids{"team/f"});
  upload = open(backend.store(), "team/f");
  EXPECT_TRUE(upload->info().join_pending);
  expect_joined(*upload);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  std::string whole;
  for (int i = 0; i < 14; ++i) whole += part;
  expect_stored(backend, "team/f", whole + "end");
  EXPECT_EQ(pending(backend.store()), Ids());
}

// [STORE-42]
void knows_its_pending_joins(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  make_part(store, "a", "abc");
  EXPECT_EQ(pending(store), Ids());
  const std::string far = "x/" + std::string(190, 'y') + "/" + std::string(190, 'z');
  auto first = create(store, final_draft("f", 3, {"a"}));
  auto second = create(store, final_draft("team/g", std::nullopt, {"a", "later"}));
  auto third = create(store, final_draft(far, 6, {"a", "a"}));
  EXPECT_EQ(pending(store), (Ids{"f", "team/g", far}));
  expect_error(try_create(store, final_draft("f", 3, {"a"})), ErrorCode::upload_exists);
  EXPECT_EQ(pending(store), (Ids{"f", "team/g", far}));
  if (!backend.deviations().forgets_at_restart) backend.restart();
  EXPECT_EQ(pending(backend.store()), (Ids{"f", "team/g", far}));
  expect_joined(*open(backend.store(), "f"));
  EXPECT_EQ(pending(backend.store()), (Ids{"team/g", far}));
  expect_ok(run(open(backend.store(), "team/g")->terminate(FakeLease(), Deadline::never())));
  EXPECT_EQ(pending(backend.store()), Ids{far});
  expect_joined(*open(backend.store(), far));
  EXPECT_EQ(pending(backend.store()), Ids());
  auto again = join(*open(backend.store(), "f"));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, Joined::wholly) << "what is joined is joined";
}

// [STORE-42]
void learns_the_length_of_a_join_later(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  make_part(store, "a", "abc");
  auto upload = create(store, final_draft("f", std::nullopt, {"a", "b"}));
  EXPECT_EQ(inspect(store, "f")->length, std::nullopt);
  expect_pending(store, "f");
  make_part(store, "b", "de");
  expect_ok(run(upload->declare_length(FakeLease(), 5, Deadline::never())));
  expect_pending(store, "f");
  expect_joined(*upload);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  expect_stored(backend, "f", "abcde");
}

// [STORE-43]
void joins_nothing_else_than_was_meant(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  make_part(store, "a", "abc");
  auto missing = create(store, final_draft("f", 6, {"a", "no-such-part"}));
  expect_error(join(*missing), ErrorCode::upload_gone);
  expect_pending(store, "f");
  auto wrong = create(store, final_draft("g", 4, {"a"}));
  expect_error(join(*wrong), ErrorCode::upload_damaged);
  expect_pending(store, "g");
  FakeLease lost;
  lost.lose();
  auto right = create(store, final_draft("h", 6, {"a", "a"}));
  expect_error(join(*right, Deadline::never(), lost), ErrorCode::lease_lost);
  expect_pending(store, "h");
  expect_joined(*right);
}

// [STORE-43]
void a_join_that_ends_early_leaves_nothing(StoreBackend& backend) {
  if (!can_join(backend)) return;
  auto& store = backend.store();
  const auto part = pattern(backend.more_than_one_step() / 12 + 1);
  make_part(store, "a", part);
  const auto before = run(store.usage(Deadline::never()))->bytes;
  auto upload = create(store, final_draft("f", 12 * part.size(), Ids(12, "a")));
  ASSERT_TRUE(join(*upload, Deadline::at({})));
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  upload.reset();
  expect_error(inspect(store, "f"), ErrorCode::upload_not_found);
  EXPECT_EQ(pending(store), Ids());
  EXPECT_EQ(run(store.usage(Deadline::never()))->bytes, before);
  expect_stored(backend, "a", part);
}

// [STORE-43]
void a_join_without_room_waits_for_some(StoreBackend& backend) {
  if (!can_join(backend)) return;
  const auto part = pattern(100'000);
  backend.limit_space(350'000);
  auto& store = backend.store();
  make_part(store, "a", part);
  make_part(store, "in-the-way", part);
  auto upload = create(store, final_draft("f", 2 * part.size(), {"a", "a"}));
  const auto before = run(store.usage(Deadline::never()))->bytes;
  expect_error(join(*upload), ErrorCode::no_space);
  expect_pending(store, "f");
  EXPECT_EQ(run(store.usage(Deadline::never()))->bytes, before) << "half a join takes no room";
  expect_ok(run(open(store, "in-the-way")->terminate(FakeLease(), Deadline::never())));
  expect_joined(*upload);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  expect_stored(backend, "f", part + part);
}

constexpr StoreTest join_tests[] = {
    {"joins_parts_in_order", joins_parts_in_order},
    {"joins_nothing_to_nothing", joins_nothing_to_nothing},
    {"shows_nothing_of_a_join_before_its_end", shows_nothing_of_a_join_before_its_end},
    {"goes_on_with_a_join_after_a_restart", goes_on_with_a_join_after_a_restart},
    {"knows_its_pending_joins", knows_its_pending_joins},
    {"learns_the_length_of_a_join_later", learns_the_length_of_a_join_later},
    {"joins_nothing_else_than_was_meant", joins_nothing_else_than_was_meant},
    {"a_join_that_ends_early_leaves_nothing", a_join_that_ends_early_leaves_nothing},
    {"a_join_without_room_waits_for_some", a_join_without_room_waits_for_some},
};

}  // namespace

std::span<const StoreTest> store_join_tests() { return join_tests; }

}  // namespace testing

TUS_NAMESPACE_END
