// Many uploads at a time.
#include "testing/store_contract_kit.h"

#include <array>
#include <string>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

// One client: an upload in several appends, opened anew for each.
Awaitable<void> upload_in_parts(Store& store, std::string id, std::string bytes, std::size_t part) {
  FakeLease lease;
  auto never = Deadline::never();
  auto draft = draft_of(id, bytes.size());
  auto made = co_await store.create(std::move(draft), lease, {}, never);
  EXPECT_TRUE(made);
  for (std::size_t at = 0; at < bytes.size(); at += part) {
    auto upload = co_await store.open(id_of(id), lease, never);
    EXPECT_TRUE(upload);
    if (!upload) co_return;
    ScriptSource source(BodyScript::chunked(bytes.substr(at, part), 11));
    AppendRequest request(at);
    auto outcome = co_await (*upload)->append(lease, source, request, never);
    EXPECT_FALSE(outcome.error);
  }
  auto info = co_await store.inspect(id_of(id), never);
  EXPECT_TRUE(info);
  if (info) EXPECT_TRUE(info->has_all_bytes());
}

std::string name_of(int thread, int n) {
  return "t" + std::to_string(thread) + "/" + std::to_string(n);
}

std::string bytes_for(int thread, int n) {
  return pattern(500, static_cast<unsigned>(thread * 1000 + n));
}

Awaitable<void> upload_some(Store& store, int thread, int count) {
  for (int n = 0; n < count; ++n) {
    co_await upload_in_parts(store, name_of(thread, n), bytes_for(thread, n), 120);
  }
}

// [STORE-14]
void serves_many_on_one_loop(StoreBackend& backend) {
  TestLoop loop;
  const int count = backend.repeats(40);
  for (int i = 0; i < count; ++i) {
    loop.spawn(upload_in_parts(backend.store(), name_of(0, i), bytes_for(0, i), 120));
  }
  loop.run();
  for (int i = 0; i < count; ++i) expect_stored(backend, name_of(0, i), bytes_for(0, i));
}

// [STORE-14]
void serves_many_threads(StoreBackend& backend) {
  auto& store = backend.store();
  const int count = backend.repeats(10);
  run_on_threads(4, [&](int thread) { return upload_some(store, thread, count); });
  for (int thread = 0; thread < 4; ++thread) {
    for (int n = 0; n < count; ++n)
      expect_stored(backend, name_of(thread, n), bytes_for(thread, n));
  }
}

Awaitable<void> create_it(Store& store, int& winners, std::string first) {
  FakeLease lease(0);
  auto made =
      co_await store.create(draft_of("same", 100), lease, bytes_of(first), Deadline::never());
  if (made) ++winners;
  if (!made) EXPECT_TRUE(made.error() == ErrorCode::upload_exists);
}

// [STORE-3]
void gives_an_id_to_one_creator(StoreBackend& backend) {
  auto& store = backend.store();
  std::array<int, 4> winners{};
  run_on_threads(4, [&store, &winners](int thread) {
    auto i = static_cast<std::size_t>(thread);
    return create_it(store, winners[i], std::string(10, static_cast<char>('a' + thread)));
  });
  int all = 0;
  for (int i = 0; i < 4; ++i) {
    if (winners[static_cast<std::size_t>(i)] == 0) continue;
    ++all;
    expect_stored(backend, "same", std::string(10, static_cast<char>('a' + i)));
  }
  EXPECT_EQ(all, 1);
}

constexpr StoreTest load_tests[] = {
    {"serves_many_on_one_loop", serves_many_on_one_loop},
    {"serves_many_threads", serves_many_threads},
    {"gives_an_id_to_one_creator", gives_an_id_to_one_creator},
};

}  // namespace

std::span<const StoreTest> store_load_tests() { return load_tests; }

}  // namespace testing

TUS_NAMESPACE_END
