#include "testing/store_contract_kit.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <stdexcept>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

UploadId id_of(std::string_view text) {
  auto id = UploadId::parse(text);
  if (!id) throw std::invalid_argument("not an id: " + std::string(text));
  return *id;
}

UploadDraft draft_of(std::string_view id, std::optional<std::uint64_t> length) {
  UploadDraft draft;
  draft.id = id_of(id);
  draft.length = length;
  return draft;
}

std::string pattern(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& c : text) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

namespace {

std::unique_ptr<Upload> need(Result<std::unique_ptr<Upload>> result, const char* what) {
  if (result) return *std::move(result);
  throw std::runtime_error(std::string(what) +
                           " failed: " + std::string(describe(result.error().code()).code) + " " +
                           result.error().detail());
}

}  // namespace

Result<std::unique_ptr<Upload>> try_create(Store& store, UploadDraft draft, std::string_view first,
                                           const Lease& lease) {
  return run(store.create(std::move(draft), lease, bytes_of(first), Deadline::never()));
}

std::unique_ptr<Upload> create(Store& store, UploadDraft draft, std::string_view first,
                               const Lease& lease) {
  return need(try_create(store, std::move(draft), first, lease), "create");
}

Result<std::unique_ptr<Upload>> try_open(Store& store, std::string_view id, const Lease& lease) {
  return run(store.open(id_of(id), lease, Deadline::never()));
}

std::unique_ptr<Upload> open(Store& store, std::string_view id, const Lease& lease) {
  return need(try_open(store, id, lease), "open");
}

AppendOutcome append(Upload& upload, BodyScript script, const Lease& lease) {
  ScriptSource source(std::move(script));
  AppendRequest request(upload.info().offset);
  return run(upload.append(lease, source, request, Deadline::never()));
}

AppendOutcome append(Upload& upload, std::string bytes, const Lease& lease) {
  return append(upload, BodyScript::whole(std::move(bytes)), lease);
}

AppendOutcome append_staged(Upload& upload, std::string bytes, const Lease& lease) {
  ScriptSource source(BodyScript::whole(std::move(bytes)));
  AppendRequest request(upload.info().offset);
  request.mode = AppendRequest::Mode::staged;
  return run(upload.append(lease, source, request, Deadline::never()));
}

AppendOutcome append(StoreBackend& backend, Upload& upload, BodyScript script, const Lease& lease) {
  ScriptSource source(std::move(script), backend.file_writer());
  AppendRequest request(upload.info().offset);
  return run(upload.append(lease, source, request, Deadline::never()));
}

Status status_of(const AppendOutcome& outcome) {
  return outcome.error ? Status(fail(*outcome.error)) : Status();
}

Awaitable<void> look_when_held(ScriptSource& source, std::function<void()> look) {
  co_await source.held(Deadline::never());
  look();
  source.release();
}

Awaitable<void> append_into(Upload& upload, const Lease& lease, BodySource& source,
                            AppendRequest request, AppendOutcome& outcome) {
  outcome = co_await upload.append(lease, source, request, Deadline::never());
}

void restart(StoreBackend& backend) {
  if (!backend.deviations().forgets_at_restart) backend.restart();
}

Result<UploadInfo> inspect(Store& store, std::string_view id) {
  return run(store.inspect(id_of(id), Deadline::never()));
}

std::string read_range(Store& store, std::string_view id, ByteRange range) {
  auto name = [](const Error& error) {
    return "[" + std::string(describe(error.code()).code) + "]";
  };
  auto stream = run(store.read(id_of(id), range, Deadline::never()));
  if (!stream) return name(stream.error());
  std::string all;
  std::string piece(100'000, '\0');
  while (true) {
    auto into = std::as_writable_bytes(std::span(piece));
    auto n = run((*stream)->read(into, Deadline::never()));
    if (!n) return all + name(n.error());
    if (*n == 0) return all;
    all.append(piece, 0, *n);
  }
}

Deadline time_for_a_finish(const StoreBackend& backend) {
  return Deadline::after(std::chrono::steady_clock::now(), backend.time_of_a_finish());
}

std::string StoreBackend::peek(const UploadId& id, std::uint64_t count) {
  return read_range(store(), id.str(), ByteRange{0, count});
}

std::string peek(StoreBackend& backend, std::string_view id, std::uint64_t count) {
  return backend.peek(id_of(id), count);
}

StoreUsage usage_of(Store& store) {
  auto usage = run(store.usage(Deadline::never()));
  if (!usage) throw std::runtime_error("usage failed: " + usage.error().detail());
  return *usage;
}

std::vector<UploadInfo> scan_all(Store& store, ScanOptions options) {
  std::vector<UploadInfo> all;
  const auto scan = store.scan(options);
  for (int pages = 0; pages < 100'000; ++pages) {
    auto page = run(scan->next(Deadline::never()));
    if (!page) throw std::runtime_error("scan failed: " + page.error().detail());
    std::ranges::move(page->uploads, std::back_inserter(all));
    if (page->at_end) return all;
  }
  throw std::runtime_error("the scan has no end");
}

std::vector<std::string> list_all(Store& store) {
  std::vector<std::string> ids;
  for (const auto& info : scan_all(store)) ids.push_back(info.id.str());
  std::ranges::sort(ids);
  return ids;
}

void expect_bytes(StoreBackend& backend, std::string_view id, std::string_view bytes) {
  SCOPED_TRACE("upload " + std::string(id));
  auto info = inspect(backend.store(), id);
  ASSERT_TRUE(info) << describe(info.error().code()).code << " " << info.error().detail();
  EXPECT_EQ(info->offset, bytes.size());
  EXPECT_TRUE(peek(backend, id, bytes.size()) == bytes) << "other bytes";
}

void expect_stored(StoreBackend& backend, std::string_view id, std::string_view bytes) {
  expect_bytes(backend, id, bytes);
  SCOPED_TRACE("upload " + std::string(id));
  auto upload = try_open(backend.store(), id);
  ASSERT_TRUE(upload) << upload.error().detail();
  EXPECT_EQ((*upload)->info().offset, bytes.size());
}

void expect_error(const Status& status, ErrorCode code) {
  ASSERT_FALSE(status) << "should be " << describe(code).code;
  EXPECT_EQ(describe(status.error().code()).code, describe(code).code) << status.error().detail();
}

void expect_ok(const Status& status) {
  EXPECT_TRUE(status) << describe(status.error().code()).code << " " << status.error().detail();
}

}  // namespace testing

TUS_NAMESPACE_END
