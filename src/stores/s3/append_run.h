// One body on its way into the bucket.
#pragma once

#include "async/task_group.h"
#include "stores/s3/nudge.h"
#include "stores/s3/part_source.h"
#include "stores/s3/work.h"

#include <tus/body_source.h>
#include <tus/s3_metrics.h>
#include <tus/store.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace tus::s3 {

// Where parts go, and what becomes of bytes that make none.
enum class PartsGo : std::uint8_t {
  into_the_upload,  // what is left over becomes `.part`
  aside,  // a multipart upload that is made with the first part; what is left over stays in memory
};

// Lives in the frame of the call that runs it, all of it on one executor.
class AppendRun {
 public:
  // All must outlive it.
  AppendRun(Work& work, const Lease& lease, BodySource& source, PartsGo where);

  // Until the body ends or something fails. No task is left when it returns, and error() says what failed.
  Awaitable<void> run();

  BodyState body() const noexcept { return body_; }
  std::optional<Error>& error() noexcept { return error_; }
  // Where its bytes end, kept or not.
  std::uint64_t end() const noexcept { return begun_ ? bytes_.end() : start_; }

  // Of a run that has put parts aside: where, which, and the bytes behind them.
  struct Aside {
    explicit Aside(ByteRun behind) : tail(std::move(behind)) {}

    MultipartName upload;
    std::vector<StoredPart> parts;
    std::uint64_t start = 0;
    std::uint64_t first_size = 0;  // that its sizes follow
    ByteRun tail;
  };
  Aside take_aside();

 private:
  Awaitable<void> take_bytes();
  Awaitable<bool> something_comes();
  // Makes ready for the bytes of a part. False when it failed, or has sent the part already.
  Awaitable<bool> begin_part();
  Awaitable<bool> begin();
  Awaitable<Status> claim(Deadline deadline);
  bool makes_first_part() const;
  std::uint64_t plan_part() const;
  std::uint64_t known_end() const noexcept;
  bool can_stream(std::uint64_t size) const;
  Awaitable<void> stream_part(std::uint64_t size);
  Awaitable<bool> make_whole();
  Awaitable<void> send_part();
  Awaitable<bool> make_aside();
  Awaitable<void> carry(std::uint32_t number, std::unique_ptr<Slice> slice);
  Awaitable<Result<std::string>> put(std::uint32_t number, const Slice& slice);
  bool has_all_taken();
  bool size_is_on_record();
  void count_arrived();
  Awaitable<void> count_parts();
  Awaitable<void> keep_the_rest();
  Awaitable<void> mark_the_end();
  void start_watch();
  Awaitable<void> watch();
  Awaitable<void> watch_aside();
  Awaitable<void> spill(SpillReason why);
  void fail_with(Error error);

  Work& work_;
  Context& context_;
  const Lease& lease_;
  BodySource& source_;
  const PartsGo where_;
  const std::uint64_t start_;

  BodyState body_ = BodyState::open;
  std::optional<Error> error_;
  bool begun_ = false;
  std::uint64_t part_size_ = 0;  // of the part whose bytes come now; 0: none has begun
  std::uint64_t first_size_ = 0;
  ByteRun bytes_;                // behind the parts that were sent
  std::uint64_t taken_end_ = 0;  // behind the last byte that came, wherever it is now
  // Parts that were sent, here or before, arrived or not.
  std::uint32_t sent_ = 0;
  std::uint64_t sent_end_ = 0;
  std::uint32_t sent_before_ = 0;
  unsigned in_flight_ = 0;
  std::map<std::uint32_t, StoredPart> arrived_;
  MultipartName aside_;

  Nudge landed_;  // a part has arrived, or failed
  std::shared_ptr<Nudge> nudge_ = std::make_shared<Nudge>();
  Budget::Holder holder_;
  bool watching_ = false;
  bool over_ = false;
  bool broken_off_ = false;  // a part that was sent while it came
  std::optional<asio::any_io_executor> executor_;
  std::chrono::steady_clock::time_point last_bytes_;
  // Others have asked for the memory of a part that is staged.
  std::optional<std::chrono::steady_clock::time_point> wanted_since_;
  TaskGroup tasks_;
};

}  // namespace tus::s3
