#include "stores/memory/byte_list.h"

#include <tus/memory_store.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

using memory_store::ByteList;

constexpr std::size_t page_size = 100;
constexpr std::size_t round_bytes = 64 << 10;  // taken from a body under the lock of its upload
constexpr std::uint64_t fair_share = 1 << 20;  // then others of the event loop get their turn

// The bytes that all uploads together may take.
class Budget {
 public:
  explicit Budget(std::uint64_t limit) : limit_(limit) {}

  // Takes up to `wanted` bytes out of the budget.
  std::uint64_t reserve(std::uint64_t wanted) noexcept {
    auto used = used_.load(std::memory_order_relaxed);
    while (true) {
      auto granted = limit_ == 0 ? wanted : std::min(wanted, limit_ - used);
      if (used_.compare_exchange_weak(used, used + granted, std::memory_order_relaxed))
        return granted;
    }
  }
  void give_back(std::uint64_t bytes) noexcept {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
  }
  std::uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  std::uint64_t limit_;
  std::atomic<std::uint64_t> used_{0};
};

// One upload as it is stored.
struct Record {
  std::mutex mutex;
  UploadInfo info;  // offset: what counts; `bytes` is longer while an append is staged
  ByteList bytes;
  std::uint64_t token =
      0;  // of the newest lease seen: an older one belongs to a writer from the past
  bool gone = false;
};

void drop_staged(Record& record, Budget& budget) {
  auto excess = record.bytes.size() - record.info.offset;
  record.bytes.truncate(record.info.offset);
  budget.give_back(excess);
}

class State {
 public:
  State(MemoryStoreOptions options, std::shared_ptr<Clock> clock)
      : budget(options.max_bytes), clock_(std::move(clock)) {}

  std::shared_ptr<Record> find(const UploadId& id) {
    std::lock_guard lock(mutex_);
    auto it = records_.find(id);
    return it == records_.end() ? nullptr : it->second;
  }
  bool insert(const UploadId& id, std::shared_ptr<Record> record) {
    std::lock_guard lock(mutex_);
    return records_.try_emplace(id, std::move(record)).second;
  }
  void erase(const UploadId& id) {
    std::lock_guard lock(mutex_);
    records_.erase(id);
  }
  std::uint64_t count() {
    std::lock_guard lock(mutex_);
    return records_.size();
  }
  std::vector<UploadId> pending_joins() {
    std::lock_guard lock(mutex_);
    return {joins_.begin(), joins_.end()};
  }
  void join_begins(const UploadId& id) {
    std::lock_guard lock(mutex_);
    joins_.insert(id);
  }
  void join_ends(const UploadId& id) {
    std::lock_guard lock(mutex_);
    joins_.erase(id);
  }
  // Some uploads behind `id`; the first ones for an empty id.
  std::vector<std::shared_ptr<Record>> behind(const UploadId& id) {
    std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Record>> some;
    auto it = records_.upper_bound(id);
    for (; it != records_.end() && some.size() < page_size; ++it) some.push_back(it->second);
    return some;
  }

  std::chrono::sys_seconds now() const noexcept {
    return std::chrono::floor<std::chrono::seconds>(clock_->wall());
  }

  Budget budget;

 private:
  std::shared_ptr<Clock> clock_;
  std::mutex mutex_;
  std::map<UploadId, std::shared_ptr<Record>> records_;
  std::set<UploadId> joins_;
};

// Bytes of a final upload that nobody sees yet.
class Joining {
 public:
  explicit Joining(Budget& budget) : budget_(budget) {}
  ~Joining() { budget_.give_back(bytes_.size()); }
  Joining(const Joining&) = delete;
  Joining& operator=(const Joining&) = delete;

  // Up to `most` bytes of the part that `at` is in. Fewer when there is no room, or the part ends.
  std::uint64_t copy(const ByteList& from, std::uint64_t size, std::uint64_t most) {
    most = budget_.reserve(std::min(most, size - at));
    std::uint64_t done = 0;
    while (done < most) {
      auto to = bytes_.room(static_cast<std::size_t>(most - done));
      auto n = from.read(at + done, to);
      bytes_.commit(n);
      done += n;
    }
    at += done;
    return done;
  }
  std::uint64_t size() const noexcept { return bytes_.size(); }
  // The bytes with the room that they take.
  ByteList take() noexcept { return std::exchange(bytes_, ByteList()); }

