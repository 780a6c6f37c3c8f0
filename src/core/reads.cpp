#include "core/reads.h"

#include "core/expiry.h"
#include "protocol/download.h"

#include <utility>

namespace tus::core {

namespace {

Deadline store_deadline(const HandlerOptions& options, const HandlerParts& parts) {
  return Deadline::after(parts.clock->now(), options.store_timeout);
}

}  // namespace

Awaitable<Result<Download>> open_download(const HandlerOptions& options, const HandlerParts& parts,
                                          UploadId id, const RequestHead& head) {
  auto info = co_await parts.store->inspect(id, store_deadline(options, parts));
  if (!info) co_return fail(std::move(info.error()));
  if (has_expired(options, parts, *info)) co_return fail(ErrorCode::upload_gone);
  if (auto refusal = protocol::refuse_download(*info)) co_return fail(*refusal);

  std::optional<std::chrono::sys_seconds> date;
  auto answer = protocol::answer_download(head, *info, date);
  Download download;
  while (answer.content) {
    const ByteRange range{answer.content->first, answer.content->count};
    auto stream = co_await parts.store->read(id, range, store_deadline(options, parts));
    if (!stream) co_return fail(std::move(stream.error()));
    // Only an open file tells its date, and conditions on dates may change the answer.
    if (!date) date = (*stream)->last_modified();
    answer = protocol::answer_download(head, *info, date);
    const bool is_same_range = answer.content && answer.content->first == range.first &&
                               answer.content->count == range.count;
    if (!is_same_range) continue;
    download.content = Content{std::move(*stream), range.count};
    break;
  }
  download.head = std::move(answer.head);
  co_return download;
}

Awaitable<Status> may_terminate(const HandlerOptions& options, const HandlerParts& parts,
                                UploadId id) {
  if (options.allow_termination_of_finished) co_return Status();
  auto info = co_await parts.store->inspect(std::move(id), store_deadline(options, parts));
  if (!info) co_return fail(std::move(info.error()));
  if (info->has_all_bytes()) co_return fail(ErrorCode::termination_rejected);
  co_return Status();
}

}  // namespace tus::core
