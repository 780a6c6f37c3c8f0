#include "stores/s3/reading.h"

#include <utility>

namespace tus::s3 {

namespace {

class Content final : public ReadStream {
 public:
  explicit Content(std::unique_ptr<ObjectStream> stream, std::uint64_t left)
      : stream_(std::move(stream)), left_(left) {}

  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline deadline) override {
    if (left_ == 0 || !stream_) co_return std::size_t{0};
    if (into.size() > left_) into = into.first(static_cast<std::size_t>(left_));
    auto count = co_await stream_->read(into, deadline);
    if (!count) co_return fail(as_error(std::move(count.error())));
    if (*count == 0) co_return fail(ErrorCode::store_unavailable, "the object ended early");
    left_ -= *count;
    co_return *count;
  }

  std::optional<std::chrono::sys_seconds> last_modified() const noexcept override {
    if (!stream_) return std::nullopt;
    return stream_->look().last_modified;
  }

 private:
  std::unique_ptr<ObjectStream> stream_;  // none: of no bytes
  std::uint64_t left_;
};

}  // namespace

Awaitable<Result<std::unique_ptr<ReadStream>>> open_content(Context& context, UploadId id,
                                                            ByteRange range, Deadline deadline) {
  auto state = co_await context.looker.read_record(std::move(id), deadline);
  if (state) state = co_await context.looker.look_at_data(*std::move(state), deadline);
  if (!state) co_return fail(std::move(state.error()));
  if (!state->has_object) co_return fail(ErrorCode::upload_not_finished);
  if (range.count == 0) co_return std::make_unique<Content>(nullptr, 0);
  auto stream = co_await context.bucket.open_object(state->data.name, range, deadline);
  if (!stream) co_return fail(as_error(std::move(stream.error())));
  co_return std::make_unique<Content>(*std::move(stream), range.count);
}

}  // namespace tus::s3
