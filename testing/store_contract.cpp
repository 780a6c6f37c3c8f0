#include "testing/store_contract_kit.h"

#include <algorithm>
#include <set>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

// [STORE-1]
void creates_an_empty_upload(StoreBackend& backend) {
  auto& store = backend.store();
  auto upload = create(store, draft_of("a", 10));
  EXPECT_EQ(upload->info().id.str(), "a");
  EXPECT_EQ(upload->info().length, 10u);
  EXPECT_EQ(upload->info().offset, 0u);
  EXPECT_FALSE(upload->info().storage.empty());
  expect_stored(backend, "a", "");
  EXPECT_FALSE(inspect(store, "a")->finished());
}

// [STORE-1]
void creates_with_first_bytes(StoreBackend& backend) {
  auto upload = create(backend.store(), draft_of("a", 10), "hello");
  EXPECT_EQ(upload->info().offset, 5u);
  expect_stored(backend, "a", "hello");
  EXPECT_EQ(append(*upload, "world").safe_offset, 10u);
  expect_stored(backend, "a", "helloworld");
}

// [STORE-1]
void creates_a_complete_upload(StoreBackend& backend) {
  auto& store = backend.store();
  auto draft = draft_of("a", 5);
  if (store.capabilities().needs_finish) draft.finish = FinishState::finished;
  auto upload = create(store, std::move(draft), "hello");
  EXPECT_TRUE(upload->info().finished());
  restart(backend);
  auto info = inspect(backend.store(), "a");
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->finished());
  expect_stored(backend, "a", "hello");
}

// [STORE-2]
void keeps_what_the_client_said(StoreBackend& backend) {
  UploadDraft draft;
  draft.id = id_of("team/a/1");
  draft.raw_metadata = "name aMO2LnR4dA==,bin AP8B/g==,empty ,flag,\xE4 eA==";
  draft.metadata = {{"name", "h\xC3\xB6.txt"}, {"bin", std::string("\0\xFF\x01\xFE", 4)}};
  draft.raw_concat = "partial";
  draft.is_partial = true;
  draft.creation_id = "0123456789abcdef";
  draft.finish = FinishState::pending;
  create(backend.store(), draft, "x");
  restart(backend);
  auto info = inspect(backend.store(), "team/a/1");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->raw_metadata, draft.raw_metadata);
  ASSERT_FALSE(info->metadata.empty());
  EXPECT_EQ(info->metadata[0].first, "name");
  EXPECT_EQ(info->metadata[0].second, "h\xC3\xB6.txt");
  EXPECT_EQ(info->raw_concat, "partial");
  EXPECT_TRUE(info->is_partial);
  EXPECT_FALSE(info->is_final);
  EXPECT_EQ(info->length, std::nullopt);
  EXPECT_EQ(info->offset, 1u);
  EXPECT_EQ(info->finish, FinishState::pending);
  EXPECT_EQ(info->creation_id, draft.creation_id);
  // Another one later under the same id is another one.
  draft.creation_id = "fedcba9876543210";
  auto upload = open(backend.store(), "team/a/1");
  ASSERT_TRUE(upload);
  expect_ok(run(upload->terminate(FakeLease(), Deadline::never())));
  upload.reset();
  create(backend.store(), draft, "x");
  EXPECT_EQ(inspect(backend.store(), "team/a/1")->creation_id, draft.creation_id);
}

// [STORE-3]
void refuses_a_taken_id(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("a", 10), "first");
  expect_error(try_create(store, draft_of("a", 3), "abc"), ErrorCode::upload_exists);
  expect_error(try_create(store, draft_of("a", 3), "abc", FakeLease(0)), ErrorCode::upload_exists);
  expect_stored(backend, "a", "first");
  EXPECT_EQ(inspect(store, "a")->length, 10u);
}

// [STORE-4]
void knows_no_other_ids(StoreBackend& backend) {
  auto& store = backend.store();
  create(store, draft_of("a/b", 10), "first");
  for (const char* id : {"x", "a", "a/b/c", "a/c", "b"}) {
    SCOPED_TRACE(id);
    expect_error(inspect(store, id), ErrorCode::upload_not_found);
    expect_error(try_open(store, id), ErrorCode::upload_not_found);
    auto stream = run(store.read(id_of(id), ByteRange{0, 0}, Deadline::never()));
    expect_error(stream, ErrorCode::upload_not_found);
  }
}

