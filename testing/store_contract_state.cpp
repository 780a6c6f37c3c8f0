// States of an upload: staged bytes, a length that comes later, and the way to "finished".
#include "testing/store_contract_kit.h"

#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

// [STORE-9]
void commits_staged_bytes(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  auto outcome = append_staged(*upload, " world");
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, 5u);
  EXPECT_EQ(outcome.staged_offset, 11u);
  EXPECT_EQ(upload->info().offset, 5u);
  EXPECT_EQ(inspect(backend.store(), "a")->offset, 5u);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 11u);
  backend.restart();
  expect_stored(backend, "a", "hello world");
}

// [STORE-9]
void rolls_staged_bytes_back(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  append_staged(*upload, "XXXXXXXXX");
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 5u);
  expect_stored(backend, "a", "hello");
  auto again = open(backend.store(), "a");
  append(*again, " you");
  expect_stored(backend, "a", "hello you");
}

// [STORE-9]
void forgets_staged_bytes_in_a_crash(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  append_staged(*upload, "XXXXXXXXX");
  upload.reset();
  backend.restart();
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  append(*upload, " you");
  backend.restart();
  expect_stored(backend, "a", "hello you");
}

void keeps_staged_bytes_out_through_other_changes(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", std::nullopt), "hello");
  append_staged(*upload, "XXXXXXXXX");
  upload.reset();
  backend.restart();
  upload = open(backend.store(), "a");
  expect_ok(run(upload->declare_length(FakeLease(), 9, never)));
  upload.reset();
  backend.restart();
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  append_staged(*upload, " you");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello you");
}

void stages_again_after_a_rollback(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100));
  append_staged(*upload, "wrong");
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  append_staged(*upload, "right");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  append(*upload, ", plain");
  backend.restart();
  expect_stored(backend, "a", "right, plain");
}

// [STORE-10]
void declares_a_length_later(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", std::nullopt), "hello");
  EXPECT_EQ(upload->info().length, std::nullopt);
  expect_ok(run(upload->declare_length(FakeLease(), 11, never)));
  EXPECT_EQ(upload->info().length, 11u);
  append(*upload, " world");
  backend.restart();
  auto info = inspect(backend.store(), "a");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->length, 11u);
  EXPECT_TRUE(info->has_all_bytes());
  expect_stored(backend, "a", "hello world");
}

// [STORE-11]
void remembers_the_finish_state(StoreBackend& backend) {
  auto draft = draft_of("a", 5);
  draft.finish = FinishState::pending;
  create(backend.store(), std::move(draft), "hello");
  for (auto state : {FinishState::abandoned, FinishState::pending, FinishState::finished}) {
    auto upload = open(backend.store(), "a");
    expect_ok(run(upload->finish(FakeLease(), never)));
    expect_ok(run(upload->set_finish_state(FakeLease(), state, never)));
    EXPECT_EQ(upload->info().finish, state);
    upload.reset();
    backend.restart();
    auto info = inspect(backend.store(), "a");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->finish, state);
    EXPECT_EQ(info->finished(), state == FinishState::finished);
    expect_stored(backend, "a", "hello");
  }
}

// [STORE-11]
void finishes_as_often_as_asked(StoreBackend& backend) {
  auto draft = draft_of("a", 11);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello");
  expect_error(run(upload->finish(FakeLease(), never)), ErrorCode::upload_not_finished);
  append(*upload, " world");
  EXPECT_TRUE(upload->info().finishing());
  expect_ok(run(upload->finish(FakeLease(), never)));
  EXPECT_EQ(upload->info().finish, FinishState::pending);
  expect_ok(run(upload->finish(FakeLease(), never)));
  upload.reset();
  backend.restart();
  upload = open(backend.store(), "a");
  expect_ok(run(upload->finish(FakeLease(), never)));
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(upload->info().finished());
  backend.restart();
  EXPECT_TRUE(inspect(backend.store(), "a")->finished());
  expect_stored(backend, "a", "hello world");
}

// [STORE-11]
void finishes_after_a_failure(StoreBackend& backend) {
  using Fault = StoreBackend::FinishFault;
  int n = 0;
  for (auto fault : {Fault::fails, Fault::answer_lost, Fault::hangs}) {
    auto id = "a" + std::to_string(++n);
    SCOPED_TRACE(id);
    auto draft = draft_of(id, 11);
    draft.finish = FinishState::pending;
    auto upload = create(backend.store(), std::move(draft), "hello");
    append(*upload, " world");
    backend.fail_next_finish(fault);
    auto soon = Deadline::after(std::chrono::steady_clock::now(), std::chrono::milliseconds(20));
    auto failed = run(upload->finish(FakeLease(), soon));
    if (!backend.deviations().finish_cannot_fail) {
      EXPECT_FALSE(failed);
      EXPECT_FALSE(upload->info().finished());
      auto info = inspect(backend.store(), id);
      ASSERT_TRUE(info);
      EXPECT_FALSE(info->finished());
      EXPECT_EQ(info->offset, 11u);
    }
    expect_ok(run(upload->finish_and_record(FakeLease(), never)));
    backend.restart();
    EXPECT_TRUE(inspect(backend.store(), id)->finished());
    expect_stored(backend, id, "hello world");
  }
}

// [STORE-11]
void finishes_after_a_failure_and_a_restart(StoreBackend& backend) {
  auto draft = draft_of("a", 11);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello world");
  backend.fail_next_finish(StoreBackend::FinishFault::answer_lost);
  (void)run(upload->finish(FakeLease(), never));
  upload.reset();
  backend.restart();
  EXPECT_TRUE(inspect(backend.store(), "a")->finishing());
  upload = open(backend.store(), "a");
  expect_ok(run(upload->finish(FakeLease(), never)));
  expect_ok(run(upload->set_finish_state(FakeLease(), FinishState::finished, never)));
  EXPECT_TRUE(inspect(backend.store(), "a")->finished());
  expect_stored(backend, "a", "hello world");
}

void finishes_an_empty_upload(StoreBackend& backend) {
  auto draft = draft_of("a", 0);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft));
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  backend.restart();
  EXPECT_TRUE(inspect(backend.store(), "a")->finished());
  expect_stored(backend, "a", "");
}

// [STORE-12]
void terminates_what_is_finished(StoreBackend& backend) {
  auto draft = draft_of("a", 5);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello");
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  expect_ok(run(upload->terminate(FakeLease(), never)));
  backend.restart();
  expect_error(inspect(backend.store(), "a"), ErrorCode::upload_not_found);
}

constexpr StoreTest state_tests[] = {
    {"commits_staged_bytes", commits_staged_bytes},
    {"rolls_staged_bytes_back", rolls_staged_bytes_back},
    {"forgets_staged_bytes_in_a_crash", forgets_staged_bytes_in_a_crash},
    {"keeps_staged_bytes_out_through_other_changes", keeps_staged_bytes_out_through_other_changes},
    {"stages_again_after_a_rollback", stages_again_after_a_rollback},
    {"declares_a_length_later", declares_a_length_later},
    {"remembers_the_finish_state", remembers_the_finish_state},
    {"finishes_as_often_as_asked", finishes_as_often_as_asked},
    {"finishes_after_a_failure", finishes_after_a_failure},
    {"finishes_after_a_failure_and_a_restart", finishes_after_a_failure_and_a_restart},
    {"finishes_an_empty_upload", finishes_an_empty_upload},
    {"terminates_what_is_finished", terminates_what_is_finished},
};

}  // namespace

std::span<const StoreTest> store_state_tests() { return state_tests; }

}  // namespace testing

TUS_NAMESPACE_END
