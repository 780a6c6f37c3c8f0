#include "core/whole_digests.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace tus::core {

namespace {

constexpr std::size_t most_remembered = 4096;
// So much may have to be read again after a restart; writing a record costs about as much as reading this.
constexpr std::uint64_t save_every = 32 << 20;
// Read before a body is taken. More would keep the client waiting, and is left to the finish.
constexpr std::uint64_t most_to_catch_up = 64 << 20;
constexpr std::size_t read_bytes = 256 << 10;

}  // namespace

WholeDigests::WholeDigests(const HandlerOptions& options, const HandlerParts& parts)
    : options_(options),
      parts_(parts),
      on_(options.digest != WholeDigest::none && parts.store->capabilities().keeps_digest) {}

Deadline WholeDigests::store_deadline() const {
  return Deadline::after(parts_.clock->now(), options_.store_timeout);
}

void WholeDigests::start(UploadDraft& draft, std::span<const std::byte> first) {
  if (!on_) return;
  auto running = RunningDigest::begin();
  running.saw(first);
  if (draft.finish == FinishState::finished) {
    draft.digest.repr = running.repr();
    return;
  }
  draft.digest.state = running.text();
  // Recorded with the upload, so there is nothing that is not known from there.
}

Awaitable<std::optional<RunningDigest>> WholeDigests::resume(Upload& upload, const Lease& lease) {
  const auto& info = upload.info();
  const auto recorded = on_ ? RunningDigest::parse(info.digest.state) : std::nullopt;
  if (!recorded) co_return std::nullopt;
  auto running = newest(info);
  if (!running) {
    // A power cut has taken bytes back, and others may come in their place: this one must not be believed later.
    running = RunningDigest::begin();
    hand_over(upload, *running);
    if (!co_await upload.save_digest(lease, store_deadline())) co_return std::nullopt;
  }
  if (info.offset - running->offset() > most_to_catch_up) co_return std::nullopt;
  auto read = co_await read_up_to(info.id, *running, info.offset);
  if (!read) co_return std::nullopt;
  co_return running;
}

Awaitable<AppendOutcome> WholeDigests::append(Upload& upload, const Lease& lease,
                                              BodySource& source, AppendRequest request) {
  if (on_) return append_hashed(upload, lease, source, request);
  // No deadline: a slow body that keeps moving may take hours; the source ends when it stalls.
  return upload.append(lease, source, request, Deadline::never());
}

Awaitable<AppendOutcome> WholeDigests::append_hashed(Upload& upload, const Lease& lease,
                                                     BodySource& source, AppendRequest request) {
  auto running = co_await resume(upload, lease);
  if (!running) co_return co_await upload.append(lease, source, request, Deadline::never());
  HashingSource hashed(source, *running);
  auto outcome = co_await upload.append(lease, hashed, request, Deadline::never());
  // A store that has lost some of what it took leaves the digest ahead of it.
  if (running->offset() == outcome.safe_offset) {
    co_await keep(upload, lease, std::move(*running));
  }
  co_return outcome;
}

// The end of an upload, and a short append, write nothing for it.
Awaitable<void> WholeDigests::keep(Upload& upload, const Lease& lease, RunningDigest running) {
  hand_over(upload, running);
  const bool is_due = running.offset() - running.saved >= save_every;
  if (is_due && !upload.info().has_all_bytes()) {
    auto saved = co_await upload.save_digest(lease, store_deadline());
    if (saved) running.saved = running.offset();
  }
  remember(std::move(running));
}

void WholeDigests::hand_over(Upload& upload, const RunningDigest& running) {
  UploadDigest digest;
  digest.state = running.text();
  upload.set_digest(std::move(digest));
}

Awaitable<Status> WholeDigests::complete(Upload& upload, const Lease& lease) {
  const auto& info = upload.info();
  if (!on_ || !info.digest.repr.empty()) co_return Status();
  auto running = newest(info);
  if (!running) running = RunningDigest::begin();
  if (running->offset() != info.offset) {
    // There are stores that can read an upload only once its bytes are whole.
    auto whole = co_await upload.finish(lease, store_deadline());
    if (!whole) co_return whole;
    auto read = co_await read_up_to(info.id, *running, info.offset);
    if (!read) co_return read;
  }
  UploadDigest digest;
  digest.repr = running->repr();
  upload.set_digest(std::move(digest));
  forget(running->name());
  co_return Status();
}

std::optional<RunningDigest> WholeDigests::newest(const UploadInfo& info) {
  auto recorded = RunningDigest::parse(info.digest.state);
  if (!recorded) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto known = by_name_.find(recorded->name());
  if (known != by_name_.end() && known->second->offset() <= info.offset &&
      known->second->offset() > recorded->offset()) {
    return *known->second;
  }
  return recorded->offset() <= info.offset ? recorded : std::nullopt;
}

void WholeDigests::remember(RunningDigest running) {
  std::lock_guard lock(mutex_);
  if (const auto known = by_name_.find(running.name()); known != by_name_.end()) {
    recent_.erase(known->second);
  }
  recent_.push_front(std::move(running));
  by_name_[recent_.front().name()] = recent_.begin();
  if (recent_.size() <= most_remembered) return;
  by_name_.erase(recent_.back().name());
  recent_.pop_back();
}

void WholeDigests::forget(const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return;
  recent_.erase(known->second);
  by_name_.erase(known);
}

Awaitable<Status> WholeDigests::read_up_to(const UploadId& id, RunningDigest& running,
                                           std::uint64_t end) {
  if (running.offset() == end) co_return Status();
  const ByteRange range{running.offset(), end - running.offset()};
  auto stream = co_await parts_.store->read(id, range, store_deadline());
  if (!stream) co_return fail(std::move(stream.error()));
  std::vector<std::byte> buffer(read_bytes);
  auto executor = co_await asio::this_coro::executor;
  while (running.offset() < end) {
    auto read = co_await (*stream)->read(buffer, store_deadline());
    if (!read) co_return fail(std::move(read.error()));
    if (*read == 0)
      co_return fail(ErrorCode::store_unavailable, "fewer bytes than the offset says");
    running.saw(std::span(buffer).first(*read));
    // Others of the event loop get their turn.
    co_await asio::post(executor, asio::use_awaitable);
  }
  co_return Status();
}

}  // namespace tus::core
