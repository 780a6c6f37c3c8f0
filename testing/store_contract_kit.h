// What the tests of the store contract share: each call of a store as one line.
#pragma once

#include "testing/contract.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/script_source.h>
#include <tus/testing/store_contract.h>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

namespace testing {

using StoreTest = ContractTest<StoreBackend>;

std::span<const StoreTest> store_basic_tests();
std::span<const StoreTest> store_append_tests();
std::span<const StoreTest> store_state_tests();
std::span<const StoreTest> store_load_tests();

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

Result<UploadInfo> inspect(Store& store, std::string_view id);
// Bytes of a range, or the error's code in brackets.
std::string read_range(Store& store, std::string_view id, ByteRange range);

// The upload has exactly these bytes: by inspect(), by open() and by peek().
void expect_stored(StoreBackend& backend, std::string_view id, std::string_view bytes);
void expect_error(const Status& status, ErrorCode code);
template <class T>
void expect_error(const Result<T>& result, ErrorCode code) {
  expect_error(result ? Status() : Status(fail(result.error())), code);
}
void expect_ok(const Status& status);

}  // namespace testing

TUS_NAMESPACE_END
