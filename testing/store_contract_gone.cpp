// The end of an upload: it is gone for everybody, and what it took is free.
#include "testing/store_contract_kit.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

// [STORE-12]
void terminates(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("other", 10), "stays");
  auto upload = create(store, draft_of("a", 10), "hello");
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  expect_error(inspect(store, "a"), ErrorCode::upload_not_found);
  auto outcome = append(*upload, "more");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(describe(outcome.error->code()).code, describe(ErrorCode::upload_gone).code);
  restart(backend);
  expect_error(try_open(backend.store(), "a"), ErrorCode::upload_not_found);
  expect_stored(backend, "other", "stays");
  // The id is free again.
  create(backend.store(), draft_of("a", 3), "new");
  expect_stored(backend, "a", "new");
}

// [STORE-12]
void terminates_what_is_finished(StoreBackend& backend) {
  auto draft = draft_of("a", 5);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello");
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  expect_ok(run(upload->terminate(FakeLease(), never)));
  restart(backend);
  expect_error(inspect(backend.store(), "a"), ErrorCode::upload_not_found);
}

// Nothing of it is left, and nothing comes back.
void expect_gone(StoreBackend& backend, std::string_view id) {
  auto& store = backend.store();
  expect_error(inspect(store, id), ErrorCode::upload_not_found);
  expect_error(try_open(store, id), ErrorCode::upload_not_found);
  EXPECT_EQ(usage_of(store).uploads, 0u);
  EXPECT_EQ(usage_of(store).bytes, 0u);
  EXPECT_TRUE(list_all(store).empty());
}

// All changes but the termination, of an upload that has none of its lengths declared.
std::vector<Status> change_in_every_way(StoreBackend& backend, Upload& upload, const Lease& lease) {
  std::vector<Status> done;
  done.push_back(status_of(append(upload, "more", lease)));
  if (backend.store().capabilities().staged_append) {
    done.push_back(run(upload.commit_staged(lease, never)));
    done.push_back(run(upload.rollback_staged(lease, never)));
    done.push_back(status_of(append_staged(upload, "more", lease)));
    done.push_back(run(upload.commit_staged(lease, never)));
  }
  done.push_back(run(upload.declare_length(lease, 5, never)));
  done.push_back(run(upload.set_finish_state(lease, FinishState::abandoned, never)));
  return done;
}

// What its termination has closed.
std::unique_ptr<Upload> terminated(StoreBackend& backend, std::optional<std::uint64_t> length) {
  auto draft = draft_of("a", length);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello");
  if (backend.store().capabilities().staged_append && !length) {
    EXPECT_FALSE(append_staged(*upload, " world").error);
  }
  expect_ok(run(upload->terminate(FakeLease(), never)));
  return upload;
}

// [STORE-20]
void changes_nothing_of_what_is_terminated(StoreBackend& backend) {
  auto upload = terminated(backend, std::nullopt);
  auto done = change_in_every_way(backend, *upload, FakeLease());
  for (std::size_t i = 0; i < done.size(); ++i) {
    SCOPED_TRACE(i);
    expect_error(done[i], ErrorCode::upload_gone);
  }
  expect_gone(backend, "a");
  restart(backend);
  expect_gone(backend, "a");
}

// [STORE-20]
void finishes_nothing_that_is_terminated(StoreBackend& backend) {
  auto upload = terminated(backend, 5);
  expect_error(run(upload->finish(FakeLease(), never)), ErrorCode::upload_gone);
  expect_error(run(upload->finish_and_record(FakeLease(), never)), ErrorCode::upload_gone);
  expect_error(run(upload->set_finish_state(FakeLease(), FinishState::finished, never)),
               ErrorCode::upload_gone);
  expect_gone(backend, "a");
  restart(backend);
  expect_gone(backend, "a");
}

// [STORE-20] Somebody may have it open who does not know yet.
void brings_nothing_back_by_another_hand(StoreBackend& backend) {
  auto& store = backend.store();
  for (std::optional<std::uint64_t> length : {std::optional<std::uint64_t>(), {5}}) {
    SCOPED_TRACE(length ? "finish" : "change");
    auto draft = draft_of("a", length);
    draft.finish = FinishState::pending;
    auto upload = create(store, std::move(draft), "hello");
    auto beside = open(store, "a");
    expect_ok(run(upload->terminate(FakeLease(), never)));
    if (length) {
      EXPECT_FALSE(run(beside->finish(FakeLease(), never)));
      EXPECT_FALSE(run(beside->finish_and_record(FakeLease(), never)));
    } else {
      // Where nothing is staged a commit has nothing to do, and need not look.
      (void)change_in_every_way(backend, *beside, FakeLease());
      expect_error(run(beside->declare_length(FakeLease(), 9, never)), ErrorCode::upload_gone);
    }
    expect_error(run(beside->set_finish_state(FakeLease(), FinishState::finished, never)),
                 ErrorCode::upload_gone);
    expect_gone(backend, "a");
  }
  restart(backend);
  expect_gone(backend, "a");
}

