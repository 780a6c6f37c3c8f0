// Who may write: nobody without a lease, after it is lost, or with an older one than the last.
#include "testing/store_contract_kit.h"
#include "testing/store_contract_life.h"

#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

Result<OpenedUpload> open_and_append(Store& store, std::string_view id, const Lease& lease,
                                     BodySource& source) {
  auto check = [](const UploadInfo& info) { return std::optional(AppendRequest(info.offset)); };
  return run(store.open_and_append(id_of(id), lease, source, check, never));
}

// [STORE-6]
void refuses_changes_without_a_lease(StoreBackend& backend) {
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 5), "hello");
  FakeLease lost;
  lost.lose();
  expect_error(try_create(store, draft_of("b", 5), "hello", lost), ErrorCode::lease_lost);
  expect_error(inspect(store, "b"), ErrorCode::upload_not_found);
  expect_error(run(upload->declare_length(lost, 7, never)), ErrorCode::lease_lost);
  expect_error(run(upload->set_finish_state(lost, FinishState::finished, never)),
               ErrorCode::lease_lost);
  expect_error(run(upload->finish(lost, never)), ErrorCode::lease_lost);
  expect_error(run(upload->finish_and_record(lost, never)), ErrorCode::lease_lost);
  expect_error(run(upload->terminate(lost, never)), ErrorCode::lease_lost);
  expect_stored(backend, "a", "hello");
  EXPECT_EQ(inspect(store, "a")->length, 5u);
}

// [STORE-6] Opening takes back what an append has left that was never committed: a change, too.
void refuses_to_open_without_a_lease(StoreBackend& backend) {
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 100), "hello");
  FakeLease lost;
  lost.lose();
  expect_error(try_open(store, "a", lost), ErrorCode::lease_lost);
  ScriptSource body(BodyScript::whole("XXXXX"));
  expect_error(open_and_append(store, "a", lost, body), ErrorCode::lease_lost);
  EXPECT_EQ(body.taken(), 0u);
  auto outcome = append(*upload, "XXXXX", lost);
  expect_error(status_of(outcome), ErrorCode::lease_lost);
  EXPECT_EQ(outcome.safe_offset, 5u);
  // It has stayed with the one who holds it.
  EXPECT_EQ(append(*upload, " world").safe_offset, 11u);
  expect_stored(backend, "a", "hello world");
}

// [STORE-6]
void refuses_staged_changes_without_a_lease(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 100), "hello");
  FakeLease lost;
  lost.lose();
  expect_error(status_of(append_staged(*upload, "XXXXX", lost)), ErrorCode::lease_lost);
  EXPECT_FALSE(append_staged(*upload, " world").error);
  expect_error(run(upload->commit_staged(lost, never)), ErrorCode::lease_lost);
  EXPECT_EQ(upload->info().offset, 5u);
  EXPECT_EQ(inspect(store, "a")->offset, 5u);
  expect_error(run(upload->rollback_staged(lost, never)), ErrorCode::lease_lost);
  EXPECT_EQ(inspect(store, "a")->offset, 5u);
  // Nothing was done, neither this nor that: the bytes still wait.
  expect_ok(run(upload->commit_staged(FakeLease(), never)));
  expect_stored(backend, "a", "hello world");
}

// [STORE-6]
void writes_nothing_after_the_lease_is_lost(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", 100));
  auto script = BodyScript::chunked("hello world", 3);
  script.hold_before = 2;
  ScriptSource source(std::move(script));
  AppendOutcome outcome;
  FakeLease lease;
  TestLoop loop;
  loop.spawn(append_into(*upload, lease, source, AppendRequest(0), outcome));
  loop.spawn(look_when_held(source, [&lease] { lease.lose(); }));
  loop.run();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(describe(outcome.error->code()).code, describe(ErrorCode::lease_lost).code);
  // What came before may count or not; what is said is true.
  EXPECT_LE(outcome.safe_offset, 6u);
  expect_stored(
      backend, "a",
      std::string_view("hello ").substr(0, static_cast<std::size_t>(outcome.safe_offset)));
}

// [STORE-6]
// Wherever the lease is lost, the offset stays true and the bytes below it are the client's.
void stays_true_wherever_the_lease_is_lost(StoreBackend& backend) {
  auto& store = backend.store();
  auto bytes = pattern(200);
  for (int look = 1; look < 30; look += 30 / backend.repeats(30)) {
    auto id = "a" + std::to_string(look);
    SCOPED_TRACE(id);
    auto upload = create(store, draft_of(id, 200));
    FakeLease lease;
    lease.lose_at_look(look);
    auto outcome = append(*upload, BodyScript::chunked(bytes, 7), lease);
    EXPECT_EQ(upload->info().offset, outcome.safe_offset);
    expect_stored(backend, id,
                  std::string_view(bytes).substr(0, static_cast<std::size_t>(outcome.safe_offset)));
    auto later = open(store, id);
    append(*later, bytes.substr(static_cast<std::size_t>(outcome.safe_offset)));
    expect_stored(backend, id, bytes);
  }
}

