// Bytes into an upload: however they come, and however they stop coming.
#include "testing/store_contract_kit.h"

#include <algorithm>
#include <optional>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

// [STORE-5]
void appends_in_pieces(StoreBackend& backend) {
  auto& store = backend.store();
  auto bytes = pattern(3000);
  auto upload = create(store, draft_of("a", 3000));
  for (std::size_t at = 0; at < bytes.size();) {
    auto size = std::min<std::size_t>(at % 97 + 1, bytes.size() - at);
    auto outcome = append(*upload, bytes.substr(at, size));
    ASSERT_FALSE(outcome.error) << outcome.error->detail();
    EXPECT_EQ(outcome.body, BodyState::complete);
    at += size;
    ASSERT_EQ(outcome.safe_offset, at);
    ASSERT_EQ(upload->info().offset, at);
  }
  expect_stored(backend, "a", bytes);
}

void appends_after_opening_again(StoreBackend& backend) {
  auto bytes = pattern(1000);
  create(backend.store(), draft_of("a", 1000));
  for (std::size_t at = 0; at < 1000; at += 100) {
    auto upload = open(backend.store(), "a");
    ASSERT_EQ(upload->info().offset, at);
    append(*upload, bytes.substr(at, 100));
    restart(backend);
  }
  expect_stored(backend, "a", bytes);
}

// [STORE-5]
void appends_a_body_that_comes_slowly(StoreBackend& backend) {
  auto bytes = pattern(2000);
  auto upload = create(backend.store(), draft_of("a", 2000));
  auto outcome = append(*upload, BodyScript::chunked(bytes, 13));
  EXPECT_EQ(outcome.safe_offset, 2000u);
  EXPECT_EQ(outcome.body, BodyState::complete);
  expect_stored(backend, "a", bytes);
}

void appends_a_large_body(StoreBackend& backend) {
  auto bytes = pattern(1 << 20);
  auto upload = create(backend.store(), draft_of("a", bytes.size()));
  auto outcome = append(*upload, BodyScript::chunked(bytes, 300'001));
  EXPECT_EQ(outcome.safe_offset, bytes.size());
  expect_stored(backend, "a", bytes);
}

void appends_nothing(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", 10), "12345");
  auto outcome = append(*upload, "");
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.body, BodyState::complete);
  EXPECT_EQ(outcome.safe_offset, 5u);
  expect_stored(backend, "a", "12345");
}

// [STORE-5] "Store as much of the received data as possible": whatever ended the body.
void keeps_what_arrived(StoreBackend& backend) {
  auto& store = backend.store();
  int n = 0;
  for (auto end : {BodyState::complete, BodyState::limit, BodyState::interrupted,
                   BodyState::stopping, BodyState::timed_out, BodyState::peer_closed,
                   BodyState::peer_reset, BodyState::malformed}) {
    auto id = "a" + std::to_string(++n);
    SCOPED_TRACE(id);
    auto upload = create(store, draft_of(id, 100));
    auto script = BodyScript::chunked("hello wonderful world", 4);
    script.end = end;
    auto outcome = append(*upload, std::move(script));
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(outcome.body, end);
    EXPECT_EQ(outcome.safe_offset, 21u);
    expect_stored(backend, id, "hello wonderful world");
  }
}

// [STORE-15] The length is checked between the two; a check that says nothing leaves the body alone.
void opens_and_appends_in_one(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("a", 11), "hello");
  FakeLease lease;
  auto never = Deadline::never();
  std::uint64_t seen = 0;
  auto check = [&seen](const UploadInfo& info) -> std::optional<AppendRequest> {
    seen = info.offset;
    return AppendRequest(5);
  };
  auto look = [](const UploadInfo&) { return std::optional<AppendRequest>(); };

  ScriptSource untouched(BodyScript::whole(" world"));
  auto opened = run(store.open_and_append(id_of("a"), lease, untouched, look, never));
  ASSERT_TRUE(opened);
  EXPECT_FALSE(opened->appended);
  EXPECT_EQ(untouched.taken(), 0u);

  ScriptSource body(BodyScript::chunked(" world", 4));
  opened = run(store.open_and_append(id_of("a"), lease, body, check, never));
  ASSERT_TRUE(opened);
  EXPECT_EQ(seen, 5u);
  ASSERT_TRUE(opened->appended);
  EXPECT_FALSE(opened->appended->error);
  EXPECT_EQ(opened->appended->body, BodyState::complete);
  EXPECT_EQ(opened->appended->safe_offset, 11u);
  EXPECT_EQ(opened->upload->info().offset, 11u);
  expect_stored(backend, "a", "hello world");

  ScriptSource late(BodyScript::whole("more"));
  opened = run(store.open_and_append(id_of("a"), lease, late, check, never));
  ASSERT_TRUE(opened && opened->appended && opened->appended->error);
  EXPECT_TRUE(*opened->appended->error == ErrorCode::mismatched_offset);
  EXPECT_EQ(opened->appended->safe_offset, 11u);
  auto unknown = run(store.open_and_append(id_of("b"), lease, late, check, never));
  expect_error(unknown, ErrorCode::upload_not_found);
  expect_stored(backend, "a", "hello world");
}

Awaitable<void> interrupt_when_held(ScriptSource& source, BodyState reason) {
  co_await source.held(Deadline::never());
  source.interrupt(reason);
}

// [STORE-5]
void stops_when_told_in_the_middle(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", 100));
  auto script = BodyScript::chunked("hello world", 3);
  script.hold_before = 2;
  ScriptSource source(std::move(script));
  AppendOutcome outcome;
  FakeLease lease;
  TestLoop loop;
  loop.spawn(append_into(*upload, lease, source, AppendRequest(0), outcome));
  loop.spawn(interrupt_when_held(source, BodyState::interrupted));
  loop.run();
  EXPECT_EQ(outcome.body, BodyState::interrupted);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, 6u);
  expect_stored(backend, "a", "hello ");
}

// [STORE-7]
void refuses_a_wrong_offset(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  for (std::uint64_t offset : {0, 4, 6, 100}) {
    ScriptSource source(BodyScript::whole("world"));
    AppendRequest request(offset);
    auto outcome = run(upload->append(FakeLease(), source, request, Deadline::never()));
    ASSERT_TRUE(outcome.error) << offset;
    EXPECT_TRUE(*outcome.error == ErrorCode::mismatched_offset);
    EXPECT_EQ(outcome.safe_offset, 5u);
  }
  expect_stored(backend, "a", "hello");
}

constexpr StoreTest append_tests[] = {
    {"appends_in_pieces", appends_in_pieces},
    {"appends_after_opening_again", appends_after_opening_again},
    {"appends_a_body_that_comes_slowly", appends_a_body_that_comes_slowly},
    {"appends_a_large_body", appends_a_large_body},
    {"appends_nothing", appends_nothing},
    {"keeps_what_arrived", keeps_what_arrived},
    {"opens_and_appends_in_one", opens_and_appends_in_one},
    {"stops_when_told_in_the_middle", stops_when_told_in_the_middle},
    {"refuses_a_wrong_offset", refuses_a_wrong_offset},
};

}  // namespace

std::span<const StoreTest> store_append_tests() { return append_tests; }

}  // namespace testing

TUS_NAMESPACE_END
