// What is left when the process is killed: between two calls, in one, and before any step of any.
#include "testing/store_contract_kit.h"
#include "testing/store_contract_life.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

std::vector<std::string> make_some(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("empty", 10));
  create(store, draft_of("begun", 10), "hello");
  create(store, draft_of("deferred", std::nullopt), "hello");
  auto draft = draft_of("finished", 5);
  draft.finish = FinishState::pending;
  auto finished = create(store, std::move(draft), "hello");
  expect_ok(run(finished->finish_and_record(FakeLease(), never)));
  auto gone = create(store, draft_of("gone", 10), "hello");
  expect_ok(run(gone->terminate(FakeLease(), never)));
  return {"begun", "deferred", "empty", "finished"};
}

// [STORE-17]
void remembers_everything_or_nothing(StoreBackend& backend) {
  auto made = make_some(backend);
  auto usage = usage_of(backend.store());
  backend.restart();
  auto& store = backend.store();
  auto listed = list_all(store);
  std::sort(listed.begin(), listed.end());
  expect_error(inspect(store, "gone"), ErrorCode::upload_not_found);
  if (!backend.deviations().forgets_at_restart) {
    EXPECT_EQ(listed, made);
    EXPECT_EQ(usage_of(store).uploads, usage.uploads);
    EXPECT_EQ(usage_of(store).bytes, usage.bytes);
    expect_stored(backend, "empty", "");
    expect_stored(backend, "begun", "hello");
    expect_stored(backend, "deferred", "hello");
    EXPECT_EQ(inspect(store, "deferred")->length, std::nullopt);
    EXPECT_TRUE(inspect(store, "finished")->finished());
    expect_error(try_create(store, draft_of("begun", 5)), ErrorCode::upload_exists);
    return;
  }
  EXPECT_TRUE(listed.empty());
  EXPECT_EQ(usage_of(store).uploads, 0u);
  EXPECT_EQ(usage_of(store).bytes, 0u);
  for (const auto& id : made) {
    SCOPED_TRACE(id);
    expect_error(inspect(store, id), ErrorCode::upload_not_found);
    expect_error(try_open(store, id), ErrorCode::upload_not_found);
    create(store, draft_of(id, 3), "new");
    expect_stored(backend, id, "new");
  }
}

enum class Then : std::uint8_t { go_on, die };

// Looks at an upload while the body of an append to it is in the middle.
void look_during_an_append(StoreBackend& backend, AppendRequest::Mode mode, Then then) {
  auto draft = draft_of("a", std::nullopt);
  draft.finish = FinishState::pending;
  draft.raw_metadata = "name eA==";
  const std::string text = "hello wonderful world, and more of it";
  auto upload = create(backend.store(), std::move(draft), text.substr(0, 5));
  auto script = BodyScript::chunked(text.substr(5), 8);
  script.hold_before = 3;
  ScriptSource source(std::move(script), backend.file_writer());
  AppendRequest request(5);
  request.mode = mode;
  const std::uint64_t most = mode == AppendRequest::Mode::plain ? 5 + 3 * 8 : 5;
  auto look = [&] {
    if (then == Then::die) backend.restart();
    auto info = inspect(backend.store(), "a");
    ASSERT_TRUE(info) << info.error().detail();
    EXPECT_GE(info->offset, 5u);
    EXPECT_LE(info->offset, most);
    EXPECT_EQ(info->length, std::nullopt);
    EXPECT_EQ(info->finish, FinishState::pending);
    EXPECT_EQ(info->raw_metadata, "name eA==");
    EXPECT_EQ(peek(backend, "a", info->offset), text.substr(0, info->offset));
    EXPECT_EQ(list_all(backend.store()), std::vector<std::string>{"a"});
    if (then == Then::go_on) return;
    auto again = open(backend.store(), "a");
    if (backend.deviations().arrives_late) {
      EXPECT_GE(again->info().offset, info->offset);
      EXPECT_LE(again->info().offset, most);
    } else {
      EXPECT_EQ(again->info().offset, info->offset);
    }
    append(*again, text.substr(static_cast<std::size_t>(again->info().offset)));
    expect_ok(run(again->declare_length(FakeLease(), text.size(), never)));
    expect_ok(run(again->finish_and_record(FakeLease(), never)));
    EXPECT_TRUE(inspect(backend.store(), "a")->finished());
    expect_stored(backend, "a", text);
  };
  AppendOutcome outcome;
  FakeLease lease;
  TestLoop loop;
  loop.spawn(append_into(*upload, lease, source, request, outcome));
  loop.spawn(look_when_held(source, look));
  loop.run();
  if (then == Then::die) return;  // whatever the dead one thinks
  EXPECT_FALSE(outcome.error);
  if (mode == AppendRequest::Mode::staged) expect_ok(run(upload->commit_staged(lease, never)));
  expect_stored(backend, "a", text);
}

// [STORE-18]
void tells_the_truth_during_an_append(StoreBackend& backend) {
  look_during_an_append(backend, AppendRequest::Mode::plain, Then::go_on);
}

// [STORE-18]
void tells_the_truth_during_a_staged_append(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  look_during_an_append(backend, AppendRequest::Mode::staged, Then::go_on);
}

// [STORE-17]
void survives_a_crash_during_an_append(StoreBackend& backend) {
  if (backend.deviations().forgets_at_restart) return;
  look_during_an_append(backend, AppendRequest::Mode::plain, Then::die);
}

// [STORE-17]
void survives_a_crash_during_a_staged_append(StoreBackend& backend) {
  if (backend.deviations().forgets_at_restart) return;
  if (!backend.store().capabilities().staged_append) return;
  look_during_an_append(backend, AppendRequest::Mode::staged, Then::die);
}

// [STORE-17]
void survives_a_crash_anywhere(StoreBackend& backend) {
  if (backend.deviations().forgets_at_restart) return;
  FakeLease lease;
  for (int steps = 0;; steps += 30 / backend.repeats(30)) {
    ASSERT_LT(steps, 3000) << "a backend that never dies";
    SCOPED_TRACE(steps);
    Life life(backend, "a" + std::to_string(steps), lease);
    backend.die_after(steps);
    auto ended = life.live();
    backend.restart();
    life.expect_true();
    life.bring_to_an_end();
    if (::testing::Test::HasFailure()) return;
    if (!ended) continue;
    EXPECT_GT(steps, 5) << "a backend whose steps are not counted";
    break;
  }
}

constexpr StoreTest restart_tests[] = {
    {"remembers_everything_or_nothing", remembers_everything_or_nothing},
    {"tells_the_truth_during_an_append", tells_the_truth_during_an_append},
    {"tells_the_truth_during_a_staged_append", tells_the_truth_during_a_staged_append},
    {"survives_a_crash_during_an_append", survives_a_crash_during_an_append},
    {"survives_a_crash_during_a_staged_append", survives_a_crash_during_a_staged_append},
    {"survives_a_crash_anywhere", survives_a_crash_anywhere},
};

}  // namespace

std::span<const StoreTest> store_restart_tests() { return restart_tests; }

}  // namespace testing

TUS_NAMESPACE_END