  std::size_t part = 0;  // where the next byte comes from
  std::uint64_t at = 0;

 private:
  Budget& budget_;
  ByteList bytes_;
};

class MemoryUpload final : public Upload {
 public:
  MemoryUpload(std::shared_ptr<State> state, std::shared_ptr<Record> record)
      : state_(std::move(state)), record_(std::move(record)), info_(record_->info) {}

  const UploadInfo& info() const noexcept override { return info_; }

  Awaitable<AppendOutcome> append(const Lease& lease, BodySource& source, AppendRequest request,
                                  Deadline) override {
    AppendOutcome outcome;
    if (auto began = begin_append(lease, request); !began) outcome.error = began.error();
    auto executor = co_await asio::this_coro::executor;
    std::uint64_t since_turn = 0;
    while (!outcome.error) {
      outcome.body = co_await source.wait();
      auto took = take(lease, source, request.mode, outcome);
      if (took == 0 && outcome.body != BodyState::open) break;
      since_turn += took;
      if (since_turn < fair_share) continue;
      since_turn = 0;
      co_await asio::post(executor, asio::use_awaitable);
    }
    if (outcome.error) outcome.body = source.state();
    finish_append(outcome);
    co_return outcome;
  }

  Awaitable<Status> commit_staged(const Lease& lease, Deadline) override {
    co_return change(lease, [this] { record_->info.offset = record_->bytes.size(); });
  }

  Awaitable<Status> rollback_staged(const Lease& lease, Deadline) override {
    co_return change(lease, [this] { drop_staged(*record_, state_->budget); });
  }

  Awaitable<Status> declare_length(const Lease& lease, std::uint64_t length, Deadline) override {
    co_return change(lease, [this, length] { record_->info.length = length; });
  }

  Awaitable<Status> set_finish_state(const Lease& lease, FinishState finish, Deadline) override {
    co_return change(lease, [this, finish] { record_->info.finish = finish; });
  }

  Awaitable<Status> finish(const Lease& lease, Deadline) override {
    if (!info_.has_all_bytes()) co_return fail(ErrorCode::upload_not_finished);
    co_return change(lease, [] {});
  }

  void set_digest(UploadDigest digest) override {
    std::lock_guard lock(record_->mutex);
    info_.digest = std::move(digest);
  }

  Awaitable<Status> save_digest(const Lease& lease, Deadline) override {
    co_return change(lease, [] {});
  }

  Awaitable<Status> terminate(const Lease& lease, Deadline) override {
    auto done = change(lease, [this] {
      record_->gone = true;
      state_->budget.give_back(record_->bytes.size());
      record_->bytes.truncate(0);
    });
    if (done) state_->join_ends(info_.id);
    if (done) state_->erase(info_.id);
    co_return done;
  }

  Awaitable<Result<Joined>> concatenate(const Lease& lease, Deadline deadline) override {
    if (!info_.join_pending) co_return Joined::wholly;
    if (!joining_) joining_ = std::make_unique<Joining>(state_->budget);
    auto executor = co_await asio::this_coro::executor;
    for (;;) {
      auto joined = join_some(lease);
      if (!joined && joined.error() == ErrorCode::no_space) joining_.reset();
      if (!joined || *joined == Joined::wholly) co_return joined;
      if (deadline.passed(std::chrono::steady_clock::now())) co_return joined;
      co_await asio::post(executor, asio::use_awaitable);
    }
  }

 private:
  Status may_write(const Lease& lease) const {
    if (record_->gone) return fail(ErrorCode::upload_gone);
    if (lease.lost() || lease.token() < record_->token) return fail(ErrorCode::lease_lost);
    return {};
  }

