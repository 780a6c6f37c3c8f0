// Events of an upload's life for the program around the library.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/exchange.h>
#include <tus/upload_info.h>

#include <cstdint>
#include <optional>
#include <string>

TUS_NAMESPACE_BEGIN

enum class HookEvent : std::uint8_t {
  pre_create,      // asked: may refuse, may choose id, metadata and place
  post_create,
  post_receive,
  pre_finish,      // asked: runs after the bytes are safe and before the upload is finished
  post_finish,
  pre_terminate,   // asked: may refuse
  post_terminate,
};

struct HookMessage {
  HookMessage() = default;

  HookEvent event = HookEvent::post_create;
  UploadInfo upload;
  // The request that caused it; empty method when none did (a finish that goes on after a restart).
  RequestHead request;
};

// What a hook that is asked may answer.
struct HookReply {
  HookReply() = default;

  bool reject = false;                     // pre_create, pre_terminate
  std::optional<Response> response;        // merged into ours
  std::optional<std::string> id;           // pre_create; validated by the caller
  std::optional<Metadata> metadata;        // pre_create
  std::optional<std::map<std::string, std::string>> storage;  // pre_create
};

class TUS_EXPORT Hooks {
 public:
  virtual ~Hooks() = default;

  // Cheap, any thread: events that nobody wants cost nothing.
  virtual bool wants(HookEvent event) const noexcept = 0;
  // An error means that the hook failed; for pre_finish it is tried again.
  virtual Awaitable<Result<HookReply>> ask(HookMessage message, Deadline deadline) = 0;
  // Tells about something that has happened, or is acknowledged next. When it returns, delivery is
  // promised as far as the implementation promises it (an outbox on disk, or best effort). An error
  // means that nothing may be acknowledged on its strength.
  virtual Awaitable<Status> notify(HookMessage message, Deadline deadline) = 0;
};

TUS_NAMESPACE_END
