// Object storage as S3 sees it, in memory: whole objects, and multipart uploads of immutable parts.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/error.h>
#include <tus/upload_info.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

namespace testing {

struct FakeBucketOptions {
  FakeBucketOptions() = default;
  std::size_t smallest_part = 5;  // of a completed multipart upload; the last part may be smaller
  std::uint64_t max_bytes = 0;    // 0: no limit
};

// Requests take their time: each completes later, on the executor of the coroutine that made it. Any
// thread. Outlives the stores that use it, as a bucket does.
class FakeBucket {
 public:
  explicit FakeBucket(FakeBucketOptions options = {}) : options_(options) {}

  // The state of an upload: stands for its .info object. What changes an upload says under which token,
  // and is refused (lease_lost) once claim() came with a younger one, as a conditional request would be.
  struct Record {
    UploadInfo info;
    std::optional<std::size_t> pending_parts;  // parts that count while an append is staged
    int live_rest = 0;                         // which of the two .part objects counts
    std::uint64_t token = 0;
    std::uint64_t version = 0;  // grows with every put
    bool going = false;  // being terminated: no upload any more, only something to be cleared away
  };
  // Takes the place of a record that is going.
  Awaitable<Status> create_record(Record record);
  Awaitable<Status> put_record(Record record);
  Awaitable<Status> claim(UploadId id, std::uint64_t token);
  Awaitable<Result<Record>> get_record(UploadId id);
  Awaitable<Status> delete_record(UploadId id);

  // What is too small for a part: the bytes behind part number `after`. Rewritable.
  struct Rest {
    std::size_t after = 0;
    std::string bytes;
  };
  Awaitable<Status> put_rest(UploadId id, int which, Rest rest, std::uint64_t token);
  Awaitable<Result<std::optional<Rest>>> get_rest(UploadId id, int which);
  Awaitable<Status> delete_rests(UploadId id);

  // A part is written once.
  Awaitable<Status> put_part(UploadId id, std::size_t number, std::string bytes,
                             std::uint64_t token);
  Awaitable<Result<std::vector<std::uint64_t>>> part_sizes(UploadId id);
  Awaitable<Status> delete_parts_from(UploadId id, std::size_t number, std::uint64_t token);

  // What becomes of each complete() from now on.
  enum class Fault : std::uint8_t {
    none,
    fails,        // nothing is done
    answer_lost,  // done, and reported as failed
    hangs,        // nothing is done, and no answer comes before the deadline
  };
  void fail_completes(Fault fault);
  // Makes the object of all parts.
  Awaitable<Status> complete(UploadId id, std::uint64_t token, Deadline deadline);
  Awaitable<Result<std::optional<std::uint64_t>>> object_size(UploadId id);
  Awaitable<Result<std::string>> get_object(UploadId id, std::uint64_t first, std::uint64_t count);
  Awaitable<Status> delete_object(UploadId id);

  Awaitable<Result<std::vector<UploadId>>> ids_behind(std::string cursor, std::size_t most);
  // Stands for a list of small objects, one for each pending join.
  Awaitable<Result<std::vector<UploadId>>> ids_of_joins();
  std::uint64_t bytes() const;
  std::uint64_t uploads() const;
  void limit(std::uint64_t max_bytes);
  // After so many more requests nothing is done any more, and each fails, until revive().
  void die_after(int requests);
  void revive();
  // So many requests fail from now on.
  void fail_next(int requests);
  // All bytes of an upload that count, without asking the store. For tests.
  std::string peek(const UploadId& id) const;

 private:
  std::uint64_t bytes_locked() const;
  bool fits_locked(std::uint64_t more) const;
  Status admit_locked();
  // Whether the holder of the token may change the upload.
  Status owns_locked(const UploadId& id, std::uint64_t token) const;

  mutable std::mutex mutex_;
  FakeBucketOptions options_;
  Fault fault_ = Fault::none;
  std::optional<int> requests_left_;
  int requests_to_fail_ = 0;
  std::map<UploadId, Record> records_;
  std::map<std::pair<UploadId, int>, Rest> rests_;
  std::map<UploadId, std::map<std::size_t, std::string>> parts_;
  std::map<UploadId, std::string> objects_;
};

}  // namespace testing

TUS_NAMESPACE_END
