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

constexpr StoreTest gone_tests[] = {
    {"terminates", terminates},
    {"terminates_what_is_finished", terminates_what_is_finished},
    {"terminates_as_often_as_asked", terminates_as_often_as_asked},
    {"leaves_the_next_upload_of_an_id_alone", leaves_the_next_upload_of_an_id_alone},
};

}  // namespace

std::span<const StoreTest> store_gone_tests() { return gone_tests; }

}  // namespace testing

TUS_NAMESPACE_END
