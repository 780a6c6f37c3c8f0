// States of an upload: staged bytes, a length that comes later, and the way to "finished".
#include "testing/store_contract_kit.h"

#include <memory>
#include <string>
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
  restart(backend);
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
  restart(backend);
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  append(*upload, " you");
  restart(backend);
  expect_stored(backend, "a", "hello you");
}

void keeps_staged_bytes_out_through_other_changes(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", std::nullopt), "hello");
  append_staged(*upload, "XXXXXXXXX");
  upload.reset();
  restart(backend);
  upload = open(backend.store(), "a");
  expect_ok(run(upload->declare_length(FakeLease(), 9, never)));
  upload.reset();
  restart(backend);
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  append_staged(*upload, " you");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello you");
}

// [STORE-9] What comes between the bytes and their commit, when an append declares the length too.
void changes_while_bytes_are_staged(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", std::nullopt), "hello");
  append_staged(*upload, " you");
  expect_ok(run(upload->set_finish_state(FakeLease(), FinishState::pending, never)));
  expect_ok(run(upload->declare_length(FakeLease(), 9, never)));
  EXPECT_EQ(upload->info().offset, 5u);
  EXPECT_EQ(inspect(backend.store(), "a")->offset, 5u);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().length, 9u);
  restart(backend);
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
  restart(backend);
  expect_stored(backend, "a", "right, plain");
}

// [STORE-9]
void commits_only_what_was_staged_last(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  EXPECT_EQ(append_staged(*upload, "WRONG, AND LONG ENOUGH").staged_offset, 27u);
  EXPECT_EQ(append_staged(*upload, "").staged_offset, 5u);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  append_staged(*upload, "WRONG, AND LONG ENOUGH");
  EXPECT_EQ(append_staged(*upload, " wo").staged_offset, 8u);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello wo");
  // A plain append gives up what was staged, too.
  upload = open(backend.store(), "a");
  append_staged(*upload, "WRONG, AND LONG ENOUGH");
  EXPECT_EQ(append(*upload, "rld").safe_offset, 11u);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 11u);
  restart(backend);
  expect_stored(backend, "a", "hello world");
}

// [STORE-9]
void commits_nothing_where_nothing_is_staged(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello");
  upload = open(backend.store(), "a");
  ScriptSource source(BodyScript::whole("XXXXX"));
  AppendRequest request(4);
  request.mode = AppendRequest::Mode::staged;
  auto refused = run(upload->append(FakeLease(), source, request, never));
  expect_error(status_of(refused), ErrorCode::mismatched_offset);
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 5u);
  expect_stored(backend, "a", "hello");
  // What was committed is not taken back by a rollback that comes late, nor counted twice.
  upload = open(backend.store(), "a");
  append_staged(*upload, " world");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  EXPECT_EQ(upload->info().offset, 11u);
  restart(backend);
  expect_stored(backend, "a", "hello world");
}

// [DIGEST-7] The texts of the service come back, with any change of the record, and not before one.
void keeps_a_digest(StoreBackend& backend) {
  if (!backend.store().capabilities().keeps_digest) return;
  auto draft = draft_of("a", 9);
  draft.finish = FinishState::pending;
  draft.digest.state = "of nothing";
  auto upload = create(backend.store(), std::move(draft), "hello");
  upload.reset();
  restart(backend);
  EXPECT_EQ(inspect(backend.store(), "a")->digest.state, "of nothing");

  upload = open(backend.store(), "a");
  EXPECT_EQ(upload->info().digest.state, "of nothing");
  const auto set = [&upload](const char* repr, const char* state) {
    UploadDigest digest;
    digest.repr = repr;
    digest.state = state;
    upload->set_digest(std::move(digest));
  };
  set("", "saved");
  EXPECT_EQ(upload->info().digest.state, "saved");
  expect_ok(run(upload->save_digest(FakeLease(), never)));
  restart(backend);
  EXPECT_EQ(inspect(backend.store(), "a")->digest.state, "saved");

  upload = open(backend.store(), "a");
  append_staged(*upload, " you");
  set("", "committed");
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  upload.reset();
  restart(backend);
  EXPECT_EQ(inspect(backend.store(), "a")->digest.state, "committed");

  upload = open(backend.store(), "a");
  set("sha-256=:AAAA:", "");
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  restart(backend);
  EXPECT_EQ(inspect(backend.store(), "a")->digest.repr, "sha-256=:AAAA:");
  EXPECT_EQ(inspect(backend.store(), "a")->digest.state, "");
}

// [STORE-10]
void declares_a_length_later(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", std::nullopt), "hello");
  EXPECT_EQ(upload->info().length, std::nullopt);
  expect_ok(run(upload->declare_length(FakeLease(), 11, never)));
  EXPECT_EQ(upload->info().length, 11u);
  append(*upload, " world");
  restart(backend);
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
    restart(backend);
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
  restart(backend);
  upload = open(backend.store(), "a");
  expect_ok(run(upload->finish(FakeLease(), never)));
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  EXPECT_TRUE(upload->info().finished());
  restart(backend);
  EXPECT_TRUE(inspect(backend.store(), "a")->finished());
  expect_stored(backend, "a", "hello world");
}