// [STORE-13]
void reads_ranges(StoreBackend& backend) {
  auto& store = backend.store();
  auto bytes = pattern(300'000);
  auto upload = create(store, draft_of("a", bytes.size()));
  append(*upload, bytes);
  expect_ok(run(upload->finish_and_record(FakeLease(), Deadline::never())));
  for (auto range : {ByteRange{0, 1}, ByteRange{0, 300'000}, ByteRange{299'999, 1}, ByteRange{5, 0},
                     ByteRange{131'071, 2}, ByteRange{1, 299'998}}) {
    EXPECT_TRUE(read_range(store, "a", range) == bytes.substr(range.first, range.count))
        << range.first << "+" << range.count;
  }
}

// [STORE-13]
void reads_what_is_not_finished(StoreBackend& backend) {
  auto& store = backend.store();
  auto draft = draft_of("a", 100);
  draft.finish = FinishState::pending;
  auto upload = create(store, std::move(draft), "hello");
  append(*upload, " world");
  if (backend.deviations().reads_only_finished) {
    auto stream = run(store.read(id_of("a"), ByteRange{0, 11}, Deadline::never()));
    expect_error(stream, ErrorCode::upload_not_finished);
    return;
  }
  EXPECT_EQ(read_range(store, "a", ByteRange{0, 11}), "hello world");
  EXPECT_EQ(read_range(store, "a", ByteRange{4, 3}), "o w");
}

// [STORE-13]
void lists_everything_once(StoreBackend& backend) {
  auto& store = backend.store();
  std::set<std::string> made;
  for (int i = 0; i < backend.repeats(250); ++i) {
    auto name = std::to_string(i);
    auto id = i % 3 == 0 ? "dir" + std::to_string(i % 7) + "/" + name : name;
    create(store, draft_of(id, 1));
    made.insert(id);
  }
  EXPECT_EQ(list_all(store), std::vector<std::string>(made.begin(), made.end()));
}

// [STORE-13]
void finds_nothing_where_nothing_is(StoreBackend& backend) {
  EXPECT_TRUE(scan_all(backend.store()).empty());
  ScanOptions idle;
  idle.idle_since = std::chrono::sys_days(std::chrono::year(2500) / 1 / 1);
  EXPECT_TRUE(scan_all(backend.store(), idle).empty());
}

// [STORE-13] With what an inspection tells.
void tells_of_each_upload_what_it_is(StoreBackend& backend) {
  auto draft = draft_of("dir/a", 10);
  draft.raw_metadata = "name eA==";
  draft.finish = FinishState::pending;
  create(backend.store(), std::move(draft), "12345");
  const auto all = scan_all(backend.store());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].id.str(), "dir/a");
  EXPECT_EQ(all[0].length, 10u);
  EXPECT_EQ(all[0].offset, 5u);
  EXPECT_EQ(all[0].raw_metadata, "name eA==");
  EXPECT_EQ(all[0].finish, FinishState::pending);
}

// [STORE-13]
void counts_what_is_stored(StoreBackend& backend) {
  auto& store = backend.store();
  auto before = run(store.usage(Deadline::never()));
  ASSERT_TRUE(before);
  EXPECT_EQ(before->uploads, 0u);
  auto a = create(store, draft_of("a", 10), "12345");
  auto b = create(store, draft_of("d/b", 10));
  append(*b, "123");
  auto usage = run(store.usage(Deadline::never()));
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->uploads, 2u);
  EXPECT_EQ(usage->bytes, before->bytes + 8);
  expect_ok(run(a->terminate(FakeLease(), Deadline::never())));
  usage = run(store.usage(Deadline::never()));
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->uploads, 1u);
  EXPECT_EQ(usage->bytes, before->bytes + 3);
}

void is_healthy_and_closes(StoreBackend& backend) {
  auto& store = backend.store();
  expect_ok(run(store.health(Deadline::never())));
  create(store, draft_of("a", 10), "12345");
  run(store.close(Deadline::never()));
  restart(backend);
  expect_stored(backend, "a", "12345");
}

constexpr StoreTest basic_tests[] = {
    {"creates_an_empty_upload", creates_an_empty_upload},
    {"creates_with_first_bytes", creates_with_first_bytes},
    {"creates_a_complete_upload", creates_a_complete_upload},
    {"keeps_what_the_client_said", keeps_what_the_client_said},
    {"refuses_a_taken_id", refuses_a_taken_id},
    {"knows_no_other_ids", knows_no_other_ids},
    {"reads_ranges", reads_ranges},
    {"reads_what_is_not_finished", reads_what_is_not_finished},
    {"lists_everything_once", lists_everything_once},
    {"finds_nothing_where_nothing_is", finds_nothing_where_nothing_is},
    {"tells_of_each_upload_what_it_is", tells_of_each_upload_what_it_is},
    {"counts_what_is_stored", counts_what_is_stored},
    {"is_healthy_and_closes", is_healthy_and_closes},
};

}  // namespace

std::span<const StoreTest> store_basic_tests() { return basic_tests; }

int add_store_contract(const std::string& name, MakeStoreBackend make) {
  auto run_one = [make](void (*body)(StoreBackend&)) {
    auto backend = make();
    body(*backend);
  };
  int count = 0;
  for (auto tests :
       {store_basic_tests(), store_append_tests(), store_state_tests(), store_lease_tests(),
        store_shortage_tests(), store_restart_tests(), store_gone_tests(), store_load_tests(),
        store_look_tests(), store_join_tests(), store_idle_tests()}) {
    count += add_contract<StoreBackend>("store_contract_" + name, tests, run_one, __FILE__);
  }
  return count;
}

}  // namespace testing

TUS_NAMESPACE_END