  template <class Change>
  Status change(const Lease& lease, Change apply) {
    std::lock_guard lock(record_->mutex);
    if (auto may = may_write(lease); !may) return may;
    record_->info.digest = std::move(info_.digest);
    apply();
    info_ = record_->info;
    return {};
  }

  // As much as is fair at a time.
  Result<Joined> join_some(const Lease& lease) {
    if (auto may = change(lease, [] {}); !may) return fail(may.error());
    std::uint64_t copied = 0;
    while (joining_->part < info_.partial_uploads.size()) {
      if (copied >= fair_share) return Joined::partly;
      auto id = UploadId::parse(info_.partial_uploads[joining_->part]);
      auto part = id ? state_->find(*id) : nullptr;
      if (!part || part == record_) return fail(ErrorCode::upload_gone);
      std::lock_guard lock(part->mutex);
      const auto size = part->info.offset;
      if (part->gone || joining_->at > size) return fail(ErrorCode::upload_gone);
      if (joining_->at == size) {
        ++joining_->part;
        joining_->at = 0;
        continue;
      }
      const auto n = joining_->copy(part->bytes, size, fair_share - copied);
      if (n == 0) return fail(ErrorCode::no_space);
      copied += n;
    }
    return show_joined(lease);
  }

  Result<Joined> show_joined(const Lease& lease) {
    if (joining_->size() != info_.length) return fail(ErrorCode::upload_damaged);
    auto shown = change(lease, [this] {
      record_->bytes = joining_->take();
      record_->info.offset = record_->bytes.size();
      record_->info.join_pending = false;
    });
    if (!shown) return fail(shown.error());
    joining_.reset();
    state_->join_ends(info_.id);
    return Joined::wholly;
  }

  Status begin_append(const Lease& lease, const AppendRequest& request) {
    std::lock_guard lock(record_->mutex);
    if (auto may = may_write(lease); !may) return may;
    drop_staged(*record_, state_->budget);
    if (request.offset != record_->info.offset) return fail(ErrorCode::mismatched_offset);
    return {};
  }

  // Takes what is here now, as far as it fits into one round. Sets body, and error when it cannot.
  std::uint64_t take(const Lease& lease, BodySource& source, AppendRequest::Mode mode,
                     AppendOutcome& outcome) {
    std::lock_guard lock(record_->mutex);
    if (auto may = may_write(lease); !may) {
      outcome.error = may.error();
      return 0;
    }
    auto budget = state_->budget.reserve(round_bytes);
    if (budget == 0) {
      std::byte probe;
      auto moved = source.pull({&probe, 1});
      if (moved.bytes > 0) outcome.error = Error(ErrorCode::no_space);
      outcome.body = moved.state;
      return 0;
    }
    auto moved = source.pull(record_->bytes.room(static_cast<std::size_t>(budget)));
    record_->bytes.commit(static_cast<std::size_t>(moved.bytes));
    if (moved.bytes > 0) record_->info.last_activity = state_->now();
    state_->budget.give_back(budget - moved.bytes);
    if (mode == AppendRequest::Mode::plain) record_->info.offset = record_->bytes.size();
    outcome.body = moved.state;
    return moved.bytes;
  }

  void finish_append(AppendOutcome& outcome) {
    std::lock_guard lock(record_->mutex);
    info_ = record_->info;
    outcome.safe_offset = info_.offset;
    outcome.staged_offset = std::max(info_.offset, record_->bytes.size());
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Record> record_;
  UploadInfo info_;
  std::unique_ptr<Joining> joining_;
};

class MemoryReadStream final : public ReadStream {
 public:
  MemoryReadStream(std::shared_ptr<Record> record, ByteRange range)
      : record_(std::move(record)), at_(range.first), end_(range.first + range.count) {}

  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline) override {
    std::lock_guard lock(record_->mutex);
    if (record_->gone) co_return fail(ErrorCode::upload_gone);
    auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), end_ - at_));
    auto n = record_->bytes.read(at_, into.first(wanted));
    at_ += n;
    co_return n;
  }

 private:
  std::shared_ptr<Record> record_;
  std::uint64_t at_;
  std::uint64_t end_;
};