using Fault = StoreBackend::FinishFault;

std::unique_ptr<Upload> all_but_finished(StoreBackend& backend, const std::string& id) {
  auto draft = draft_of(id, 11);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft), "hello");
  append(*upload, " world");
  return upload;
}

// A finish that fails changes nothing of what is told.
void expect_failed_finish(StoreBackend& backend, Upload& upload, Fault fault) {
  backend.fail_finishes(fault);
  EXPECT_FALSE(run(upload.finish(FakeLease(), time_for_a_finish(backend))))
      << "a backend whose finish does not fail";
  auto both = run(upload.finish_and_record(FakeLease(), time_for_a_finish(backend)));
  backend.fail_finishes(Fault::none);
  // What was done by the first, without an answer, is found done by the second.
  if (fault != Fault::answer_lost) EXPECT_FALSE(both);
  auto info = inspect(backend.store(), upload.info().id.str());
  ASSERT_TRUE(info);
  EXPECT_EQ(info->finished(), both.has_value());
  EXPECT_EQ(upload.info().finished(), both.has_value());
  EXPECT_EQ(info->offset, 11u);
  EXPECT_EQ(upload.info().offset, 11u);
}

// [STORE-11]
void finishes_after_a_failure(StoreBackend& backend) {
  if (!backend.store().capabilities().needs_finish) return;
  for (auto fault : {Fault::fails, Fault::answer_lost, Fault::hangs}) {
    auto id = "a" + std::to_string(static_cast<int>(fault));
    SCOPED_TRACE(id);
    auto upload = all_but_finished(backend, id);
    expect_failed_finish(backend, *upload, fault);
    expect_ok(run(upload->finish_and_record(FakeLease(), never)));
    restart(backend);
    EXPECT_TRUE(inspect(backend.store(), id)->finished());
    expect_stored(backend, id, "hello world");
  }
}

// [STORE-11]
void finishes_after_a_failure_and_a_restart(StoreBackend& backend) {
  if (!backend.store().capabilities().needs_finish) return;
  for (auto fault : {Fault::fails, Fault::answer_lost, Fault::hangs}) {
    auto id = "a" + std::to_string(static_cast<int>(fault));
    SCOPED_TRACE(id);
    auto upload = all_but_finished(backend, id);
    backend.fail_finishes(fault);
    EXPECT_FALSE(run(upload->finish(FakeLease(), time_for_a_finish(backend))));
    backend.fail_finishes(Fault::none);
    upload.reset();
    restart(backend);
    EXPECT_TRUE(inspect(backend.store(), id)->finishing());
    upload = open(backend.store(), id);
    expect_ok(run(upload->finish(FakeLease(), never)));
    expect_ok(run(upload->set_finish_state(FakeLease(), FinishState::finished, never)));
    EXPECT_TRUE(inspect(backend.store(), id)->finished());
    expect_stored(backend, id, "hello world");
  }
}

void finishes_an_empty_upload(StoreBackend& backend) {
  auto draft = draft_of("a", 0);
  draft.finish = FinishState::pending;
  auto upload = create(backend.store(), std::move(draft));
  expect_ok(run(upload->finish_and_record(FakeLease(), never)));
  restart(backend);
  EXPECT_TRUE(inspect(backend.store(), "a")->finished());
  expect_stored(backend, "a", "");
}

constexpr StoreTest state_tests[] = {
    {"commits_staged_bytes", commits_staged_bytes},
    {"rolls_staged_bytes_back", rolls_staged_bytes_back},
    {"forgets_staged_bytes_in_a_crash", forgets_staged_bytes_in_a_crash},
    {"keeps_staged_bytes_out_through_other_changes", keeps_staged_bytes_out_through_other_changes},
    {"changes_while_bytes_are_staged", changes_while_bytes_are_staged},
    {"stages_again_after_a_rollback", stages_again_after_a_rollback},
    {"commits_only_what_was_staged_last", commits_only_what_was_staged_last},
    {"commits_nothing_where_nothing_is_staged", commits_nothing_where_nothing_is_staged},
    {"keeps_a_digest", keeps_a_digest},
    {"declares_a_length_later", declares_a_length_later},
    {"remembers_the_finish_state", remembers_the_finish_state},
    {"finishes_as_often_as_asked", finishes_as_often_as_asked},
    {"finishes_after_a_failure", finishes_after_a_failure},
    {"finishes_after_a_failure_and_a_restart", finishes_after_a_failure_and_a_restart},
    {"finishes_an_empty_upload", finishes_an_empty_upload},
};

}  // namespace

std::span<const StoreTest> store_state_tests() { return state_tests; }

}  // namespace testing

TUS_NAMESPACE_END
