#include <tus/upload_info.h>

TUS_NAMESPACE_BEGIN

UploadInfo info_of(UploadDraft draft) {
  UploadInfo info;
  info.id = std::move(draft.id);
  info.length = draft.length;
  info.raw_metadata = std::move(draft.raw_metadata);
  info.metadata = std::move(draft.metadata);
  info.raw_concat = std::move(draft.raw_concat);
  info.digest = std::move(draft.digest);
  info.creation_id = std::move(draft.creation_id);
  info.is_partial = draft.is_partial;
  info.is_final = info.join_pending = !draft.partial_uploads.empty();
  info.partial_uploads = std::move(draft.partial_uploads);
  info.storage = std::move(draft.storage);
  info.finish = draft.finish;
  return info;
}

TUS_NAMESPACE_END
