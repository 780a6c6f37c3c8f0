// Mounts resumable uploads in a program: give it exchanges, it answers them.
#pragma once

#include <tus/async.h>
#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/cors.h>
#include <tus/exchange.h>
#include <tus/hooks.h>
#include <tus/live_settings.h>
#include <tus/location.h>
#include <tus/locker.h>
#include <tus/logger.h>
#include <tus/metrics_sink.h>
#include <tus/store.h>
#include <tus/upload_digest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

TUS_NAMESPACE_BEGIN

// Which uploads end when a store with a limit has no room for a new one.
enum class EvictOrder : std::uint8_t {
  none,     // none: the new one is refused
  biggest,  // those that take most
  oldest,   // those that got no bytes for longest
};

struct HandlerOptions {
  HandlerOptions() = default;

  std::string base_path = "/files/";  // path under which uploads live; begins and ends with '/'
  LocationOptions location;           // how clients are told where an upload is
  std::uint64_t max_size = 0;         // bytes; 0: no limit
  // Made while the bytes come, and told as Repr-Digest. Bytes are then never moved without being looked at.
  WholeDigest digest = WholeDigest::none;
  std::chrono::milliseconds acquire_lock_timeout{20'000};
  std::chrono::milliseconds store_timeout{60'000};  // one store call other than append
  std::chrono::milliseconds finish_wait{15'000};    // how long a request waits for the finish
  std::chrono::milliseconds finish_retry_delay{
      1'000};                        // doubles with every failure, up to 5 minutes
  unsigned finish_attempts = 20;     // then the upload is abandoned, visibly
  bool concatenation = true;         // parallel uploads are joined, where the store can do that
  bool remove_joined_parts = false;  // once a final upload is finished
  // Unfinished uploads that have got no bytes for so long are refused (410), and removed by the next sweep.
  // 0: never.
  std::chrono::seconds expire_after{0};
  // A sweep also removes what is as old and belongs to no upload. See Store::remove_left_over().
  bool remove_left_overs = true;
  EvictOrder evict = EvictOrder::none;
  bool evict_finished = false;  // finished uploads, too
  // How often post_receive is told while bytes of an upload come.
  std::chrono::milliseconds progress_interval{1'000};
  // How long a permission of pre_access counts for the same upload and a request that says the same of who
  // asks. 0: every request is asked for.
  std::chrono::milliseconds access_cache{0};
  bool allow_download = true;
  bool allow_termination = true;
  bool allow_termination_of_finished = true;
  std::optional<CorsOptions> cors;     // none: no fields for pages of other origins
  std::shared_ptr<LiveSettings> live;  // when set, its values count instead of those above
};

// What a sweep has removed.
struct SweepReport {
  std::uint64_t uploads = 0;
  std::uint64_t upload_bytes = 0;
  std::uint64_t left_overs = 0;  // of uploads that never were, or are no more
  std::uint64_t left_over_bytes = 0;
  std::uint64_t locks = 0;  // of processes that are dead
};

// The parts a handler works with. The handler keeps them alive; they may be shared between handlers.
struct HandlerParts {
  HandlerParts() = default;

  std::shared_ptr<Store> store;    // required
  std::shared_ptr<Locker> locker;  // required
  std::shared_ptr<Hooks> hooks;    // none: no hooks
  std::shared_ptr<Clock> clock;    // none: the system's
  std::shared_ptr<Logger> logger;  // none: silent
  std::shared_ptr<MetricsSink> metrics;
};

class TUS_EXPORT Handler {
 public:
  // `background` runs finishes that outlive their request; it must run until close() has returned.
  // Throws std::invalid_argument when a required part is missing or an option makes no sense.
  Handler(HandlerOptions options, HandlerParts parts, asio::any_io_executor background);
  ~Handler();
  Handler(const Handler&) = delete;
  Handler& operator=(const Handler&) = delete;

  // Answers one request. Any executor, concurrently; `exchange` must live until it returns. Does not
  // throw for anything a client or a store does.
  Awaitable<void> handle(Exchange& exchange);

  // Answers one request with an error that its server has found, as handle() would.
  Awaitable<void> refuse(Exchange& exchange, ErrorCode why);

  // Takes up, in the background, finishes that an earlier process left behind, and sweeps from time to time
  // when uploads expire. Call once, before or while serving.
  void recover();

  // One pass over the store: removes what has expired, and left-overs. recover() makes such passes from time
  // to time by itself, and gently; this one is for a program that does nothing else. Errors: those of the
  // store; not_implemented when expire_after is 0.
  Awaitable<Result<SweepReport>> sweep();

  // A stop is coming: a finish that fails from now on is left to the next start, and requests that wait
  // for it are answered. Any thread.
  void begin_close() noexcept;

  // No new finish is started. Running ones are waited for, even past the deadline (which is then logged):
  // inside the store or a hook they still use what the handler is made of, and those have deadlines of
  // their own. After it only the destructor may be called.
  Awaitable<void> close(Deadline deadline);

  // The comma-separated list of extensions, as in Tus-Extension.
  std::string extensions() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

TUS_NAMESPACE_END
