#include "hooks/common/deliveries.h"

#include "base/digits.h"
#include "hooks/common/call.h"
#include "hooks/common/events.h"
#include "hooks/common/message.h"
#include "hooks/common/record_name.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <ranges>
#include <utility>

namespace tus::hooks {

namespace {

constexpr std::chrono::milliseconds longest_delay{300'000};
constexpr std::chrono::milliseconds first_wait_for_others{200};
constexpr std::size_t most_undropped = 10'000;
constexpr std::size_t most_kept_bytes = std::size_t{16} << 20;

// What it takes to find a record again. The line comes first, a number without fixed width.
HookTicket ticket_of(const OutboxEntry& entry) {
  HookTicket ticket;
  ticket.value = std::to_string(entry.line) + ' ' + entry.name;
  return ticket;
}

struct Found {
  std::uint64_t line = 0;
  std::string_view name;
};

Found found_by(const HookTicket& ticket) {
  const auto space = ticket.value.find(' ');
  return {std::stoull(ticket.value.substr(0, space)),
          std::string_view(ticket.value).substr(space + 1)};
}

// What is spawned on the thread of its executor begins at once, within its caller, who may hold a lock.
Awaitable<void> out_of_the_caller() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

std::size_t bytes_of(const Item& item) { return item.envelope ? item.envelope->body.size() : 0; }

}  // namespace

Deliveries::Deliveries(DeliveryOptions options, DeliveryParts parts)
    : options_(std::move(options)), parts_(std::move(parts)), group_([this](std::exception_ptr) {
        parts_.logger.log(LogLevel::error, "HookDeliveryThrew", {});
      }) {}

Deliveries::~Deliveries() = default;

void Deliveries::start() {
  group_.spawn(parts_.executor, keep_time());
  group_.spawn(parts_.executor, look_around());
}

Awaitable<void> Deliveries::close(Deadline deadline) {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    timer_woken_->set();
    note_idle();
  }
  stopping_.set();
  co_await idle_.wait(deadline);
  if (co_await group_.close(deadline)) co_return;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  co_await parts_.transport.close(deadline);
  co_await group_.close(Deadline::never());
}

void Deliveries::note_idle() {
  if (closing_ && running_ == 0 && ready_.empty()) idle_.set();
}

// ---- what the service says

Awaitable<Result<HookTicket>> Deliveries::promise(Envelope envelope) {
  auto copy = envelope;
  auto entry = co_await parts_.outbox.put(std::move(envelope));
  if (!entry) co_return fail(std::move(entry.error()));
  auto ticket = ticket_of(*entry);
  std::lock_guard lock(mutex_);
  if (overflowed_ || records_ >= options_.most_in_memory) {
    overflowed_ = true;
    ++unmarked_;
    co_return ticket;
  }
  Item item;
  item.envelope = kept(std::move(copy));
  item.entry = *std::move(entry);
  lines_[item.entry.line].items.push_back(std::move(item));
  ++records_;
  co_return ticket;
}

// Messages are small and mostly delivered at once; a long line of them is read from the outbox.
std::shared_ptr<const Envelope> Deliveries::kept(Envelope envelope) {
  if (kept_bytes_ + envelope.body.size() > most_kept_bytes) return nullptr;
  kept_bytes_ += envelope.body.size();
  return std::make_shared<const Envelope>(std::move(envelope));
}

void Deliveries::happened(const HookTicket& ticket) noexcept {
  try {
    const auto [key, name] = found_by(ticket);
    std::lock_guard lock(mutex_);
    const auto line = lines_.find(key);
    auto* item = line == lines_.end() ? nullptr : line->second.find(name);
    if (item != nullptr) {
      count_in(item->entry);
      item->entry.has_happened = true;
      pump(key);
      return;
    }
    ++outside_;
    OutboxEntry entry;
    entry.name = name;
    entry.line = key;
    group_.spawn(parts_.executor, mark(std::move(entry)));
  } catch (const std::exception&) {
    // The record stays, and the next process asks the store whether it has happened.
    parts_.logger.log(LogLevel::error, "HookDeliveryDelayed", {});
  }
}

void Deliveries::withdraw(const HookTicket& ticket) noexcept {
  try {
    const auto [key, name] = found_by(ticket);
    OutboxEntry entry;
    entry.name = name;
    entry.line = key;
    std::lock_guard lock(mutex_);
    if (!take_out(key, name)) --unmarked_;
    group_.spawn(parts_.executor, drop_later(std::move(entry)));
  } catch (const std::exception&) {
    parts_.logger.log(LogLevel::error, "HookDeliveryDelayed", {});
  }
}

bool Deliveries::take_out(std::uint64_t key, std::string_view name) {
  const auto line = lines_.find(key);
  if (line == lines_.end()) return false;
  auto& items = line->second.items;
  const auto item =
      std::ranges::find_if(items, [&](const Item& i) { return i.entry.name == name; });
  if (item == items.end()) return false;
  kept_bytes_ -= bytes_of(*item);
  items.erase(item);
  --records_;
  pump(key);
  forget_if_empty(key);
  return true;
}

void Deliveries::count_out(const OutboxEntry& entry) {
  const auto since = waiting_since_.find(entry.since);
  if (since != waiting_since_.end()) waiting_since_.erase(since);
}

void Deliveries::progressed(Envelope envelope, Hooks::StopUpload stop) noexcept {
  try {
    Item item;
    item.entry.line = line_of(envelope.upload_id);
    item.entry.event = envelope.event;
    item.entry.has_happened = true;
    item.stop = std::move(stop);
    item.envelope = std::make_shared<const Envelope>(std::move(envelope));
    const auto key = item.entry.line;
    std::lock_guard lock(mutex_);
    if (closing_) return;
    auto& line = lines_[key];
    const bool is_on_its_way = line.running && line.items.size() == 1;
    if (!line.items.empty() && !line.items.back().is_record() && !is_on_its_way) {
      kept_bytes_ -= bytes_of(line.items.back());
      line.items.pop_back();
    }
    kept_bytes_ += bytes_of(item);
    line.items.push_back(std::move(item));
    pump(key);
  } catch (const std::exception&) {
    // The next one tells more.
  }
}

// ---- lines

void Deliveries::pump(std::uint64_t key) {
  const auto line = lines_.find(key);
  if (line == lines_.end() || !line->second.may_run() || stopped_) return;
  if (running_ < options_.at_once) return start_running(key);
  line->second.queued = true;
  ready_.push_back(key);
}

void Deliveries::start_running(std::uint64_t key) {
  auto& line = lines_.at(key);
  line.queued = false;
  line.running = true;
  ++running_;
  if (group_.spawn(parts_.executor, run_line(key))) return;
  line.running = false;
  --running_;
}

void Deliveries::start_waiting_lines() {
  while (!ready_.empty() && running_ < options_.at_once && !stopped_) {
    const auto key = ready_.front();
    ready_.pop_front();
    start_running(key);
  }
}

void Deliveries::forget_if_empty(std::uint64_t key) {
  const auto line = lines_.find(key);
  if (line != lines_.end() && line->second.items.empty() && !line->second.running)
    lines_.erase(line);
}

void Deliveries::pause_line(std::uint64_t key, Deadline::Point due) {
  lines_.at(key).due = due;
  paused_.emplace(due, key);
  timer_woken_->set();
}

Awaitable<void> Deliveries::run_line(std::uint64_t key) {
  co_await out_of_the_caller();
  std::exception_ptr thrown;
  try {
    while (co_await run_head(key)) {
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  std::lock_guard lock(mutex_);
  auto& line = lines_.at(key);
  line.running = false;
  --running_;
  if (thrown) {
    parts_.logger.log(LogLevel::error, "HookDeliveryThrew", {});
    pause_line(key, Deadline::after(parts_.clock.now(), options_.retry_delay).when());
  } else {
    pump(key);
  }
  forget_if_empty(key);
  start_waiting_lines();
  note_idle();
}

// False when the line has to wait, or is empty.
Awaitable<bool> Deliveries::run_head(std::uint64_t key) {
  Item item;
  {
    std::lock_guard lock(mutex_);
    const auto& line = lines_.at(key);
    if (stopped_ || line.items.empty() || !line.items.front().entry.has_happened) co_return false;
    item = line.items.front();
  }
  const auto verdict = co_await deliver(item);
  std::lock_guard lock(mutex_);
  auto& line = lines_.at(key);
  if (verdict == Verdict::over) {
    kept_bytes_ -= bytes_of(line.items.front());
    if (line.items.front().is_record()) {
      --records_;
      count_out(line.items.front().entry);
    }
    line.items.pop_front();
    co_return true;
  }
  auto& head = line.items.front();
  head.attempts = item.attempts;
  head.first_failure = item.first_failure;
  head.waits = item.waits;
  head.entry = std::move(item.entry);
  line.running = false;
  line.put_in_order();
  line.running = true;
  const auto delay = delay_of(item, verdict);
  pause_line(key, Deadline::after(parts_.clock.now(), delay).when());
  co_return false;
}

std::chrono::milliseconds Deliveries::delay_of(const Item& item, Verdict verdict) const {
  const bool has_failed = verdict == Verdict::failed;
  auto delay = has_failed ? options_.retry_delay : first_wait_for_others;
  const auto longest = has_failed ? longest_delay : options_.longest_wait_for_others;
  const auto times = has_failed ? item.attempts : item.waits;
  for (unsigned i = 1; i < times && delay < longest; ++i) delay *= 2;
  return std::min(delay, longest);
}

Awaitable<void> Deliveries::keep_time() {
  for (;;) {
    std::shared_ptr<Event> woken;
    auto until = Deadline::never();
    {
      std::lock_guard lock(mutex_);
      if (closing_) co_return;
      woken = timer_woken_ = std::make_shared<Event>();
      if (!paused_.empty()) until = Deadline::at(paused_.begin()->first);
    }
    co_await woken->wait(until);
    std::lock_guard lock(mutex_);
    while (!paused_.empty() && !closing_ && paused_.begin()->first <= parts_.clock.now()) {
      const auto key = paused_.begin()->second;
      paused_.erase(paused_.begin());
      const auto line = lines_.find(key);
      if (line == lines_.end()) continue;
      line->second.due.reset();
      pump(key);
    }
  }
}

// ---- one delivery

Awaitable<Deliveries::Verdict> Deliveries::deliver(Item& item) {
  if (item.is_record()) co_return co_await deliver_record(item);
  auto reply = co_await call(item.entry.event, *item.envelope);
  if (!reply) {
    log(LogLevel::error, "HookInvocationError", item.entry, item.envelope->upload_id,
        reply.error());
  } else if (reply->stop && item.stop) {
    item.stop(std::move(reply->reply.response));
  }
  co_return Verdict::over;
}

Awaitable<Deliveries::Verdict> Deliveries::deliver_record(Item& item) {
  if (const auto verdict = co_await wait_for_turn(item)) co_return *verdict;
  if (options_.mark_before_telling && !is_marked(item.entry)) {
    auto marked = co_await parts_.outbox.mark_happened(item.entry);
    if (marked) item.entry = *std::move(marked);
  }
  Envelope envelope;
  if (item.envelope) {
    envelope = *item.envelope;
  } else {
    auto read = co_await parts_.outbox.get(item.entry);
    if (!read && read.error() == ErrorCode::upload_not_found) co_return Verdict::over;
    if (!read && read.error() == ErrorCode::upload_damaged)
      co_return co_await bury(item, read.error());
    if (!read) co_return co_await failed(item, read.error());
    envelope = *std::move(read);
  }
  if (item.entry.event == HookEvent::post_create) co_await add_place(envelope);
  const auto reply = co_await call(item.entry.event, std::move(envelope));
  if (!reply) co_return co_await failed(item, reply.error());
  co_await drop(item.entry);
  co_return Verdict::over;
}

// Nothing when it is to be told now.
Awaitable<std::optional<Deliveries::Verdict>> Deliveries::wait_for_turn(Item& item) {
  const auto turn = co_await parts_.outbox.turn_of(item.entry);
  ++item.waits;
  // Who cannot be asked may have something older: the order is a promise.
  if (!turn || *turn == Turn::not_yet || may_be_preceded(item.entry)) co_return Verdict::not_yet;
  item.waits = 0;
  if (*turn == Turn::lost) co_return Verdict::over;
  if (*turn == Turn::unrecorded && item.envelope) {
    // It has happened, and whoever took it over may have found that it had not, then.
    auto entry = co_await parts_.outbox.put(*item.envelope);
    if (!entry) co_return Verdict::not_yet;
    entry->since = item.entry.since;
    entry->has_happened = true;
    item.entry = *std::move(entry);
  }
  co_return std::nullopt;
}

// A creation is promised before its store has chosen a place.
Awaitable<void> Deliveries::add_place(Envelope& envelope) {
  auto id = UploadId::parse(envelope.upload_id);
  if (!id) co_return;
  const auto deadline = Deadline::after(parts_.clock.now(), options_.call_timeout);
  auto info = co_await parts_.store.inspect(*std::move(id), deadline);
  if (info) envelope.body = with_storage(std::move(envelope.body), info->storage);
}

Awaitable<Result<Reply>> Deliveries::call(HookEvent event, Envelope envelope) {
  parts_.metrics.hook_called(event);
  const auto deadline = Deadline::after(parts_.clock.now(), options_.call_timeout);
  auto reply = co_await ask_transport({parts_.transport, parts_.clock, parts_.metrics},
                                      std::move(envelope), deadline, options_.rules);
  if (!reply) parts_.metrics.hook_failed(event);
  co_return reply;
}

Awaitable<Deliveries::Verdict> Deliveries::failed(Item& item, const Error& error) {
  ++item.attempts;
  const std::string id = item.envelope ? item.envelope->upload_id : std::string();
  log(LogLevel::error, "HookInvocationError", item.entry, id, error);
  if (!item.first_failure) item.first_failure = parts_.clock.now();
  const auto tried_for = parts_.clock.now() - *item.first_failure;
  if (parts_.clock.wall() - item.entry.since >= options_.give_up_after &&
      tried_for >= std::min(options_.try_at_least, options_.give_up_after)) {
    co_return co_await bury(item, error);
  }
  // It may have to wait for long; should this process die, nobody has to guess.
  if (item.attempts == 1) {
    auto marked = co_await parts_.outbox.mark_happened(item.entry);
    if (marked) item.entry = *std::move(marked);
  }
  co_await mark_followers(item.entry.line);
  co_return Verdict::failed;
}

// Those that wait behind one that has failed. Nobody else calls the outbox for them while their line runs.
Awaitable<void> Deliveries::mark_followers(std::uint64_t key) {
  std::vector<OutboxEntry> unmarked;
  {
    std::lock_guard lock(mutex_);
    const auto& items = lines_.at(key).items;
    for (const auto& item : items | std::views::drop(1)) {
      if (item.is_record() && item.entry.has_happened && !is_marked(item.entry))
        unmarked.push_back(item.entry);
    }
  }
  for (auto& entry : unmarked) {
    const auto name = entry.name;
    auto marked = co_await parts_.outbox.mark_happened(std::move(entry));
    std::lock_guard lock(mutex_);
    auto* item = lines_.at(key).find(name);
    if (marked && item != nullptr) item->entry = *std::move(marked);
  }
}

Awaitable<Deliveries::Verdict> Deliveries::bury(Item& item, Error why) {
  const std::string id = item.envelope ? item.envelope->upload_id : std::string();
  auto buried = co_await parts_.outbox.bury(item.entry);
  if (buried) parts_.metrics.hook_given_up(item.entry.event);
  log(LogLevel::error, "HookGivenUp", item.entry, id, buried ? why : buried.error());
  co_return buried ? Verdict::over : Verdict::failed;
}

Awaitable<void> Deliveries::drop_later(OutboxEntry entry) {
  co_await out_of_the_caller();
  co_await drop(std::move(entry));
}

Awaitable<void> Deliveries::drop(OutboxEntry entry) {
  auto removed = co_await parts_.outbox.remove(entry);
  if (removed) co_return;
  // Unless that is made up for, it is told once more by the next process.
  log(LogLevel::warn, "HookRecordStays", entry, "", removed.error());
  std::lock_guard lock(mutex_);
  if (undropped_.size() < most_undropped) undropped_.push_back(std::move(entry));
}

Awaitable<void> Deliveries::mark(OutboxEntry entry) {
  co_await out_of_the_caller();
  auto marked = co_await parts_.outbox.mark_happened(entry);
  if (!marked) log(LogLevel::warn, "HookRecordStays", entry, "", marked.error());
  std::lock_guard lock(mutex_);
  --unmarked_;
}

void Deliveries::log(LogLevel level, std::string_view what, const OutboxEntry& entry,
                     std::string_view id, const Error& error) const noexcept {
  parts_.logger.log(level, what,
                    {{"type", name_of(entry.event)}, {"id", id}, {"error", error.detail()}});
}

Deliveries::Figures Deliveries::figures() const {
  Figures figures;
  std::lock_guard lock(mutex_);
  figures.waiting = waiting_since_.size() + outside_;
  if (waiting_since_.empty()) return figures;
  const auto age = parts_.clock.wall() - *waiting_since_.begin();
  // The clock may have been set back.
  figures.oldest_age = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(age),
                                std::chrono::milliseconds(0));
  return figures;
}

}  // namespace tus::hooks
