// tus 1.0.0 as pure functions: request head -> command or rejection, outcome -> response.
#pragma once

#include "protocol/command.h"

#include <tus/location.h>
#include <tus/message.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tus::protocol {

struct TusOptions {
  TusOptions() = default;

  std::string base_path = "/files/";
  LocationOptions location;
  bool can_defer_length = true;
  bool can_terminate = true;
  bool can_download = true;
  bool can_check = false;  // appends of which nothing counts before their checksum matches
  bool can_concatenate = false;
  std::chrono::seconds expire_after{0};  // unfinished uploads without new bytes; 0: never
};

class TusV1 {
 public:
  explicit TusV1(TusOptions options);

  // The command that a request asks for, or the finished response that rejects it (412, 404, 405, 400,
  // 415, 501). Looks at nothing but the head; touches no upload. Lengths are measured by the service,
  // which knows the upload (see limits.h).
  std::expected<Command, Response> plan(const RequestHead& head) const;

  // The answer to a command that was carried out, or failed.
  Response render(const RequestHead& head, const Command& command, const Outcome& outcome) const;

  // The answer for an error without a command (framing, overload).
  Response render_error(const RequestHead& head, ErrorCode code) const;

  // "creation,creation-with-upload,..." in tusd's order.
  const std::string& extensions() const noexcept { return extensions_; }

 private:
  TusOptions options_;
  std::string extensions_;
};

// The method after X-HTTP-Method-Override.
std::string_view effective_method(const RequestHead& head) noexcept;

}  // namespace tus::protocol
