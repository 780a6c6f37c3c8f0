// The bytes of a call on their way between its caller and curl.
#pragma once

#include "async/event.h"
#include "net/http_client.h"

#include <boost/asio/strand.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace tus::net {

// Who waits is woken after curl's turn and not for each of the small pieces that curl hands over in it.
//
// Curl's side is called on the strand of its loop, the caller's side by one coroutine anywhere.
class CallFlow : public std::enable_shared_from_this<CallFlow> {
 public:
  using Strand = asio::strand<asio::any_io_executor>;
  // What is held of a reply for a slow reader.
  static constexpr std::size_t capacity = std::size_t{256} << 10;

  explicit CallFlow(Strand strand) : strand_(std::move(strand)) {}

  // ---- curl's side ----

  enum class Taken : std::uint8_t { some, pause, abort };
  // Bytes for the body of the request. After `pause` somebody says resume().
  Taken take(std::span<std::byte> into, std::size_t& count);
  // Bytes of the reply's body; false: there is no room, and somebody says resume() when there is.
  bool put(std::span<const std::byte> bytes);
  void set_head(HttpHead head);
  void finish(Status status);

  // ---- the caller's side ----

  // Called, on the strand, when curl may go on.
  void on_resume(std::function<void()> resume) { resume_ = std::move(resume); }
  Awaitable<Status> write(std::span<const std::byte> bytes, Deadline deadline);
  Awaitable<Result<HttpHead>> head(Deadline deadline);
  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline deadline);
  // The caller has gone.
  void abandon() noexcept;

 private:
  class Given;

  void wake_soon();
  void wake();
  std::shared_ptr<Event> next_change();
  void resume();

  const Strand strand_;
  std::function<void()> resume_;

  std::mutex mutex_;
  std::shared_ptr<Event> change_;  // null: nobody waits
  bool wake_is_posted_ = false;
  bool abandoned_ = false;
  std::span<const std::byte> out_;
  bool out_is_paused_ = false;
  std::vector<std::byte> in_;
  std::size_t in_begin_ = 0;
  bool in_is_paused_ = false;
  std::optional<HttpHead> head_;
  std::optional<Status> end_;
};

}  // namespace tus::net
