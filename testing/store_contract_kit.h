// What the tests of the store contract share: each call of a store as one line.
#pragma once

#include "testing/contract.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/script_source.h>
#include <tus/testing/store_contract.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

using StoreTest = ContractTest<StoreBackend>;

std::span<const StoreTest> store_basic_tests();
std::span<const StoreTest> store_append_tests();
std::span<const StoreTest> store_state_tests();
std::span<const StoreTest> store_lease_tests();
std::span<const StoreTest> store_shortage_tests();
std::span<const StoreTest> store_restart_tests();
std::span<const StoreTest> store_gone_tests();
std::span<const StoreTest> store_load_tests();
std::span<const StoreTest> store_look_tests();
std::span<const StoreTest> store_join_tests();
std::span<const StoreTest> store_idle_tests();

// From here on with a new store over what is stored. One that forgets goes on as it is: that it does
// forget is a test of its own.
void restart(StoreBackend& backend);

UploadId id_of(std::string_view text);
UploadDraft draft_of(std::string_view id, std::optional<std::uint64_t> length);
// A text of which every part is different.
std::string pattern(std::size_t size, unsigned seed = 1);
std::span<const std::byte> bytes_of(std::string_view text);

Result<std::unique_ptr<Upload>> try_create(Store& store, UploadDraft draft,
                                           std::string_view first = {},
                                           const Lease& lease = FakeLease());
// The upload, or a failed test and an exception.
std::unique_ptr<Upload> create(Store& store, UploadDraft draft, std::string_view first = {},
                               const Lease& lease = FakeLease());
Result<std::unique_ptr<Upload>> try_open(Store& store, std::string_view id,
                                         const Lease& lease = FakeLease());
std::unique_ptr<Upload> open(Store& store, std::string_view id, const Lease& lease = FakeLease());

// Appends at the upload's offset.
AppendOutcome append(Upload& upload, BodyScript script, const Lease& lease = FakeLease());
AppendOutcome append(Upload& upload, std::string bytes, const Lease& lease = FakeLease());
AppendOutcome append_staged(Upload& upload, std::string bytes, const Lease& lease = FakeLease());
// The same where it matters how bytes reach a file.
AppendOutcome append(StoreBackend& backend, Upload& upload, BodyScript script,
                     const Lease& lease = FakeLease());
// As one answer: the append's own failure, or that it is done.
Status status_of(const AppendOutcome& outcome);

// Runs `look` while the body is held, and lets it go on then.
Awaitable<void> look_when_held(ScriptSource& source, std::function<void()> look);
Awaitable<void> append_into(Upload& upload, const Lease& lease, BodySource& source,
                            AppendRequest request, AppendOutcome& outcome);

Result<UploadInfo> inspect(Store& store, std::string_view id);
// Bytes of a range, or the error's code in brackets.
std::string read_range(Store& store, std::string_view id, ByteRange range);

// For a finish that is to fail.
Deadline time_for_a_finish(const StoreBackend& backend);

// The upload has exactly these bytes: by inspect() and by peek(), which leave it to its writer.
void expect_bytes(StoreBackend& backend, std::string_view id, std::string_view bytes);
// And by open(), with the lease that tests have without saying so.
void expect_stored(StoreBackend& backend, std::string_view id, std::string_view bytes);
std::string peek(StoreBackend& backend, std::string_view id, std::uint64_t count);
StoreUsage usage_of(Store& store);
// All uploads that a scan finds, page by page.
std::vector<UploadInfo> scan_all(Store& store, ScanOptions options = ScanOptions());
// Their ids, sorted.
std::vector<std::string> list_all(Store& store);
void expect_error(const Status& status, ErrorCode code);
template <class T>
void expect_error(const Result<T>& result, ErrorCode code) {
  expect_error(result ? Status() : Status(fail(result.error())), code);
}
void expect_ok(const Status& status);

}  // namespace testing

TUS_NAMESPACE_END
