// Looks without a lease, and others that come and go, beside a writer: on threads, for TSan too.
#include "testing/store_contract_kit.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

constexpr std::size_t piece = 40;  // of each append

Awaitable<AppendOutcome> append_piece(StoreBackend& backend, Upload& upload, std::string bytes,
                                      AppendRequest::Mode mode) {
  ScriptSource source(BodyScript::chunked(bytes, 13), backend.file_writer());
  AppendRequest request(upload.info().offset);
  request.mode = mode;
  FakeLease lease;
  co_return co_await upload.append(lease, source, request, never);
}

// What the threads of a test share.
struct Beside {
  Beside(StoreBackend& b, std::string t) : backend(b), text(std::move(t)) {}
  StoreBackend& backend;
  std::string text;  // of the upload "a"
  std::atomic<std::uint64_t> told{0};
  std::atomic<bool> over{false};
  std::atomic<int> looks{0};
};

// Says that it is over in any case, so that those who look come to an end.
struct SayOver {
  explicit SayOver(Beside& b) : beside(b) {}
  ~SayOver() { beside.over = true; }
  SayOver(const SayOver&) = delete;
  SayOver& operator=(const SayOver&) = delete;
  Beside& beside;
};

// Gives those who look their turn.
void wait_for_a_look(const Beside& beside) {
  const int seen = beside.looks;
  while (beside.looks == seen && !::testing::Test::HasFailure()) std::this_thread::yield();
}

Awaitable<void> write_plain(Beside& beside) {
  SayOver at_end(beside);
  FakeLease lease;
  for (std::size_t at = 0; at < beside.text.size(); at += piece) {
    if (at % (10 * piece) == 0) wait_for_a_look(beside);
    auto upload = co_await beside.backend.store().open(id_of("a"), lease, never);
    EXPECT_TRUE(upload);
    if (!upload) co_return;
    auto outcome = co_await append_piece(beside.backend, **upload, beside.text.substr(at, piece),
                                         AppendRequest::Mode::plain);
    EXPECT_FALSE(outcome.error);
    if (outcome.error) co_return;
    beside.told = outcome.safe_offset;
  }
}

// Every piece is staged twice: as something wrong that is taken back, then as it is.
Awaitable<void> write_staged(Beside& beside) {
  SayOver at_end(beside);
  FakeLease lease;
  auto upload = co_await beside.backend.store().open(id_of("a"), lease, never);
  EXPECT_TRUE(upload);
  if (!upload) co_return;
  for (std::size_t at = 0; at < beside.text.size(); at += piece) {
    if (at % (10 * piece) == 0) wait_for_a_look(beside);
    auto outcome = co_await append_piece(beside.backend, **upload, std::string(piece + 7, 'X'),
                                         AppendRequest::Mode::staged);
    EXPECT_FALSE(outcome.error);
    auto back = co_await (*upload)->rollback_staged(lease, never);
    EXPECT_TRUE(back);
    outcome = co_await append_piece(beside.backend, **upload, beside.text.substr(at, piece),
                                    AppendRequest::Mode::staged);
    EXPECT_FALSE(outcome.error);
    auto done = co_await (*upload)->commit_staged(lease, never);
    EXPECT_TRUE(done);
    if (outcome.error || !back || !done) co_return;
    beside.told = (*upload)->info().offset;
  }
}

Awaitable<void> read_and_compare(Beside& beside, std::uint64_t offset) {
  auto first = offset - std::min<std::uint64_t>(offset, 2 * piece);
  auto stream =
      co_await beside.backend.store().read(id_of("a"), ByteRange{first, offset - first}, never);
  EXPECT_TRUE(stream);
  if (!stream) co_return;
  std::string bytes(2 * piece, '\0');
  auto n = co_await (*stream)->read(std::as_writable_bytes(std::span(bytes)), never);
  EXPECT_TRUE(n);
  if (!n) co_return;
  bytes.resize(*n);
  EXPECT_TRUE(bytes == beside.text.substr(static_cast<std::size_t>(first),
                                          static_cast<std::size_t>(offset - first)));
}

// An offset is never less than one that was told before the look, and never grows beyond what is told
// by more than what is written now.
Awaitable<void> look(Beside& beside, std::uint64_t step) {
  auto& store = beside.backend.store();
  const bool reads = !beside.backend.deviations().reads_only_finished;
  std::uint64_t last = 0;
  while (!beside.over && !::testing::Test::HasFailure()) {
    auto told = std::max(last, beside.told.load());
    auto info = co_await store.inspect(id_of("a"), never);
    EXPECT_TRUE(info) << info.error().detail();
    if (!info) co_return;
    EXPECT_GE(info->offset, told);
    EXPECT_EQ(info->offset % step, 0u) << info->offset;
    EXPECT_LE(info->offset, beside.text.size());
    EXPECT_EQ(info->raw_metadata, "name eA==");
    last = info->offset;
    if (reads) co_await read_and_compare(beside, last);
    ++beside.looks;
  }
}

Awaitable<void> count(Beside& beside) {
  auto& store = beside.backend.store();
  while (!beside.over && !::testing::Test::HasFailure()) {
    const auto scan = store.scan(ScanOptions());
    auto page = co_await scan->next(never);
    EXPECT_TRUE(page && page->uploads.size() == 1 && page->at_end);
    auto usage = co_await store.usage(never);
    EXPECT_TRUE(usage && usage->uploads == 1);
    auto health = co_await store.health(never);
    EXPECT_TRUE(health);
  }
}

