// Events of an upload's life for the program around the library.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/exchange.h>
#include <tus/upload_info.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

TUS_NAMESPACE_BEGIN

enum class HookEvent : std::uint8_t {
  pre_create,  // asked: may refuse, may choose id, metadata and place
  post_create,
  post_receive,
  pre_finish,  // asked: runs after the bytes are safe and before the upload is finished
  post_finish,
  pre_terminate,  // asked: may refuse
  post_terminate,
  pre_access,  // asked: may refuse; who may resume, read or remove an upload, or make it a part of another
};
inline constexpr std::size_t hook_event_count = 8;

struct HookMessage {
  HookMessage() = default;

  HookEvent event = HookEvent::post_create;
  UploadInfo upload;
  // The request that caused it, with the method after X-HTTP-Method-Override; empty method when none did (a
  // finish that goes on after a restart).
  RequestHead request;
};

// What a hook that is asked may answer.
struct HookReply {
  HookReply() = default;

  bool reject = false;  // pre_create, pre_terminate, pre_access
  // Merged into ours: a status of 0 and an empty body keep ours, fields are added or replaced.
  std::optional<Response> response;
  std::optional<std::string> id;                              // pre_create; validated by the caller
  std::optional<Metadata> metadata;                           // pre_create
  std::optional<std::map<std::string, std::string>> storage;  // pre_create
};

// A promise to tell about something, made before it is known to have happened.
struct HookTicket {
  HookTicket() = default;
  std::string value;  // the implementation's business; empty: nobody wants to know
};

class TUS_EXPORT Hooks {
 public:
  virtual ~Hooks() = default;

  // Cheap, any thread: events that nobody wants cost nothing.
  virtual bool wants(HookEvent event) const noexcept = 0;

  // Asks a blocking event. An error means that the hook failed; pre_finish is then tried again.
  virtual Awaitable<Result<HookReply>> ask(HookMessage message, Deadline deadline) = 0;

  // Notifications in two steps, so that none is lost in a crash between the change and its delivery:
  // promise() returns once the message will not be forgotten (as far as the implementation promises
  // that: an outbox on disk, or best effort), then the change is made, then happened() lets the message
  // go out. A message whose change did not happen is withdrawn. An error of promise() means that the
  // change must not be made.
  virtual Awaitable<Result<HookTicket>> promise(HookMessage message, Deadline deadline) = 0;
  virtual void happened(HookTicket ticket) noexcept = 0;
  virtual void withdraw(HookTicket ticket) noexcept = 0;

  // post_receive: how far a running upload is. Never lost sleep over: only the newest of an upload counts, and
  // it may be dropped. `stop` may be called once, on any thread, also when the upload is long over: the
  // upload is then ended and removed, and its request is answered with the response merged into ours.
  using StopUpload = std::function<void(std::optional<Response> response)>;
  virtual void progressed(HookMessage message, StopUpload stop) noexcept {
    (void)message;
    (void)stop;
  }
};

TUS_NAMESPACE_END
