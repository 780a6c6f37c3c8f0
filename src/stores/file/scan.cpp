#include "stores/file/scan.h"

#include "async/run_blocking.h"
#include "stores/file/left_overs.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

namespace tus::file_store {

namespace {

// Of a page. What is looked at in a row is looked at fast, and others get their turn then.
constexpr std::size_t most_uploads = 256;
constexpr std::chrono::milliseconds longest_job{5};
constexpr std::size_t entries_between_looks_at_the_clock = 64;

constexpr std::size_t most_ownerless = 10'000;  // the next pass finds the others

std::string_view without_suffix(std::string_view path) {
  path.remove_suffix(info_suffix.size());
  return path;
}

bool is_missing(const Error& error) { return error == ErrorCode::upload_not_found; }

// An error that says nothing about one upload, but about the disk.
bool is_serious(const Error& error) { return error == ErrorCode::store_unavailable; }

}  // namespace

Awaitable<Result<ScanPage>> DirectoryScan::next(Deadline) {
  auto job = [&](std::span<std::byte> scratch) { return context_.checked(page(scratch)); };
  co_return co_await run_blocking(*context_.pool, job, Blocking::for_long);
}

Result<ScanPage> DirectoryScan::page(std::span<std::byte> scratch) {
  ScanPage page;
  if (!walk_) {
    auto walk = Walk::begin(context_.layout.root());
    if (!walk) return fail(std::move(walk.error()));
    walk_ = std::move(*walk);
    if (idle_since_) remove_old_temporaries(context_.io, context_.layout.root(), *idle_since_);
  }
  const auto stop = context_.clock->now() + longest_job;
  do {
    for (std::size_t i = 0; i < entries_between_looks_at_the_clock && !page.at_end; ++i) {
      if (auto done = go_on(page, scratch); !done) return fail(std::move(done.error()));
    }
  } while (!page.at_end && page.uploads.size() < most_uploads && context_.clock->now() < stop);
  return page;
}

Status DirectoryScan::go_on(ScanPage& page, std::span<std::byte> scratch) {
  auto entry = walk_->next();
  if (!entry) return fail(std::move(entry.error()));
  if (*entry) return visit(**entry, page, scratch);
  if (!looks_for_owners_ && !ownerless_.empty()) {
    looks_for_owners_ = true;
    auto walk = Walk::begin(context_.layout.root());
    if (!walk) return fail(std::move(walk.error()));
    walk_ = std::move(*walk);
    return {};
  }
  end_of_walk(page);
  return {};
}

void DirectoryScan::end_of_walk(ScanPage& page) {
  page.at_end = true;
  for (const auto& name : ownerless_) {
    if (auto id = UploadId::parse(name)) page.left_overs.push_back(std::move(*id));
  }
}

Status DirectoryScan::visit(const Walk::Entry& entry, ScanPage& page,
                            std::span<std::byte> scratch) {
  if (looks_for_owners_) return visit_record(entry, scratch);
  return idle_since_ ? visit_idle(entry, page, scratch) : visit_any(entry, page, scratch);
}

Status DirectoryScan::visit_any(const Walk::Entry& entry, ScanPage& page,
                                std::span<std::byte> scratch) {
  if (!entry.path.ends_with(info_suffix)) return {};
  auto id = UploadId::parse(without_suffix(entry.path));
  if (!id) return {};
  auto loaded = context_.records.load_consistent(*id, scratch);
  if (!loaded) {
    const bool ends = is_serious(loaded.error()) && !is_forbidden(*id);
    return ends ? Status(fail(std::move(loaded.error()))) : Status();
  }
  context_.handover->seen(*loaded);
  if (context_.keeper) (void)context_.keeper->saw(*loaded);
  page.uploads.push_back(std::move(loaded->file.info));
  return {};
}

// Most uploads are young or finished. A look at the data tells the young ones without reading a record.
Status DirectoryScan::visit_idle(const Walk::Entry& entry, ScanPage& page,
                                 std::span<std::byte> scratch) {
  if (!entry.is_regular) return {};
  const bool is_record = entry.path.ends_with(info_suffix);
  const auto data_of = [is_record](std::string_view name) {
    return is_record ? without_suffix(name) : name;
  };
  const auto data =
      context_.io.look({entry.directory, std::string(data_of(entry.name))}, AT_SYMLINK_NOFOLLOW);
  if (!data && is_serious(data.error())) return fail(data.error());
  // Where the data is beside its record, it is what is looked at; where it is not, the record leads to it.
  const bool leads_on = is_record ? !data : data && data->changed < *idle_since_;
  if (!leads_on) return {};
  auto id = UploadId::parse(data_of(entry.path));
  return id ? look_at_idle(*id, page, scratch) : Status();
}

Status DirectoryScan::look_at_idle(const UploadId& id, ScanPage& page,
                                   std::span<std::byte> scratch) {
  // Most of what is old is finished, and its record says so.
  auto record = context_.records.read(id, scratch);
  if (record && record->info.finish == FinishState::finished) return {};
  auto loaded = record ? context_.records.with_data(*std::move(record)) : fail(record.error());
  if (loaded) {
    auto& info = loaded->file.info;
    const bool idle = info.last_activity && *info.last_activity < *idle_since_;
    if (idle && !info.finished()) page.uploads.push_back(std::move(info));
    return {};
  }
  if (is_serious(loaded.error())) {
    return is_forbidden(id) ? Status() : Status(fail(std::move(loaded.error())));
  }
  if (!is_missing(loaded.error())) return {};
  if (may_be_left_over(context_, id, *idle_since_, scratch)) {
    if (ownerless_.size() < most_ownerless) ownerless_.insert(id.str());
  }
  return {};
}

// A data file may have any name, if a hook has chosen it. A record that cannot be read may name any of them.
Status DirectoryScan::visit_record(const Walk::Entry& entry, std::span<std::byte> scratch) {
  if (!entry.path.ends_with(info_suffix)) return {};
  auto id = UploadId::parse(without_suffix(entry.path));
  if (!id) return {};
  auto record = context_.records.read(*id, scratch);
  if (record) {
    const auto path = record->info.storage.find("Path");
    if (path == record->info.storage.end()) return {};
    const std::string_view named(path->second);
    if (named.ends_with("/" + id->str()) || named == id->str()) return {};
    ownerless_.erase(std::string(named.substr(named.rfind('/') + 1)));
    return {};
  }
  if (is_missing(record.error())) return {};
  context_.logger->log(LogLevel::warn, "LeftOversKept",
                       {{"id", id->str()}, {"error", record.error().detail()}});
  ownerless_.clear();
  const bool ends = is_serious(record.error()) && !is_forbidden(*id);
  return ends ? Status(fail(std::move(record.error()))) : Status();
}

// Of another user, as a server that once ran as root leaves it. To a disk that fails, all are the same.
bool DirectoryScan::is_forbidden(const UploadId& id) {
  auto place = context_.layout.info_file(id);
  if (!place) return false;
  constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const Fd record(
      context_.machine.calls->openat(place->name.dir, place->name.leaf.c_str(), flags, 0));
  if (record || (errno != EACCES && errno != EPERM)) return false;
  context_.logger->log(LogLevel::warn, "RecordNotReadable", {{"id", id.str()}});
  return true;
}

Result<StoreUsage> measure(int root) {
  StoreUsage usage;
  auto walk = Walk::begin(root);
  if (!walk) return fail(std::move(walk.error()));
  for (;;) {
    auto entry = walk->next();
    if (!entry) return fail(std::move(entry.error()));
    if (!*entry) return usage;
    if ((*entry)->path.ends_with(info_suffix)) {
      ++usage.uploads;
      continue;
    }
    struct stat found;
    const bool seen =
        ::fstatat((*entry)->directory, (*entry)->name, &found, AT_SYMLINK_NOFOLLOW) == 0;
    if (seen && S_ISREG(found.st_mode)) usage.bytes += static_cast<std::uint64_t>(found.st_size);
  }
}

}  // namespace tus::file_store