void look_beside(StoreBackend& backend, Awaitable<void> (*write)(Beside&), std::uint64_t step) {
  Beside beside(backend, pattern(piece * static_cast<std::size_t>(backend.repeats(150))));
  auto draft = draft_of("a", std::nullopt);
  draft.finish = FinishState::pending;
  draft.raw_metadata = "name eA==";
  create(backend.store(), std::move(draft));
  run_on_threads(4, [&](int thread) {
    if (thread == 0) return write(beside);
    return thread == 1 ? count(beside) : look(beside, step);
  });
  expect_stored(backend, "a", beside.text);
}

// [STORE-18]
void looks_are_true_beside_appends(StoreBackend& backend) { look_beside(backend, write_plain, 1); }

// [STORE-18] Staged bytes are never seen, whenever somebody looks.
void looks_are_true_beside_staged_appends(StoreBackend& backend) {
  if (!backend.store().capabilities().staged_append) return;
  look_beside(backend, write_staged, backend.deviations().commits_in_pieces ? 1 : piece);
}

Awaitable<void> come_and_go(Store& store, std::string id, int rounds, std::atomic<bool>& over) {
  FakeLease lease;
  for (int i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    auto made = co_await store.create(draft_of(id, 10), lease, bytes_of("hello"), never);
    EXPECT_TRUE(made) << describe(made.error().code()).code << " " << made.error().detail();
    if (!made) break;
    auto gone = co_await (*made)->terminate(lease, never);
    EXPECT_TRUE(gone) << gone.error().detail();
  }
  over = true;
}

// Sees the whole upload or none.
Awaitable<void> look_at_coming(Store& store, std::string id, std::atomic<bool>& over) {
  while (!over && !::testing::Test::HasFailure()) {
    auto info = co_await store.inspect(id_of(id), never);
    if (info) {
      EXPECT_LE(info->offset, 5u);
      EXPECT_EQ(info->length, 10u);
    } else {
      EXPECT_TRUE(info.error() == ErrorCode::upload_not_found)
          << describe(info.error().code()).code << " " << info.error().detail();
    }
    const auto scan = store.scan(ScanOptions());
    auto page = co_await scan->next(never);
    EXPECT_TRUE(page);
    auto usage = co_await store.usage(never);
    EXPECT_TRUE(usage);
  }
}

// [STORE-14] Those that share a place too: a directory, or whatever a store has for it.
void creates_beside_terminations(StoreBackend& backend) {
  auto& store = backend.store();
  std::atomic<bool> over[3] = {false, false, false};
  run_on_threads(3, [&](int thread) {
    return come_and_go(store, "dir/sub/" + std::to_string(thread), backend.repeats(60),
                       over[thread]);
  });
  EXPECT_TRUE(list_all(store).empty());
  EXPECT_EQ(usage_of(store).bytes, 0u);
}

// [STORE-18]
void looks_are_true_beside_terminations(StoreBackend& backend) {
  auto& store = backend.store();
  std::atomic<bool> over{false};
  run_on_threads(3, [&](int thread) {
    return thread == 0 ? come_and_go(store, "dir/a", backend.repeats(100), over)
                       : look_at_coming(store, "dir/a", over);
  });
  EXPECT_TRUE(list_all(store).empty());
}

// Appends until somebody else takes the upload over.
Awaitable<void> append_until_lost(StoreBackend& backend, Upload& upload, std::string text) {
  FakeLease old(1);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    ScriptSource source(BodyScript::chunked(text.substr(at, piece), 7), backend.file_writer());
    auto outcome = co_await upload.append(old, source, AppendRequest(at), never);
    if (!outcome.error) continue;
    EXPECT_TRUE(*outcome.error == ErrorCode::lease_lost) << outcome.error->detail();
    co_return;
  }
}

Awaitable<void> take_over(StoreBackend& backend, std::string text) {
  FakeLease young(2);
  auto upload = co_await backend.store().open(id_of("a"), young, never);
  EXPECT_TRUE(upload);
  if (!upload) co_return;
  auto at = (*upload)->info().offset;
  auto rest = text.substr(static_cast<std::size_t>(at));
  ScriptSource source(BodyScript::whole(std::move(rest)), backend.file_writer());
  auto outcome = co_await (*upload)->append(young, source, AppendRequest(at), never);
  EXPECT_FALSE(outcome.error);
  EXPECT_EQ(outcome.safe_offset, text.size());
}

// [STORE-7]
void gives_way_to_a_younger_writer_at_any_moment(StoreBackend& backend) {
  // Without fencing the old one has to have stopped before.
  if (backend.deviations().ignores_old_tokens) return;
  auto text = pattern(piece * 20);
  for (int i = 0; i < 30 && !::testing::Test::HasFailure(); ++i) {
    auto first = create(backend.store(), draft_of("a", text.size()));
    run_on_threads(2, [&](int thread) {
      return thread == 0 ? append_until_lost(backend, *first, text) : take_over(backend, text);
    });
    expect_bytes(backend, "a", text);
    FakeLease last(3);
    expect_ok(run(open(backend.store(), "a", last)->terminate(last, never)));
  }
}

constexpr StoreTest look_tests[] = {
    {"looks_are_true_beside_appends", looks_are_true_beside_appends},
    {"looks_are_true_beside_staged_appends", looks_are_true_beside_staged_appends},
    {"creates_beside_terminations", creates_beside_terminations},
    {"looks_are_true_beside_terminations", looks_are_true_beside_terminations},
    {"gives_way_to_a_younger_writer_at_any_moment", gives_way_to_a_younger_writer_at_any_moment},
};

}  // namespace

std::span<const StoreTest> store_look_tests() { return look_tests; }

}  // namespace testing

TUS_NAMESPACE_END