UploadInfo kept_info(UploadDraft draft) {
  auto info = info_of(std::move(draft));
  info.storage["Type"] = "memorystore";
  return info;
}

class MemoryScan final : public UploadScan {
 public:
  MemoryScan(std::shared_ptr<State> state, ScanOptions options)
      : state_(std::move(state)), idle_since_(options.idle_since) {}

  Awaitable<Result<ScanPage>> next(Deadline) override {
    ScanPage page;
    auto some = state_->behind(last_);
    page.at_end = some.size() < page_size;
    for (const auto& record : some) {
      std::lock_guard lock(record->mutex);
      last_ = record->info.id;
      if (!record->gone && is_wanted(record->info)) page.uploads.push_back(record->info);
    }
    co_return page;
  }

 private:
  bool is_wanted(const UploadInfo& info) const {
    return !idle_since_ || (!info.finished() && info.last_activity < *idle_since_);
  }

  std::shared_ptr<State> state_;
  std::optional<std::chrono::sys_seconds> idle_since_;
  UploadId last_;
};

class MemoryStore final : public Store {
 public:
  MemoryStore(MemoryStoreOptions options, std::shared_ptr<Clock> clock)
      : state_(std::make_shared<State>(options, std::move(clock))) {}

  StoreCapabilities capabilities() const noexcept override {
    StoreCapabilities can;
    can.staged_append = true;
    can.keeps_digest = true;
    can.concatenate = true;
    can.needs_finish = false;
    return can;
  }

  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline) override {
    if (lease.lost()) co_return fail(ErrorCode::lease_lost);
    auto reserved = state_->budget.reserve(first.size());
    if (reserved < first.size()) {
      state_->budget.give_back(reserved);
      co_return fail(ErrorCode::no_space);
    }
    auto record = std::make_shared<Record>();
    record->bytes.append(first);
    record->info = kept_info(std::move(draft));
    record->info.offset = first.size();
    record->info.last_activity = state_->now();
    record->token = lease.token();
    auto upload = std::make_unique<MemoryUpload>(state_, record);
    if (!state_->insert(upload->info().id, std::move(record))) {
      state_->budget.give_back(reserved);
      co_return fail(ErrorCode::upload_exists);
    }
    if (upload->info().join_pending) state_->join_begins(upload->info().id);
    co_return upload;
  }

  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline) override {
    auto record = state_->find(id);
    if (!record) co_return fail(ErrorCode::upload_not_found);
    std::lock_guard lock(record->mutex);
    if (record->gone) co_return fail(ErrorCode::upload_not_found);
    if (lease.lost() || lease.token() < record->token) co_return fail(ErrorCode::lease_lost);
    record->token = lease.token();
    drop_staged(*record, state_->budget);
    co_return std::make_unique<MemoryUpload>(state_, record);
  }

  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline) override {
    auto record = state_->find(id);
    if (!record) co_return fail(ErrorCode::upload_not_found);
    std::lock_guard lock(record->mutex);
    if (record->gone) co_return fail(ErrorCode::upload_not_found);
    co_return record->info;
  }

  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline) override {
    auto record = state_->find(id);
    if (!record) co_return fail(ErrorCode::upload_not_found);
    co_return std::make_unique<MemoryReadStream>(std::move(record), range);
  }

  std::unique_ptr<UploadScan> scan(ScanOptions options) override {
    return std::make_unique<MemoryScan>(state_, options);
  }

  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline) override {
    co_return state_->pending_joins();
  }

  Awaitable<Result<StoreUsage>> usage(Deadline) override {
    co_return StoreUsage{state_->budget.used(), state_->count()};
  }

  Awaitable<Status> health(Deadline) override { co_return Status(); }

  Awaitable<void> close(Deadline) override { co_return; }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace

std::shared_ptr<Store> make_memory_store(MemoryStoreOptions options, std::shared_ptr<Clock> clock) {
  if (!clock) clock = std::make_shared<SystemClock>();
  return std::make_shared<MemoryStore>(options, std::move(clock));
}

TUS_NAMESPACE_END
