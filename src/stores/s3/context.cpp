#include "stores/s3/context.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace tus::s3 {

namespace {

// A line slower than this is as good as cut.
constexpr std::uint64_t slowest_line = 128 << 10;  // bytes a second

// Beyond it sweeps get slower, nothing else.
constexpr std::size_t most_over = 1'000'000;

// So much stays with the process when nothing is uploaded: enough that parts which come and go do not go
// through the kernel.
std::size_t kept_free(const StoreOptions& options) {
  constexpr std::uint64_t most = 32 << 20;
  return static_cast<std::size_t>(std::min(options.max_memory / 8, most));
}

std::string random_text() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string text;
  for (int i = 0; i < 4; ++i) {
    auto word = random();
    for (int k = 0; k < 8; ++k, word >>= 4) text.push_back(digits[word & 15]);
  }
  return text;
}

}  // namespace

Context::Context(std::shared_ptr<Bucket> b, StoreOptions o, std::shared_ptr<Clock> c,
                 std::shared_ptr<Logger> l, std::shared_ptr<S3Metrics> m)
    : bucket_owner(std::move(b)),
      bucket(*bucket_owner),
      options(std::move(o)),
      clock(std::move(c)),
      logger(std::move(l)),
      metrics(std::move(m)),
      names(options),
      looker(bucket, names),
      memory(options.max_memory),
      chunks(options.chunk, kept_free(options)),
      slots(options.parts_in_flight),
      warm(options.remembered),
      over(most_over),
      instance_(random_text()) {
  memory.forget_with([this] { return warm.forget_a_tail(); });
}

std::chrono::sys_seconds Context::wall() const {
  return std::chrono::floor<std::chrono::seconds>(clock->wall());
}

Deadline Context::deadline(std::uint64_t bytes) const {
  const std::chrono::seconds for_bytes(bytes / slowest_line);
  return Deadline::after(clock->now(), options.request_timeout + for_bytes);
}

Deadline Context::deadline_after_failure() const {
  return Deadline::after(clock->now(), options.request_timeout / 2);
}

Awaitable<Room> Context::hold(std::uint64_t bytes, Deadline deadline) {
  auto room = memory.try_reserve(bytes);
  if (room.bytes() > 0 || bytes == 0) co_return room;
  const auto start = clock->now();
  room = co_await memory.reserve(bytes, deadline);
  const auto outcome = room.bytes() > 0 ? MemoryOutcome::granted : MemoryOutcome::timed_out;
  if (metrics) metrics->memory_waited(outcome, clock->now() - start);
  co_return room;
}

S3Figures Context::figures() const noexcept {
  S3Figures now;
  now.memory_used = memory.used();
  now.memory_limit = memory.limit();
  now.memory_waiting = memory.waiting();
  now.sending = sending.load(std::memory_order_relaxed);
  now.part_slots_wanted = static_cast<std::size_t>(slots.used()) + slots.waiting();
  now.part_slots = static_cast<std::size_t>(slots.limit());
  return now;
}

std::string Context::new_claim() {
  return instance_ + "-" + std::to_string(claims_.fetch_add(1, std::memory_order_relaxed));
}

bool Context::is_ours(const stores::InfoFile& record) const {
  return alone() || record.bucket.claim.starts_with(instance_ + "-");
}

void Context::rest_is_stale(const std::string& object) {
  std::lock_guard lock(stale_mutex_);
  stale_rests_.insert(object);
}

void Context::rest_is_valid(const std::string& object) {
  std::lock_guard lock(stale_mutex_);
  stale_rests_.erase(object);
}

std::set<std::string> Context::take_stale_rests() {
  std::lock_guard lock(stale_mutex_);
  return std::exchange(stale_rests_, {});
}

}  // namespace tus::s3
