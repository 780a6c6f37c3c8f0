// When uploads were last written to, and how those are found to which nobody has written for long.
#include "testing/store_contract_kit.h"

#include <chrono>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

using std::chrono::sys_seconds;

const auto never = Deadline::never();
constexpr std::chrono::hours hour{1};
// The clock of a store and ours may be a tick apart.
constexpr std::chrono::seconds tick{1};

sys_seconds wall() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

void expect_between(std::optional<sys_seconds> time, sys_seconds from, sys_seconds to) {
  ASSERT_TRUE(time);
  EXPECT_GE(*time, from - tick);
  EXPECT_LE(*time, to + tick);
}

std::vector<std::string> idle_since(Store& store, sys_seconds time) {
  ScanOptions options;
  options.idle_since = time;
  std::vector<std::string> ids;
  for (const auto& info : scan_all(store, options)) ids.push_back(info.id.str());
  std::ranges::sort(ids);
  return ids;
}

// [STORE-44]
void tells_when_bytes_came(StoreBackend& backend) {
  const auto before = wall();
  auto upload = create(backend.store(), draft_of("a", 100), "hello");
  expect_between(upload->info().last_activity, before, wall());
  append(*upload, " world");
  expect_between(upload->info().last_activity, before, wall());
  upload.reset();
  restart(backend);
  expect_between(inspect(backend.store(), "a")->last_activity, before, wall());
  expect_between(open(backend.store(), "a")->info().last_activity, before, wall());
}

// [STORE-44] An upload that never got a byte counts from its creation.
void tells_when_nothing_came(StoreBackend& backend) {
  const auto before = wall();
  create(backend.store(), draft_of("a", std::nullopt));
  restart(backend);
  expect_between(inspect(backend.store(), "a")->last_activity, before, wall());
}

// [STORE-45]
void finds_idle_uploads(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("begun", 10), "12345");
  create(store, draft_of("dir/empty", 10));
  create(store, draft_of("deferred", std::nullopt), "123");
  create(store, draft_of("whole", 5), "12345");
  auto draft = draft_of("finished", 5);
  draft.finish = FinishState::finished;
  create(store, std::move(draft), "12345");
  auto finishing = draft_of("finishing", 5);
  finishing.finish = FinishState::pending;
  create(store, std::move(finishing), "12345");
  EXPECT_EQ(idle_since(store, wall() + hour),
            (std::vector<std::string>{"begun", "deferred", "dir/empty", "finishing"}));
  EXPECT_TRUE(idle_since(store, wall() - hour).empty());
}

// [STORE-45] However many others there are.
void finds_idle_uploads_among_many(StoreBackend& backend) {
  auto& store = backend.store();
  const int many = backend.repeats(300);
  for (int i = 0; i < many; ++i) create(store, draft_of(std::to_string(i), 1), "x");
  for (int i = 0; i < many; ++i) create(store, draft_of("b" + std::to_string(i), 2), "x");
  EXPECT_EQ(idle_since(store, wall() + hour).size(), static_cast<std::size_t>(many));
}

// [STORE-46] What a scan has not named is nobody's to remove.
void removes_no_upload_as_a_left_over(StoreBackend& backend) {
  auto& store = backend.store();
  const std::string generated = "0123456789abcdef0123456789abcdef";
  create(store, draft_of(generated, 10), "12345");
  FakeLease lease;
  auto removed = run(store.remove_left_over(id_of(generated), lease, wall() + hour, never));
  EXPECT_TRUE(removed && !*removed);
  removed = run(store.remove_left_over(id_of("nothing"), lease, wall() + hour, never));
  EXPECT_TRUE(removed && !*removed);
  expect_stored(backend, generated, "12345");
}

constexpr StoreTest idle_tests[] = {
    {"tells_when_bytes_came", tells_when_bytes_came},
    {"tells_when_nothing_came", tells_when_nothing_came},
    {"finds_idle_uploads", finds_idle_uploads},
    {"finds_idle_uploads_among_many", finds_idle_uploads_among_many},
    {"removes_no_upload_as_a_left_over", removes_no_upload_as_a_left_over},
};

}  // namespace

std::span<const StoreTest> store_idle_tests() { return idle_tests; }

}  // namespace testing

TUS_NAMESPACE_END
