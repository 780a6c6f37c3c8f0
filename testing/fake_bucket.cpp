#include "async/event.h"

#include <tus/testing/fake_bucket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

// The way to the bucket, or back.
Awaitable<void> travel() {
  auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

// A bucket tells when its objects were written.
std::chrono::sys_seconds wall_seconds() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

Awaitable<Status> FakeBucket::create_record(Record record) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = records_.find(record.info.id);
  if (it != records_.end() && !it->second.going) co_return fail(ErrorCode::upload_exists);
  auto id = record.info.id;
  record.info.last_activity = wall_seconds();
  records_.insert_or_assign(std::move(id), std::move(record));
  co_return Status();
}

Awaitable<Status> FakeBucket::put_record(Record record) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = records_.find(record.info.id);
  if (it == records_.end()) co_return fail(ErrorCode::upload_gone);
  if (record.token < it->second.token) co_return fail(ErrorCode::lease_lost);
  if (it->second.going && !record.going) co_return fail(ErrorCode::upload_gone);
  record.version = it->second.version + 1;
  record.info.last_activity = it->second.info.last_activity;
  it->second = std::move(record);
  co_return Status();
}

Awaitable<Status> FakeBucket::claim(UploadId id, std::uint64_t token) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto owns = owns_locked(id, token);
  if (owns) records_.find(id)->second.token = token;
  co_return owns;
}

Awaitable<Result<FakeBucket::Record>> FakeBucket::get_record(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = records_.find(id);
  if (it == records_.end()) co_return fail(ErrorCode::upload_not_found);
  co_return it->second;
}

Awaitable<Status> FakeBucket::delete_record(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  records_.erase(id);
  co_return Status();
}

Awaitable<Status> FakeBucket::put_rest(UploadId id, int which, Rest rest, std::uint64_t token) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  if (auto owns = owns_locked(id, token); !owns) co_return owns;
  auto key = std::pair(id, which);
  auto old = rests_.find(key);
  auto replaced = old == rests_.end() ? 0 : old->second.bytes.size();
  if (rest.bytes.size() > replaced && !fits_locked(rest.bytes.size() - replaced)) {
    co_return fail(ErrorCode::no_space);
  }
  rests_[key] = std::move(rest);
  records_.find(key.first)->second.info.last_activity = wall_seconds();
  co_return Status();
}

Awaitable<Result<std::optional<FakeBucket::Rest>>> FakeBucket::get_rest(UploadId id, int which) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = rests_.find(std::pair(id, which));
  if (it == rests_.end()) co_return std::optional<Rest>();
  co_return std::optional<Rest>(it->second);
}

Awaitable<Status> FakeBucket::delete_rests(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  rests_.erase(std::pair(id, 0));
  rests_.erase(std::pair(id, 1));
  co_return Status();
}

Awaitable<Status> FakeBucket::put_part(UploadId id, std::size_t number, std::string bytes,
                                       std::uint64_t token) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  if (auto owns = owns_locked(id, token); !owns) co_return owns;
  if (!fits_locked(bytes.size())) co_return fail(ErrorCode::no_space);
  if (!parts_[id].try_emplace(number, std::move(bytes)).second) {
    co_return fail(ErrorCode::internal, "a part was written twice");
  }
  records_.find(id)->second.info.last_activity = wall_seconds();
  co_return Status();
}

Awaitable<Result<std::vector<std::uint64_t>>> FakeBucket::part_sizes(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  std::vector<std::uint64_t> sizes;
  auto it = parts_.find(id);
  if (it == parts_.end()) co_return sizes;
  for (const auto& [number, bytes] : it->second) {
    if (number == sizes.size() + 1) sizes.push_back(bytes.size());
  }
  co_return sizes;
}

Awaitable<Status> FakeBucket::delete_parts_from(UploadId id, std::size_t number,
                                                std::uint64_t token) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto owner = records_.find(id);
  if (owner != records_.end() && token < owner->second.token) co_return fail(ErrorCode::lease_lost);
  auto it = parts_.find(id);
  if (it == parts_.end()) co_return Status();
  it->second.erase(it->second.lower_bound(number), it->second.end());
  if (it->second.empty()) parts_.erase(it);
  co_return Status();
}

void FakeBucket::fail_completes(Fault fault) {
  std::lock_guard lock(mutex_);
  fault_ = fault;
}

Awaitable<Status> FakeBucket::complete(UploadId id, std::uint64_t token, Deadline deadline) {
  co_await travel();
  Fault fault;
  {
    std::lock_guard lock(mutex_);
    if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
    fault = fault_;
  }
  if (fault == Fault::hangs) co_await sleep_until(deadline);
  if (fault == Fault::hangs || fault == Fault::fails) {
    co_return fail(ErrorCode::store_unavailable, "told to fail");
  }
  std::lock_guard lock(mutex_);
  if (auto owns = owns_locked(id, token); !owns) co_return owns;
  auto it = parts_.find(id);
  if (it == parts_.end()) co_return fail(ErrorCode::upload_gone, "no multipart upload");
  std::string object;
  for (const auto& [number, bytes] : it->second) {
    bool last = number == it->second.rbegin()->first;
    if (!last && bytes.size() < options_.smallest_part) {
      co_return fail(ErrorCode::internal, "a part is too small");
    }
    object += bytes;
  }
  objects_[id] = std::move(object);
  parts_.erase(it);
  if (fault == Fault::answer_lost) {
    co_return fail(ErrorCode::store_unavailable, "the answer was lost");
  }
  co_return Status();
}

