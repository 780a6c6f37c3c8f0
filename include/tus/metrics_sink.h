// What happens, as numbers. All calls come from any thread and must be cheap: some are made for every piece of a
// body, so they take no lock and no memory.
#pragma once

#include <tus/error.h>
#include <tus/export.h>
#include <tus/upload_info.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

TUS_NAMESPACE_BEGIN

enum class HookEvent : std::uint8_t;

// How bytes went between a socket and where they belong.
enum class BytePath : std::uint8_t {
  spliced,  // by the kernel alone
  copied,   // through our memory
};

enum class LockOutcome : std::uint8_t {
  granted,
  refused,    // the holder cannot be stopped now, or its request came later
  timed_out,  // nobody gave way in time
  failed,     // the locker does not work
};

// What there was too much of when somebody was refused.
enum class Refusal : std::uint8_t {
  no_descriptor,  // the process had none left
  connections,    // max_connections
  per_address,    // max_connections_per_address
  uploads,        // max_uploads_per_address
};

// What brings messages to hooks.
enum class HookTransport : std::uint8_t {
  file,  // programs
  http,
};
inline constexpr std::size_t hook_transport_count = 2;

enum class HookOutcome : std::uint8_t { good, failed };

enum class SyncTarget : std::uint8_t { data, directory };
enum class SyncOutcome : std::uint8_t { safe, failed };

// One request for a handler, once its answer is out, or will not be.
struct RequestFigures {
  std::string_view method;  // after X-HTTP-Method-Override
  int status = 0;
  std::chrono::nanoseconds duration{0};  // since its head was here
};

class TUS_EXPORT MetricsSink {
 public:
  virtual ~MetricsSink() = default;

  virtual void request(std::string_view method) noexcept = 0;  // after X-HTTP-Method-Override
  virtual void error(ErrorCode code) noexcept = 0;             // once per response that carries one
  virtual void bytes_received(std::uint64_t bytes) noexcept = 0;
  virtual void upload_created(const UploadInfo& upload) noexcept = 0;
  virtual void upload_finished(const UploadInfo& upload) noexcept = 0;
  virtual void upload_terminated(const UploadInfo& upload) noexcept = 0;
  virtual void connection_opened() noexcept = 0;
  virtual void connection_closed() noexcept = 0;

  // Who does not want to know the following overrides nothing.

  // Connections and requests, by the server. A refused connection is answered 503 without being read;
  // one that is shed was closed while it waited for a request, so that another one could come.
  virtual void connection_refused(Refusal) noexcept {}
  virtual void connection_shed() noexcept {}
  virtual void request_refused(Refusal) noexcept {}  // before its body was read
  virtual void request_begun() noexcept {}
  virtual void request_ended() noexcept {}  // of those that had begun
  virtual void request_done(const RequestFigures&) noexcept {}
  virtual void request_rejected(int) noexcept {
  }  // with a status, before anybody saw what it wanted
  // Bytes of bodies that were given to a store, and of downloads; one call a piece.
  virtual void body_moved(BytePath, std::uint64_t) noexcept {}
  virtual void content_moved(BytePath, std::uint64_t) noexcept {}
  // How long after its head the first byte of a body was given to the store.
  virtual void first_byte_stored(std::chrono::nanoseconds) noexcept {}
  // How late an event loop comes to what is due; measured now and then.
  virtual void loop_was_late(std::chrono::nanoseconds) noexcept {}

  // Uploads, by the handler.
  virtual void lock_waited(LockOutcome, std::chrono::nanoseconds) noexcept {}
  virtual void upload_taken_over() noexcept {}  // a newer request ended the body of an older one
  virtual void finish_failed() noexcept {}      // an attempt, which may be repeated
  virtual void upload_abandoned() noexcept {}   // the last attempt
  // Asked hooks are counted by the handler; what delivers notifications counts those.
  virtual void hook_called(HookEvent) noexcept {}
  virtual void hook_failed(HookEvent) noexcept {}
  // Each call of a transport, with all its attempts, by what makes it.
  virtual void hook_took(HookTransport, HookEvent, HookOutcome, std::chrono::nanoseconds) noexcept {
  }
  // A notification that was tried for too long and was set aside.
  virtual void hook_given_up(HookEvent) noexcept {}

  // A sweep has removed an upload, or what belonged to none, with so many bytes.
  virtual void upload_expired(std::uint64_t bytes) noexcept { (void)bytes; }
  virtual void left_over_removed(std::uint64_t bytes) noexcept { (void)bytes; }
  virtual void upload_evicted() noexcept {}  // to make room for others; it is terminated, too

  // By stores.
  virtual void synced(SyncTarget, SyncOutcome, std::chrono::nanoseconds) noexcept {}
};

class TUS_EXPORT NoMetrics final : public MetricsSink {
 public:
  void request(std::string_view) noexcept override {}
  void error(ErrorCode) noexcept override {}
  void bytes_received(std::uint64_t) noexcept override {}
  void upload_created(const UploadInfo&) noexcept override {}
  void upload_finished(const UploadInfo&) noexcept override {}
  void upload_terminated(const UploadInfo&) noexcept override {}
  void connection_opened() noexcept override {}
  void connection_closed() noexcept override {}
};

TUS_NAMESPACE_END
