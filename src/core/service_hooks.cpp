// What hooks decide about: an upload that is to be made, and one that is to go while its bytes come.
#include "async/random_id.h"
#include "core/request_log.h"
#include "core/upload_service.h"
#include "protocol/metadata.h"

#include <utility>

namespace tus::core {

Awaitable<Result<UploadDraft>> UploadService::draft_upload(
    CreateCommand& command, const RequestHead& head, std::shared_ptr<Response>& hook_response) {
  UploadDraft draft;
  draft.length = command.length;
  draft.raw_metadata = std::move(command.raw_metadata);
  draft.metadata = std::move(command.metadata);
  draft.raw_concat = std::move(command.raw_concat);
  draft.is_partial = command.is_partial;
  for (const auto& part : command.parts) draft.partial_uploads.push_back(part.str());
  draft.finish = needs_finish() ? FinishState::pending : FinishState::derived;
  if (announces_changes()) draft.creation_id = random_id();
  if (!parts_.hooks->wants(HookEvent::pre_create)) co_return draft;

  auto reply = co_await ask_hook(context_, HookEvent::pre_create, info_of(draft), head);
  if (!reply) co_return fail(std::move(reply.error()));
  hook_response = shared(std::move(reply->response));
  if (reply->reject) co_return fail(ErrorCode::upload_rejected);
  if (reply->id) {
    auto id = UploadId::parse(*reply->id);
    if (!id) co_return fail(ErrorCode::internal, "pre-create chose an invalid id: " + *reply->id);
    draft.id = std::move(*id);
  }
  if (reply->metadata) {
    draft.metadata = std::move(*reply->metadata);
    draft.raw_metadata = protocol::format_metadata(draft.metadata);
  }
  if (reply->storage) draft.storage = std::move(*reply->storage);
  co_return draft;
}

Awaitable<Outcome> UploadService::stop_upload(HeldUpload held, Request request) {
  Outcome outcome{Error(ErrorCode::upload_stopped)};
  outcome.hook_response = shared(held.progress->stop().response());
  log_upload(parts_, "HookStopUpload", held.upload->info(), request.head);
  auto ended = co_await end_upload(held, request.head);
  if (!ended) co_return Outcome(std::move(ended.error()));
  co_return outcome;
}

}  // namespace tus::core