// [STORE-6]
void ends_without_harm_wherever_the_lease_is_lost(StoreBackend& backend) {
  for (int look = 1;; look += 30 / backend.repeats(30)) {
    ASSERT_LT(look, 1000);
    SCOPED_TRACE(look);
    FakeLease lease;
    lease.lose_at_look(look);
    Life life(backend, "a" + std::to_string(look), lease);
    auto ended = life.live();
    if (ended) break;
    expect_error(ended, ErrorCode::lease_lost);
    life.expect_true();
    life.bring_to_an_end();
    if (::testing::Test::HasFailure()) return;
  }
}

// [STORE-7]
void refuses_a_writer_from_the_past(StoreBackend& backend) {
  auto& store = backend.store();
  FakeLease old(5);
  FakeLease young(6);
  auto draft = draft_of("a", std::nullopt);
  draft.finish = FinishState::pending;
  auto first = create(store, std::move(draft), "hello", old);
  const bool stages = store.capabilities().staged_append;
  if (stages) EXPECT_FALSE(append_staged(*first, "YYYYYYYYYYYYYYYYYYYY", old).error);
  auto second = open(store, "a", young);
  EXPECT_EQ(append(*second, " world", young).safe_offset, 11u);
  // A store without fencing relies on lost(); then the locker has to be in time.
  if (backend.deviations().ignores_old_tokens) return;
  auto outcome = append(*first, "XXXXX", old);
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::lease_lost);
  std::vector<Status> done;
  if (stages) {
    done.push_back(run(first->commit_staged(old, never)));
    done.push_back(run(first->rollback_staged(old, never)));
    done.push_back(status_of(append_staged(*first, "XXXXX", old)));
    done.push_back(run(first->commit_staged(old, never)));
  }
  done.push_back(run(first->declare_length(old, 5, never)));
  done.push_back(run(first->set_finish_state(old, FinishState::finished, never)));
  done.push_back(run(first->terminate(old, never)));
  for (std::size_t i = 0; i < done.size(); ++i) {
    SCOPED_TRACE(i);
    expect_error(done[i], ErrorCode::lease_lost);
  }
  expect_error(try_open(store, "a", old), ErrorCode::lease_lost);
  ScriptSource body(BodyScript::whole("XXXXX"));
  expect_error(open_and_append(store, "a", old, body), ErrorCode::lease_lost);
  EXPECT_EQ(body.taken(), 0u);
  auto info = inspect(store, "a");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->length, std::nullopt);
  EXPECT_EQ(info->finish, FinishState::pending);
  EXPECT_EQ(info->offset, 11u);
  EXPECT_EQ(peek(backend, "a", 11), "hello world");
  EXPECT_EQ(append(*second, "!", young).safe_offset, 12u);
}

// [STORE-7]
void refuses_to_finish_from_the_past(StoreBackend& backend) {
  if (backend.deviations().ignores_old_tokens) return;
  auto& store = backend.store();
  FakeLease old(5);
  FakeLease young(6);
  auto draft = draft_of("a", 5);
  draft.finish = FinishState::pending;
  auto first = create(store, std::move(draft), "hello", old);
  auto second = open(store, "a", young);
  expect_error(run(first->finish(old, never)), ErrorCode::lease_lost);
  expect_error(run(first->finish_and_record(old, never)), ErrorCode::lease_lost);
  EXPECT_TRUE(inspect(store, "a")->finishing());
  expect_ok(run(second->finish_and_record(young, never)));
}

constexpr StoreTest lease_tests[] = {
    {"refuses_changes_without_a_lease", refuses_changes_without_a_lease},
    {"refuses_to_open_without_a_lease", refuses_to_open_without_a_lease},
    {"refuses_staged_changes_without_a_lease", refuses_staged_changes_without_a_lease},
    {"writes_nothing_after_the_lease_is_lost", writes_nothing_after_the_lease_is_lost},
    {"stays_true_wherever_the_lease_is_lost", stays_true_wherever_the_lease_is_lost},
    {"ends_without_harm_wherever_the_lease_is_lost", ends_without_harm_wherever_the_lease_is_lost},
    {"refuses_a_writer_from_the_past", refuses_a_writer_from_the_past},
    {"refuses_to_finish_from_the_past", refuses_to_finish_from_the_past},
};

}  // namespace

std::span<const StoreTest> store_lease_tests() { return lease_tests; }

}  // namespace testing

TUS_NAMESPACE_END