Awaitable<Result<std::optional<std::uint64_t>>> FakeBucket::object_size(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = objects_.find(id);
  if (it == objects_.end()) co_return std::optional<std::uint64_t>();
  co_return std::optional<std::uint64_t>(it->second.size());
}

Awaitable<Result<std::string>> FakeBucket::get_object(UploadId id, std::uint64_t first,
                                                      std::uint64_t count) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  auto it = objects_.find(id);
  if (it == objects_.end()) co_return fail(ErrorCode::upload_not_found);
  first = std::min<std::uint64_t>(first, it->second.size());
  co_return it->second.substr(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
}

Awaitable<Status> FakeBucket::delete_object(UploadId id) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  objects_.erase(id);
  co_return Status();
}

Awaitable<Result<std::vector<UploadId>>> FakeBucket::ids_behind(std::string cursor,
                                                                std::size_t most) {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  std::vector<UploadId> ids;
  for (const auto& [id, record] : records_) {
    if (!record.going && id.str() > cursor && ids.size() < most) ids.push_back(id);
  }
  co_return ids;
}

Status FakeBucket::admit_locked() {
  if (requests_to_fail_ > 0) {
    --requests_to_fail_;
    return fail(ErrorCode::store_unavailable, "told to fail");
  }
  if (!requests_left_) return {};
  if (*requests_left_ == 0) return fail(ErrorCode::store_unavailable, "the process is dead");
  --*requests_left_;
  return {};
}

Status FakeBucket::owns_locked(const UploadId& id, std::uint64_t token) const {
  auto it = records_.find(id);
  if (it == records_.end() || it->second.going) return fail(ErrorCode::upload_gone);
  return token < it->second.token ? Status(fail(ErrorCode::lease_lost)) : Status();
}

void FakeBucket::fail_next(int requests) {
  std::lock_guard lock(mutex_);
  requests_to_fail_ = requests;
}

void FakeBucket::die_after(int requests) {
  std::lock_guard lock(mutex_);
  requests_left_ = requests;
}

void FakeBucket::revive() {
  std::lock_guard lock(mutex_);
  requests_left_.reset();
}

Awaitable<Result<std::vector<UploadId>>> FakeBucket::ids_of_joins() {
  co_await travel();
  std::lock_guard lock(mutex_);
  if (auto admitted = admit_locked(); !admitted) co_return fail(admitted.error());
  std::vector<UploadId> ids;
  for (const auto& [id, record] : records_) {
    if (record.info.join_pending && !record.going) ids.push_back(id);
  }
  co_return ids;
}

std::uint64_t FakeBucket::bytes_locked() const {
  std::uint64_t sum = 0;
  for (const auto& [key, rest] : rests_) sum += rest.bytes.size();
  for (const auto& [id, object] : objects_) sum += object.size();
  for (const auto& [id, parts] : parts_) {
    for (const auto& [number, bytes] : parts) sum += bytes.size();
  }
  return sum;
}

bool FakeBucket::fits_locked(std::uint64_t more) const {
  return options_.max_bytes == 0 || bytes_locked() + more <= options_.max_bytes;
}

std::uint64_t FakeBucket::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_locked();
}

std::uint64_t FakeBucket::uploads() const {
  std::lock_guard lock(mutex_);
  auto going = [](const auto& entry) { return entry.second.going; };
  return records_.size() -
         static_cast<std::uint64_t>(std::count_if(records_.begin(), records_.end(), going));
}

void FakeBucket::limit(std::uint64_t max_bytes) {
  std::lock_guard lock(mutex_);
  options_.max_bytes = max_bytes;
}

std::string FakeBucket::peek(const UploadId& id) const {
  std::lock_guard lock(mutex_);
  auto record = records_.find(id);
  if (record == records_.end() || record->second.going) return "[no record]";
  auto object = objects_.find(id);
  if (object != objects_.end()) return object->second;
  std::string bytes;
  std::size_t count = 0;
  auto parts = parts_.find(id);
  auto most = record->second.pending_parts;
  while (parts != parts_.end() && parts->second.contains(count + 1) && (!most || count < *most)) {
    bytes += parts->second.at(++count);
  }
  auto rest = rests_.find(std::pair(id, record->second.live_rest));
  if (rest != rests_.end() && rest->second.after == count) bytes += rest->second.bytes;
  return bytes;
}

}  // namespace testing

TUS_NAMESPACE_END
