// No room, and creations that fail: what is said is true, and nothing is left behind.
#include "testing/store_contract_kit.h"

#include <algorithm>
#include <string>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

// Room for everything but bytes of uploads is not counted exactly, so sizes are far apart.
constexpr std::uint64_t all_room = 60'000;
constexpr std::size_t filler = 40'000;
constexpr std::size_t wanted = 30'000;

// [STORE-8]
void says_when_space_runs_out(StoreBackend& backend) {
  backend.limit_space(all_room);
  auto& store = backend.store();
  auto bytes = pattern(wanted);
  auto other = create(store, draft_of("other", filler));
  ASSERT_FALSE(append(backend, *other, BodyScript::whole(std::string(filler, 'o'))).error);
  auto upload = create(store, draft_of("a", wanted));
  auto outcome = append(backend, *upload, BodyScript::chunked(bytes, 1000));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::no_space) << outcome.error->detail();
  EXPECT_EQ(outcome.body, BodyState::open);
  EXPECT_LE(outcome.safe_offset, all_room - filler);
  EXPECT_EQ(upload->info().offset, outcome.safe_offset);
  auto kept = static_cast<std::size_t>(outcome.safe_offset);
  expect_stored(backend, "a", std::string_view(bytes).substr(0, kept));
  expect_stored(backend, "other", std::string(filler, 'o'));

  // The same upload goes on when there is room.
  expect_ok(run(other->terminate(FakeLease(), never)));
  outcome = append(backend, *upload, BodyScript::whole(bytes.substr(kept)));
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, wanted);
  restart(backend);
  expect_stored(backend, "a", bytes);
}

// [STORE-8]
void takes_staged_bytes_back_when_space_runs_out(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  backend.limit_space(all_room);
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 2 * all_room), "hello");
  ScriptSource body(BodyScript::chunked(pattern(all_room), 1000), backend.file_writer());
  AppendRequest request(5);
  request.mode = AppendRequest::Mode::staged;
  auto outcome = run(upload->append(FakeLease(), body, request, never));
  expect_error(status_of(outcome), ErrorCode::no_space);
  EXPECT_EQ(outcome.safe_offset, 5u);
  EXPECT_EQ(inspect(store, "a")->offset, 5u);
  expect_ok(run(upload->rollback_staged(FakeLease(), never)));
  EXPECT_EQ(usage_of(store).bytes, 5u) << "room that nothing uses";
  outcome = append(backend, *upload, BodyScript::whole(" world"));
  EXPECT_FALSE(outcome.error);
  expect_stored(backend, "a", "hello world");
}

// What a store holds is what it held before, and the id is free.
void expect_no_trace(Store& store, const StoreUsage& before, std::string_view id) {
  expect_error(inspect(store, id), ErrorCode::upload_not_found);
  expect_error(try_open(store, id), ErrorCode::upload_not_found);
  EXPECT_EQ(usage_of(store).uploads, before.uploads);
  EXPECT_EQ(usage_of(store).bytes, before.bytes);
  EXPECT_EQ(list_all(store).size(), before.uploads);
}

// [STORE-19]
void leaves_nothing_of_a_creation_without_room(StoreBackend& backend) {
  backend.limit_space(all_room);
  auto& store = backend.store();
  create(store, draft_of("other", 10), "stays");
  auto before = usage_of(store);
  for (int i = 0; i < 3; ++i) {
    expect_error(try_create(store, draft_of("a", all_room + 1), pattern(all_room + 1)),
                 ErrorCode::no_space);
    expect_no_trace(store, before, "a");
  }
  create(store, draft_of("a", 5), "hello");
  expect_stored(backend, "a", "hello");
  expect_stored(backend, "other", "stays");
}

// [STORE-19]
void leaves_nothing_of_a_refused_creation(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("other", 10), "stays");
  auto before = usage_of(store);
  expect_error(try_create(store, draft_of("other", 9), "something"), ErrorCode::upload_exists);
  expect_error(try_create(store, draft_of("other", 0)), ErrorCode::upload_exists);
  FakeLease lost;
  lost.lose();
  expect_error(try_create(store, draft_of("a", 9), "something", lost), ErrorCode::lease_lost);
  expect_no_trace(store, before, "a");
  EXPECT_EQ(list_all(store), std::vector<std::string>{"other"});
  expect_stored(backend, "other", "stays");
  EXPECT_EQ(inspect(store, "other")->length, 10u);
}

// [STORE-19] An upload that is finished at once is made as safe as by a finish, which can fail.
void leaves_nothing_of_a_creation_that_cannot_finish(StoreBackend& backend) {
  using Fault = StoreBackend::FinishFault;
  auto& store = backend.store();
  if (!store.capabilities().needs_finish) return;
  create(store, draft_of("other", 10), "stays");
  auto before = usage_of(store);
  for (auto fault : {Fault::fails, Fault::answer_lost, Fault::hangs}) {
    SCOPED_TRACE(static_cast<int>(fault));
    auto draft = draft_of("a", 5);
    draft.finish = FinishState::finished;
    backend.fail_finishes(fault);
    auto made =
        run(store.create(draft, FakeLease(), bytes_of("hello"), time_for_a_finish(backend)));
    backend.fail_finishes(Fault::none);
    EXPECT_FALSE(made) << "a backend whose finish does not fail";
    expect_no_trace(store, before, "a");
    auto upload = create(store, std::move(draft), "hello");
    EXPECT_TRUE(inspect(store, "a")->finished());
    expect_stored(backend, "a", "hello");
    expect_ok(run(upload->terminate(FakeLease(), never)));
  }
}

constexpr StoreTest shortage_tests[] = {
    {"says_when_space_runs_out", says_when_space_runs_out},
    {"takes_staged_bytes_back_when_space_runs_out", takes_staged_bytes_back_when_space_runs_out},
    {"leaves_nothing_of_a_creation_without_room", leaves_nothing_of_a_creation_without_room},
    {"leaves_nothing_of_a_refused_creation", leaves_nothing_of_a_refused_creation},
    {"leaves_nothing_of_a_creation_that_cannot_finish",
     leaves_nothing_of_a_creation_that_cannot_finish},
};

}  // namespace

std::span<const StoreTest> store_shortage_tests() { return shortage_tests; }

}  // namespace testing

TUS_NAMESPACE_END
