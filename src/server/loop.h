// What the connections of one event loop share: buffers, the date, one timer for all time-outs.
#pragma once

#include "async/event.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstddef>
#include <ctime>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tus::server {

struct InWaiting;
using WaitingHook = boost::intrusive::list_base_hook<boost::intrusive::tag<InWaiting>>;

// A connection as its loop sees it. All calls are made on the loop.
class LoopMember : public boost::intrusive::list_base_hook<>, public WaitingHook {
 public:
  LoopMember() = default;
  LoopMember(const LoopMember&) = delete;
  LoopMember& operator=(const LoopMember&) = delete;
  virtual ~LoopMember() = default;

  virtual void check_deadline(Deadline::Point now) = 0;
  // Ends what can be ended without a loss: idle connections, bodies in flight. Whether a request is being
  // answered, which will be told with request_answered().
  virtual bool soft_stop() = 0;
  // Cuts the connection.
  virtual void hard_stop() = 0;
  // Others need its place, and it waits for a request, or for the rest of its head.
  virtual void go_away() = 0;

 private:
  friend class Loop;
  Deadline::Point waiting_since_{};
};

// Used on its executor only, but for executor() itself.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  explicit Loop(asio::any_io_executor executor);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  const asio::any_io_executor& executor() const noexcept { return executor_; }

  void add(LoopMember& member);
  void remove(LoopMember& member) noexcept;

  // A member that has no request now. It may be sent away, and is waiting no more then.
  void begin_waiting(LoopMember& member, Deadline::Point now) noexcept;
  void end_waiting(LoopMember& member) noexcept;
  // False when nobody waits.
  bool send_oldest_away();
  // Point::max() when nobody waits. Any thread.
  Deadline::Point longest_waiting_since() const noexcept {
    return Deadline::Point(
        Deadline::Point::duration(waiting_since_.load(std::memory_order_relaxed)));
  }

  // Members that set a deadline say so here; they hear of it at most a tenth of a second late.
  void expect_deadline(Deadline deadline);

  bool stopping() const noexcept { return stopping_; }
  void soft_stop();
  void hard_stop();
  // By those who said in soft_stop() that they would.
  void request_answered() noexcept;
  // Set, after soft_stop(), when no request is left that is not answered yet. Any thread.
  Event& quiet() noexcept { return quiet_; }

  // Shared by all connections, so what is in them is valid only until the next co_await.
  std::span<std::byte> receive_buffer() noexcept { return {receive_buffer_.get(), receive_bytes}; }
  std::string& send_buffer() noexcept { return send_buffer_; }
  // IMF-fixdate of now.
  std::string_view date();

  static constexpr std::size_t receive_bytes = 64 * 1024;

 private:
  void arm();
  void note_longest_waiting() noexcept;
  void check_deadlines();

  asio::any_io_executor executor_;
  asio::steady_timer timer_;
  boost::intrusive::list<LoopMember, boost::intrusive::constant_time_size<false>> members_;
  // Who came first stands first.
  boost::intrusive::list<LoopMember, boost::intrusive::base_hook<WaitingHook>,
                         boost::intrusive::constant_time_size<false>>
      waiting_;
  std::atomic<Deadline::Point::rep> waiting_since_ =
      Deadline::Point::max().time_since_epoch().count();
  Deadline::Point next_check_ = Deadline::Point::max();  // no member's deadline is sooner
  Deadline::Point armed_for_ = Deadline::Point::max();   // when the timer fires
  bool stopping_ = false;
  std::size_t unanswered_ = 0;  // while stopping
  Event quiet_;
  std::unique_ptr<std::byte[]> receive_buffer_;
  std::string send_buffer_;
  std::string date_;
  std::time_t date_second_ = 0;
};

}  // namespace tus::server
