// What the store asks of S3, and nothing else: the client implements it, and so does the bucket of the tests.
#pragma once

#include <tus/async.h>
#include <tus/deadline.h>
#include <tus/store.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tus::s3 {

// What a caller has to decide on; what exactly went wrong is for the log.
enum class Trouble : std::uint8_t {
  missing,  // no such object or multipart upload (NoSuchKey and NoSuchUpload are told apart by nobody)
  changed,  // a condition (If-Match, If-None-Match) does not hold
  bad_parts,  // a multipart upload cannot be completed of these parts: one is unknown, too small, out of order
  too_large,  // more than the caller wanted to hold
  refused,  // it will be refused again until an operator has mended something: rights, clock, bucket, region
  full,         // a quota of the bucket or of its owner
  unsupported,  // this S3 does not know it
  unavailable,  // no answer or a bad one, after every attempt that the deadline had room for. It may have been done.
};

struct Failure {
  Failure(Trouble what, std::string text) : trouble(what), detail(std::move(text)) {}

  Trouble trouble;
  std::string detail;  // operation, key, status, S3's code and request id. For the log only
};

template <class T>
using Answer = std::expected<T, Failure>;

inline std::unexpected<Failure> trouble(Trouble what, std::string detail) {
  return std::unexpected(Failure(what, std::move(detail)));
}

struct ObjectName {
  std::string bucket;
  std::string key;
};

// A multipart upload, which becomes the object `name` when it is completed.
struct MultipartName {
  ObjectName name;
  std::string upload;  // S3's id of it
};

// User metadata: names without "x-amz-meta-", in lower case where they come from S3; values of printable ASCII.
using UserMetadata = std::vector<std::pair<std::string, std::string>>;

// What an object is made with. Empty strings are not sent.
struct ObjectHeaders {
  std::string content_type;
  std::string content_disposition;
  std::string cache_control;
  std::string storage_class;
  UserMetadata metadata;
};

struct ObjectLook {
  std::uint64_t size = 0;
  std::string etag;  // with its quotes, ready for a condition
  std::chrono::sys_seconds last_modified;
  UserMetadata metadata;
};

struct SmallObject {
  ObjectLook look;
  std::string bytes;
};

// For put_object(). An etag as it came; at most one of the two.
struct Condition {
  std::optional<std::string> if_match;
  bool if_absent = false;
};

// Bytes to send, in this order. What they point to stays until the call returns.
struct Payload {
  std::vector<std::span<const std::byte>> pieces;

  std::uint64_t size() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& piece : pieces) sum += piece.size();
    return sum;
  }
};

// A part that is sent while its bytes come. It cannot be sent a second time.
class PartSource {
 public:
  virtual ~PartSource() = default;
  virtual std::uint64_t size() const noexcept = 0;
  // Some of the bytes, valid until the next call. Empty before size() bytes were given: no more will come,
  // and the part is given up.
  virtual Awaitable<std::span<const std::byte>> next() = 0;
};

struct PartLook {
  std::uint32_t number = 0;  // 1 to 10,000
  std::uint64_t size = 0;
  std::string etag;
  std::chrono::sys_seconds last_modified;
};

struct PartPage {
  std::vector<PartLook> parts;  // by number
  bool at_end = true;
};

struct PartTag {
  std::uint32_t number = 0;
  std::string etag;
};

struct ListedObject {
  std::string key;
  std::uint64_t size = 0;
  std::string etag;
  std::chrono::sys_seconds last_modified;
};

struct ObjectPage {
  std::vector<ListedObject> objects;  // by key
  bool at_end = true;
};

struct ListedMultipart {
  std::string key;
  std::string upload;
  std::chrono::sys_seconds initiated;
};

struct MultipartPage {
  std::vector<ListedMultipart> uploads;  // by key
  bool at_end = true;
  // To be given to the next call.
  std::string key_marker;
  std::string upload_marker;
};

