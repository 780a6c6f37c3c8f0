#include "core/progress.h"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace tus::core {

void StopSwitch::request(std::optional<Response> response) noexcept {
  std::lock_guard lock(mutex_);
  if (requested_ || body_ == nullptr) return;
  requested_ = true;
  response_ = std::move(response);
  body_->interrupt(BodyState::interrupted);
}

void StopSwitch::forget_body() noexcept {
  std::lock_guard lock(mutex_);
  body_ = nullptr;
}

bool StopSwitch::is_requested() const noexcept {
  std::lock_guard lock(mutex_);
  return requested_;
}

std::optional<Response> StopSwitch::response() const {
  std::lock_guard lock(mutex_);
  return response_;
}

ProgressTeller::ProgressTeller(HookContext context, const UploadInfo& upload,
                               const RequestHead& head, std::shared_ptr<StopSwitch> stop)
    : context_(context),
      head_(&head),
      stop_(std::move(stop)),
      upload_(upload),
      told_(upload.offset),
      last_(context.parts.clock->now()) {}

bool ProgressTeller::is_time() const noexcept {
  return context_.parts.clock->now() - last_ >= context_.options.progress_interval;
}

void ProgressTeller::moved(std::uint64_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  upload_.offset += bytes;
  if (upload_.offset != told_ && is_time()) tell();
}

bool ProgressTeller::has_news() const noexcept {
  std::lock_guard lock(mutex_);
  return upload_.offset != told_;
}

void ProgressTeller::tell_in_time(const asio::any_io_executor& executor) noexcept {
  std::lock_guard lock(mutex_);
  if (timer_runs_ || over_ || upload_.offset == told_) return;
  try {
    if (!timer_) timer_.emplace(executor);
    arm_timer();
  } catch (const std::exception&) {
    // The next piece, or the end, tells it.
  }
}

// One at a time, and not for every piece: when it fires there may be something newer.
void ProgressTeller::arm_timer() {
  const auto left = context_.options.progress_interval - (context_.parts.clock->now() - last_);
  timer_->expires_after(std::max<std::chrono::nanoseconds>(left, std::chrono::milliseconds(1)));
  timer_->async_wait(
      [self = shared_from_this()](const boost::system::error_code&) { self->timer_fired(); });
  timer_runs_ = true;
}

void ProgressTeller::timer_fired() noexcept {
  std::lock_guard lock(mutex_);
  timer_runs_ = false;
  if (over_ || upload_.offset == told_) return;
  if (is_time()) return tell();
  try {
    arm_timer();
  } catch (const std::exception&) {
    // As above.
  }
}

void ProgressTeller::end(std::uint64_t offset) noexcept {
  std::lock_guard lock(mutex_);
  upload_.offset = offset;
  if (offset != told_) tell();
}

void ProgressTeller::forget_request() noexcept {
  std::lock_guard lock(mutex_);
  over_ = true;
  if (!timer_runs_) return;
  try {
    asio::post(timer_->get_executor(), [self = shared_from_this()] { self->timer_->cancel(); });
  } catch (const std::exception&) {
    // It fires, and finds nothing to tell.
  }
}

void ProgressTeller::tell() noexcept {
  told_ = upload_.offset;
  last_ = context_.parts.clock->now();
  try {
    auto message = make_message(HookEvent::post_receive, upload_, *head_);
    context_.parts.hooks->progressed(
        std::move(message),
        [stop = stop_](std::optional<Response> response) { stop->request(std::move(response)); });
  } catch (const std::exception&) {
    // The next one tells more.
  }
}

ProgressSource::ProgressSource(HookContext context, const UploadInfo& upload,
                               const RequestHead& head, BodySource& body)
    : body_(body),
      stop_(std::make_shared<StopSwitch>(body)),
      teller_(std::make_shared<ProgressTeller>(context, upload, head, stop_)) {}

ProgressSource::~ProgressSource() {
  stop_->forget_body();
  teller_->forget_request();
}

Awaitable<BodyState> ProgressSource::tell_and_wait() {
  teller_->tell_in_time(co_await asio::this_coro::executor);
  co_return co_await body_.wait();
}

void ProgressSource::end(std::uint64_t offset) noexcept {
  stop_->forget_body();
  teller_->end(offset);
}

std::unique_ptr<ProgressSource> watch_progress(HookContext context, const UploadInfo& upload,
                                               const RequestHead& head, BodySource& body) {
  if (!context.parts.hooks->wants(HookEvent::post_receive)) return nullptr;
  return std::make_unique<ProgressSource>(context, upload, head, body);
}

void tell_progress(HookContext context, const UploadInfo& upload,
                   const RequestHead& head) noexcept {
  if (!context.parts.hooks->wants(HookEvent::post_receive)) return;
  try {
    context.parts.hooks->progressed(make_message(HookEvent::post_receive, upload, head),
                                    [](std::optional<Response>) {});
  } catch (const std::exception&) {
    // Nobody was promised anything.
  }
}

}  // namespace tus::core
