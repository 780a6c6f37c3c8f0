// Brings notifications to a transport: in order for each upload, until they are taken.
#pragma once

#include "async/event.h"
#include "async/task_group.h"
#include "hooks/common/line.h"
#include "hooks/common/outbox.h"
#include "hooks/common/reply.h"
#include "hooks/common/transport.h"

#include <tus/clock.h>
#include <tus/hooks.h>
#include <tus/logger.h>
#include <tus/metrics_sink.h>
#include <tus/store.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tus::hooks {

struct DeliveryOptions {
  DeliveryOptions() = default;

  std::size_t at_once = 32;                        // deliveries that run at the same time
  std::chrono::milliseconds call_timeout{60'000};  // of one delivery
  std::chrono::milliseconds retry_delay{1'000};    // doubles with every failure, up to 5 minutes
  std::chrono::milliseconds give_up_after{86'400'000};
  // Nothing is given up before it has been tried for so long, however old it is: the machine may have been off, or
  // its clock set.
  std::chrono::milliseconds try_at_least{600'000};
  std::chrono::milliseconds look_around{10'000};  // how often others' records are looked for
  // Between two looks at a store that does not say whether a change was made.
  std::chrono::milliseconds ask_again{1'000};
  // Between two questions whether another process has had its turn; they begin at 200 ms, and double.
  std::chrono::milliseconds longest_wait_for_others{200};
  std::size_t most_in_memory = 100'000;  // records; the others wait in the outbox alone
  // Where nobody wants to hear of terminations, there is no trace of what was and is gone: events are marked as having
  // happened before they are told.
  bool mark_before_telling = false;
  ReplyRules rules;
};

// All but the executor outlive it.
struct DeliveryParts {
  Outbox& outbox;
  Transport& transport;
  Store& store;  // is asked whether a change was made whose process died before it could say so
  Clock& clock;
  Logger& logger;
  MetricsSink& metrics;
  asio::any_io_executor executor;  // one thread, or a strand
};

// Calls may come from any thread. close() must have returned before it is destroyed.
class Deliveries {
 public:
  Deliveries(DeliveryOptions options, DeliveryParts parts);
  ~Deliveries();
  Deliveries(const Deliveries&) = delete;
  Deliveries& operator=(const Deliveries&) = delete;

  // As Hooks has them.
  Awaitable<Result<HookTicket>> promise(Envelope envelope);
  void happened(const HookTicket& ticket) noexcept;
  void withdraw(const HookTicket& ticket) noexcept;
  // Told once, and only if nothing newer of its upload comes before its turn.
  void progressed(Envelope envelope, Hooks::StopUpload stop) noexcept;

  // Takes up what earlier processes left, now and from time to time.
  void start();
  // What has happened is still delivered until the deadline, but nothing is tried again; the rest stays in
  // the outbox.
  Awaitable<void> close(Deadline deadline);

  // Of what has happened and is not delivered yet. Cheap, however much that is.
  struct Figures {
    std::size_t waiting = 0;
    std::chrono::milliseconds oldest_age{0};  // 0 when nothing waits
  };
  Figures figures() const;

 private:
  using Lines = std::unordered_map<std::uint64_t, Line>;
  enum class Verdict : std::uint8_t { over, failed, not_yet };

  void pump(std::uint64_t key);
  void start_running(std::uint64_t key);
  void start_waiting_lines();
  void pause_line(std::uint64_t key, Deadline::Point due);
  void forget_if_empty(std::uint64_t key);
  std::shared_ptr<const Envelope> kept(Envelope envelope);

  Awaitable<void> run_line(std::uint64_t key);
  Awaitable<bool> run_head(std::uint64_t key);
  Awaitable<Verdict> deliver(Item& item);
  Awaitable<Verdict> deliver_record(Item& item);
  Awaitable<std::optional<Verdict>> wait_for_turn(Item& item);
  Awaitable<void> add_place(Envelope& envelope);
  Awaitable<Result<Reply>> call(HookEvent event, Envelope envelope);
  Awaitable<Verdict> failed(Item& item, const Error& error);
  Awaitable<void> mark_followers(std::uint64_t key);
  Awaitable<Verdict> bury(Item& item, Error why);
  Awaitable<void> drop(OutboxEntry entry);
  Awaitable<void> drop_later(OutboxEntry entry);
  Awaitable<void> mark(OutboxEntry entry);
  void note_idle();
  // False when it is only in the outbox.
  bool take_out(std::uint64_t key, std::string_view name);
  // What figures() tells; both with mutex_.
  void count_in(const OutboxEntry& entry) { waiting_since_.insert(entry.since); }
  void count_out(const OutboxEntry& entry);
  std::chrono::milliseconds delay_of(const Item& item, Verdict verdict) const;

  Awaitable<void> keep_time();
  Awaitable<void> look_around();
  Awaitable<void> take_over();
  Awaitable<Result<std::vector<OutboxEntry>>> left_behind();
  // Whether something older of its upload may be on its way to us.
  bool may_be_preceded(const OutboxEntry& entry) const;
  Awaitable<void> refill();
  // What could not be removed stands in the way of later events of its upload, where another process has those.
  Awaitable<void> drop_again();
  Awaitable<bool> settle(OutboxEntry& entry, bool ended_later);
  Awaitable<Result<bool>> was_made(OutboxEntry entry);
  void add(std::vector<OutboxEntry> entries);
  void log(LogLevel level, std::string_view what, const OutboxEntry& entry, std::string_view id,
           const Error& error) const noexcept;

  const DeliveryOptions options_;
  DeliveryParts parts_;

  mutable std::mutex mutex_;
  Lines lines_;
  std::deque<std::uint64_t> ready_;
  std::multimap<Deadline::Point, std::uint64_t> paused_;
  std::shared_ptr<Event> timer_woken_ = std::make_shared<Event>();
  std::size_t running_ = 0;
  std::size_t records_ = 0;             // in lines_
  std::size_t kept_bytes_ = 0;          // of messages in memory
  bool overflowed_ = false;             // the outbox has records of ours that are not in lines_
  std::size_t unmarked_ = 0;            // of those, promised and not known to have happened
  std::vector<OutboxEntry> undropped_;  // over, and still there; at most most_undropped
  std::size_t outside_ = 0;             // and those that have happened
  std::multiset<std::chrono::system_clock::time_point> waiting_since_;  // of those in lines_
  bool closing_ = false;
  bool stopped_ = false;
  bool may_guess_ = false;  // the store did not answer for long; of look_around() alone
  // Records of dead processes, from when they came to us until they are in lines_.
  std::unordered_set<std::uint64_t> arriving_;
  Event stopping_;
  Event idle_;  // closing, and nothing is on its way
  TaskGroup group_;
};

}  // namespace tus::hooks
