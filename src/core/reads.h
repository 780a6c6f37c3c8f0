// Downloads. They take no lock and no lease: what is finished does not change any more.
#pragma once

#include <tus/exchange.h>
#include <tus/handler.h>

#include <optional>

namespace tus::core {

struct Download {
  Response head;
  std::optional<Content> content;  // none: `head` is all of the answer
};

// Errors: those of the store, incomplete_upload, upload_finishing, upload_finish_failed.
Awaitable<Result<Download>> open_download(const HandlerOptions& options, const HandlerParts& parts,
                                          UploadId id, const RequestHead& head);

// Whether an upload may be deleted as far as it is known without a lock: with
// allow_termination_of_finished off, not one that has all its bytes. Errors: those of the store,
// termination_rejected.
Awaitable<Status> may_terminate(const HandlerOptions& options, const HandlerParts& parts,
                                UploadId id);

}  // namespace tus::core
