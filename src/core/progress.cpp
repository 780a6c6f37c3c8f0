#include "core/progress.h"

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

ProgressSource::ProgressSource(HookContext context, const UploadInfo& upload,
                               const RequestHead& head, BodySource& body)
    : context_(context),
      head_(head),
      body_(body),
      upload_(upload),
      told_(upload.offset),
      last_(context.parts.clock->now()),
      stop_(std::make_shared<StopSwitch>(body)) {}

ProgressSource::~ProgressSource() { stop_->forget_body(); }

BodySource::Moved ProgressSource::counted(Moved moved) noexcept {
  upload_.offset += moved.bytes;
  const auto now = context_.parts.clock->now();
  if (upload_.offset != told_ && now - last_ >= context_.options.progress_interval) {
    last_ = now;
    tell();
  }
  return moved;
}

void ProgressSource::end(std::uint64_t offset) noexcept {
  stop_->forget_body();
  upload_.offset = offset;
  if (offset != told_) tell();
}

void ProgressSource::tell() noexcept {
  told_ = upload_.offset;
  try {
    auto message = make_message(HookEvent::post_receive, upload_, head_);
    context_.parts.hooks->progressed(
        std::move(message),
        [stop = stop_](std::optional<Response> response) { stop->request(std::move(response)); });
  } catch (const std::exception&) {
    // The next one tells more.
  }
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
