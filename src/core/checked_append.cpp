// Appends that bring a checksum: all of the body counts, or nothing.
#include "core/body_checksum.h"
#include "core/limited_source.h"
#include "core/request_body.h"
#include "core/request_log.h"
#include "core/upload_service.h"

#include <utility>

namespace tus::core {

namespace {

// Who looks at the bytes of such an append.
class CheckedBytes final : public ByteObserver {
 public:
  // `running` may be nullptr.
  CheckedBytes(BodyChecksum& checksum, RunningDigest* running) noexcept
      : checksum_(checksum), running_(running) {}
  void saw(std::span<const std::byte> bytes) override {
    checksum_.saw(bytes);
    if (running_ != nullptr) running_->saw(bytes);
  }

 private:
  BodyChecksum& checksum_;
  RunningDigest* running_;
};

}  // namespace

// A small body is here whole: once it was looked at, it is one like any other.
bool UploadService::is_checked_already(const ChecksumDemand& demand, Request request) {
  const auto body = whole_body(request.body);
  return body && !wrong_checksum(demand, *body, request.exchange.trailers());
}

Awaitable<Outcome> UploadService::receive_checked(HeldUpload held, Request request,
                                                  protocol::LengthAnswer limit,
                                                  ChecksumDemand demand) {
  const auto start = held.upload->info().offset;
  log_chunk_start(parts_, held.upload->info(), request.head, start);
  auto refused = co_await take_checked(held, request, limit, std::move(demand));
  const auto taken = refused ? 0 : held.upload->info().offset - start;
  log_chunk_end(parts_, held.upload->info(), request.head, taken);
  parts_.metrics->bytes_received(taken);
  AppendOutcome moved;
  moved.safe_offset = held.upload->info().offset;
  moved.body = BodyState::complete;
  moved.error = std::move(refused);
  co_return co_await received(std::move(held), request, std::move(moved), limit.excess);
}

// Why nothing of the body counts; nothing: all of it does.
Awaitable<std::optional<Error>> UploadService::take_checked(HeldUpload& held, Request request,
                                                            protocol::LengthAnswer limit,
                                                            ChecksumDemand demand) {
  // The length that it declares counts with the bytes, or not at all.
  auto ready = co_await prepare(held, protocol::LengthAnswer());
  if (!ready) co_return std::move(ready.error());
  BodyChecksum checksum(std::move(demand));
  auto running = co_await digests_.resume(*held.upload, *held.lease);
  CheckedBytes bytes(checksum, running ? &*running : nullptr);
  auto moved = co_await stage_body(held, request, limit.allowance, bytes);
  auto wrong = std::move(moved.error);
  if (moved.body == BodyState::interrupted && !wrong) parts_.metrics->upload_taken_over();
  if (!wrong) wrong = body_error(moved.body, limit.excess);
  if (!wrong) {
    if (auto verdict = checksum.verdict(request.exchange.trailers())) wrong = Error(*verdict);
  }
  if (!wrong) {
    ready = co_await prepare(held, limit);
    if (!ready) wrong = std::move(ready.error());
  }
  if (wrong) {
    // Should it fail, the bytes are behind a mark which says that they do not count.
    (void)co_await held.upload->rollback_staged(*held.lease, store_deadline());
    co_return wrong;
  }
  if (running) WholeDigests::hand_over(*held.upload, *running);
  // One that fails may have happened all the same. So nothing is rolled back: whoever opens the upload next
  // sees which it was.
  auto committed = co_await held.upload->commit_staged(*held.lease, store_deadline());
  if (!committed) co_return std::move(committed.error());
  if (running) {
    running->saved = running->offset();
    digests_.remember(std::move(*running));
  }
  co_return std::nullopt;
}

Awaitable<AppendOutcome> UploadService::stage_body(HeldUpload& held, Request request,
                                                   std::optional<std::uint64_t> allowance,
                                                   ByteObserver& observer) {
  AppendRequest at(held.upload->info().offset);
  at.mode = AppendRequest::Mode::staged;
  if (request.body.state() == BodyState::complete) {
    AppendOutcome nothing;
    nothing.safe_offset = at.offset;
    nothing.body = BodyState::complete;
    co_return nothing;
  }
  std::optional<LimitedSource> limited;
  held.progress = watch_progress(context_, held.upload->info(), request.head, request.body);
  BodySource& body = held.progress ? static_cast<BodySource&>(*held.progress) : request.body;
  if (allowance && !request.head.content_length) limited.emplace(body, *allowance);
  HashingSource source(limited ? static_cast<BodySource&>(*limited) : body, observer);
  const Receiving receiving(held.keeper, request.body);
  co_return co_await held.upload->append(*held.lease, source, at, Deadline::never());
}

}  // namespace tus::core