// Bytes of an object as they come. Used by one coroutine; it may be given up at any time.
class ObjectStream {
 public:
  virtual ~ObjectStream() = default;
  virtual const ObjectLook& look() const noexcept = 0;  // its size is that of the whole object
  // Up to into.size() bytes; 0 at the end of the range. A connection that breaks is not the end: a failure.
  virtual Awaitable<Answer<std::size_t>> read(std::span<std::byte> into, Deadline deadline) = 0;
};

// Calls may be made from any serial executor, concurrently, and resume there. Every call ends soon after its
// deadline. Attempts that failed are repeated inside of it where another may help, so whatever changes
// something may be done twice, and may have been done when the answer is `unavailable`.
class Bucket {
 public:
  virtual ~Bucket() = default;

  // Whether the bucket is there and may be used.
  virtual Awaitable<Answer<void>> check(std::string bucket, Deadline deadline) = 0;

  virtual Awaitable<Answer<ObjectLook>> head_object(ObjectName name, Deadline deadline) = 0;
  // At most `limit` bytes (else too_large). With `unless`, an etag: nothing when the object still has it.
  virtual Awaitable<Answer<std::optional<SmallObject>>> get_object(ObjectName name,
                                                                   std::size_t limit,
                                                                   std::string unless,
                                                                   Deadline deadline) = 0;
  virtual Awaitable<Answer<std::unique_ptr<ObjectStream>>> open_object(
      ObjectName name, std::optional<ByteRange> range, Deadline deadline) = 0;
  // Its etag.
  virtual Awaitable<Answer<std::string>> put_object(ObjectName name, Payload payload,
                                                    ObjectHeaders headers, Condition condition,
                                                    Deadline deadline) = 0;
  // Also when there is none.
  virtual Awaitable<Answer<void>> delete_object(ObjectName name, Deadline deadline) = 0;

  // S3's id of the multipart upload.
  virtual Awaitable<Answer<std::string>> create_multipart(ObjectName name, ObjectHeaders headers,
                                                          Deadline deadline) = 0;
  // Takes the place of an earlier part with this number. Its etag.
  virtual Awaitable<Answer<std::string>> put_part(MultipartName upload, std::uint32_t number,
                                                  Payload payload, Deadline deadline) = 0;
  // One attempt. `source` lives until the call returns, and is used on the caller's executor.
  virtual Awaitable<Answer<std::string>> stream_part(MultipartName upload, std::uint32_t number,
                                                     PartSource& source, Deadline deadline) = 0;
  virtual Awaitable<Answer<std::string>> copy_part(MultipartName upload, std::uint32_t number,
                                                   ObjectName from, ByteRange range,
                                                   Deadline deadline) = 0;
  // Up to 1,000 parts with numbers behind `after`.
  virtual Awaitable<Answer<PartPage>> list_parts(MultipartName upload, std::uint32_t after,
                                                 Deadline deadline) = 0;
  // The etag of the object is not told: it is empty or wrong with some. 200 with an error in the body is a failure.
  virtual Awaitable<Answer<void>> complete_multipart(MultipartName upload,
                                                     std::vector<PartTag> parts,
                                                     Deadline deadline) = 0;
  // Also when there is none.
  virtual Awaitable<Answer<void>> abort_multipart(MultipartName upload, Deadline deadline) = 0;

  // Up to 1,000 objects whose keys begin with `prefix` and come behind `after`.
  virtual Awaitable<Answer<ObjectPage>> list_objects(std::string bucket, std::string prefix,
                                                     std::string after, Deadline deadline) = 0;
  // Up to 1,000, behind the two markers of the page before (empty: from the beginning).
  virtual Awaitable<Answer<MultipartPage>> list_multiparts(std::string bucket, std::string prefix,
                                                           std::string key_marker,
                                                           std::string upload_marker,
                                                           Deadline deadline) = 0;
};

}  // namespace tus::s3
