// How far a body is, told to hooks that want to know.
#pragma once

#include "core/hook_calls.h"

#include <tus/body_source.h>
#include <tus/handler.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

namespace tus::core {

// By which a hook ends an upload that is receiving bytes. Outlives the request: a hook may answer late.
class StopSwitch {
 public:
  explicit StopSwitch(BodySource& body) noexcept : body_(&body) {}

  // Any thread, any number of times; the first one counts. Ends the body.
  void request(std::optional<Response> response) noexcept;
  // From now on the body is not touched any more.
  void forget_body() noexcept;
  bool is_requested() const noexcept;
  std::optional<Response> response() const;

 private:
  mutable std::mutex mutex_;
  BodySource* body_;
  bool requested_ = false;
  std::optional<Response> response_;
};

// How far an upload is and what has been told of it. Any thread, but for what is said otherwise. Outlives the request,
// since its timer does.
class ProgressTeller : public std::enable_shared_from_this<ProgressTeller> {
 public:
  // `head` and what is in `context` are not touched after forget_request().
  ProgressTeller(HookContext context, const UploadInfo& upload, const RequestHead& head,
                 std::shared_ptr<StopSwitch> stop);

  // Told now, if it is time.
  void moved(std::uint64_t bytes) noexcept;
  bool has_news() const noexcept;
  // The body may fall silent: what is not told yet is told when it is time. On `executor`, that of the connection.
  void tell_in_time(const asio::any_io_executor& executor) noexcept;
  void end(std::uint64_t offset) noexcept;
  void forget_request() noexcept;

 private:
  // All with mutex_.
  bool is_time() const noexcept;
  void tell() noexcept;
  void arm_timer();

  void timer_fired() noexcept;

  HookContext context_;
  const RequestHead* head_;
  const std::shared_ptr<StopSwitch> stop_;
  mutable std::mutex mutex_;
  UploadInfo upload_;  // with the offset that the body has reached
  std::uint64_t told_;
  Deadline::Point last_;
  bool over_ = false;
  bool timer_runs_ = false;
  std::optional<asio::steady_timer> timer_;  // used on the connection's executor alone
};

// A body that tells, as it is read, how far its upload is: at most once an interval, and at its end.
class ProgressSource final : public BodySource {
 public:
  // All of it outlives this.
  ProgressSource(HookContext context, const UploadInfo& upload, const RequestHead& head,
                 BodySource& body);
  ~ProgressSource() override;

  std::optional<std::uint64_t> remaining() const noexcept override { return body_.remaining(); }
  std::span<const std::byte> buffered() const noexcept override { return body_.buffered(); }
  BodyState state() const noexcept override { return body_.state(); }
  Moved pull(std::span<std::byte> into) override { return counted(body_.pull(into)); }
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override {
    return counted(body_.move_to_file(fd, at, max, scratch));
  }
  bool wait_briefly(std::chrono::microseconds patience) override {
    return body_.wait_briefly(patience);
  }
  Awaitable<BodyState> wait() override {
    return teller_->has_news() ? tell_and_wait() : body_.wait();
  }
  void interrupt(BodyState reason) noexcept override { body_.interrupt(reason); }

  // The body is over, and the upload is there. Nothing is told if that is known already.
  void end(std::uint64_t offset) noexcept;
  const StopSwitch& stop() const noexcept { return *stop_; }

 private:
  Moved counted(Moved moved) noexcept {
    teller_->moved(moved.bytes);
    return moved;
  }
  Awaitable<BodyState> tell_and_wait();

  BodySource& body_;
  const std::shared_ptr<StopSwitch> stop_;
  const std::shared_ptr<ProgressTeller> teller_;
};

// nullptr when nobody wants to know.
std::unique_ptr<ProgressSource> watch_progress(HookContext context, const UploadInfo& upload,
                                               const RequestHead& head, BodySource& body);
// For bytes that were there at once.
void tell_progress(HookContext context, const UploadInfo& upload, const RequestHead& head) noexcept;

}  // namespace tus::core