// [STORE-20] A termination whose answer was lost is asked for again.
void terminates_as_often_as_asked(StoreBackend& backend) {
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 10), "hello");
  auto beside = open(store, "a");
  expect_ok(run(upload->terminate(FakeLease(), never)));
  for (auto* each : {upload.get(), beside.get()}) {
    auto again = run(each->terminate(FakeLease(), never));
    if (!again) expect_error(again, ErrorCode::upload_gone);
    expect_gone(backend, "a");
  }
}

// [STORE-20]
void leaves_the_next_upload_of_an_id_alone(StoreBackend& backend) {
  if (backend.deviations().ignores_old_tokens) return;
  auto& store = backend.store();
  FakeLease old(5);
  FakeLease young(6);
  auto first = create(store, draft_of("a", std::nullopt), "first", old);
  auto second = open(store, "a", young);
  expect_ok(run(second->terminate(young, never)));
  FakeLease next(7);
  create(store, draft_of("a", std::nullopt), "next", next);
  for (auto* each : {first.get(), second.get()}) {
    const auto& lease = each == first.get() ? old : young;
    auto done = change_in_every_way(backend, *each, lease);
    done.push_back(run(each->terminate(lease, never)));
    for (std::size_t i = 0; i < done.size(); ++i) EXPECT_FALSE(done[i]) << i;
  }
  auto info = inspect(store, "a");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->length, std::nullopt);
  EXPECT_EQ(info->finish, FinishState::derived);
  EXPECT_EQ(info->offset, 4u);
  EXPECT_EQ(peek(backend, "a", 4), "next");
}

// The second of two ids that a file system cannot tell from a file and its directory.
void add_beside(StoreBackend& backend, const std::string& first, const std::string& second) {
  SCOPED_TRACE(first + " and then " + second);
  auto& store = backend.store();
  auto one = create(store, draft_of(first, 10), "first");
  for (int i = 0; i < 2; ++i) {
    auto two = try_create(store, draft_of(second, 10), "second");
    expect_stored(backend, first, "first");
    if (two) {
      expect_stored(backend, second, "second");
      expect_ok(run((*two)->terminate(FakeLease(), never)));
    } else {
      expect_error(two, ErrorCode::upload_exists);
    }
    expect_error(inspect(store, second), ErrorCode::upload_not_found);
    EXPECT_EQ(list_all(store), std::vector<std::string>{first});
    EXPECT_EQ(usage_of(store).bytes, 5u);
  }
  // An id that is free again is free for all, the other kind too.
  expect_ok(run(one->terminate(FakeLease(), never)));
  auto two = create(store, draft_of(second, 10), "second");
  expect_stored(backend, second, "second");
  expect_ok(run(two->terminate(FakeLease(), never)));
  expect_gone(backend, first);
}

// [STORE-21]
void keeps_ids_apart_that_are_like_paths(StoreBackend& backend) {
  using Pair = std::array<const char*, 2>;
  for (auto [first, second] :
       {Pair{"a", "a/b"}, Pair{"c/d", "c"}, Pair{"e/f/g", "e"}, Pair{"h", "h/i/j"}}) {
    add_beside(backend, first, second);
  }
}

constexpr StoreTest gone_tests[] = {
    {"terminates", terminates},
    {"terminates_what_is_finished", terminates_what_is_finished},
    {"changes_nothing_of_what_is_terminated", changes_nothing_of_what_is_terminated},
    {"finishes_nothing_that_is_terminated", finishes_nothing_that_is_terminated},
    {"brings_nothing_back_by_another_hand", brings_nothing_back_by_another_hand},
    {"terminates_as_often_as_asked", terminates_as_often_as_asked},
    {"leaves_the_next_upload_of_an_id_alone", leaves_the_next_upload_of_an_id_alone},
    {"keeps_ids_apart_that_are_like_paths", keeps_ids_apart_that_are_like_paths},
};

}  // namespace

std::span<const StoreTest> store_gone_tests() { return gone_tests; }

}  // namespace testing

TUS_NAMESPACE_END
