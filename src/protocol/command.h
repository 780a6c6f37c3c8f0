// What any upload protocol asks for and what comes of it: the seam between protocols and the service.
#pragma once

#include "protocol/checksum.h"

#include <tus/error.h>
#include <tus/message.h>
#include <tus/upload_info.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

TUS_NAMESPACE_BEGIN

// What the server can do; asked without naming an upload.
struct DescribeCommand {
  DescribeCommand() = default;
  std::uint64_t max_size =
      0;  // the limit now, which whoever carries the command out fills in; 0: none
};

struct CreateCommand {
  CreateCommand() = default;

  std::optional<std::uint64_t> length;  // nothing: deferred
  std::string raw_metadata;
  Metadata metadata;
  std::string raw_concat;
  bool is_partial = false;
  std::vector<UploadId> parts;  // of a final upload, in order; it has no length of its own
  bool with_content = false;    // the request's body is the beginning of the upload
  std::optional<ChecksumDemand> checksum;  // only with content
};

struct AppendCommand {
  AppendCommand() = default;

  UploadId id;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> declared_length;  // sent with this request for a deferred upload
  std::optional<ChecksumDemand> checksum;
};

struct InspectCommand {
  InspectCommand() = default;
  UploadId id;
};

struct TerminateCommand {
  TerminateCommand() = default;
  UploadId id;
};

struct ReadCommand {
  ReadCommand() = default;
  UploadId id;
};

using Command = std::variant<DescribeCommand, CreateCommand, AppendCommand, InspectCommand,
                             TerminateCommand, ReadCommand>;

// Small, because coroutines that wait for a stalled client keep room for several of them.
struct Outcome {
  Outcome() = default;
  explicit Outcome(Error e) : error(std::move(e)) {}
  explicit Outcome(UploadInfo info) { tell(std::move(info)); }

  void tell(UploadInfo info) { upload = std::make_shared<const UploadInfo>(std::move(info)); }

  std::optional<Error> error;
  // The upload as a client may be told about it now. Also beside an error, where an offset is known to
  // be true: a creation whose body broke, an append that a full disk cut short.
  std::shared_ptr<const UploadInfo> upload;
  std::optional<std::chrono::seconds> retry_after;
  std::shared_ptr<Response> hook_response;  // merged over ours, see HookReply
};

TUS_NAMESPACE_END
