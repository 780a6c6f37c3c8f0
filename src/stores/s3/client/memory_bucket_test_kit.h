// A bucket that keeps its objects in memory and behaves as S3 does, with the quirks of others and faults on demand.
#pragma once

#include "stores/s3/client/bucket.h"
#include "stores/s3/client/bucket_faults_test_kit.h"
#include "stores/s3/client/request_faults_test_kit.h"

#include <tus/clock.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::s3::test {

// Where servers that call themselves S3 differ from Amazon's, which is the default.
struct Quirks {
  Quirks() = default;

  std::uint64_t smallest_part = 5 << 20;  // of all but the last
  std::size_t page_size = 1000;           // of the three lists
  bool any_order = false;                 // Ceph: Complete sorts the parts itself
  bool complete_again = false;            // Ceph: a repeated Complete of the same parts succeeds
  std::size_t newest_parts_hidden =
      0;                       // a list that is late: it does not show so many of the newest parts
  bool no_conditions = false;  // Swift: If-Match and If-None-Match of PutObject are unsupported
  bool absent_is_changed =
      false;  // Ceph: If-Match of an object that is not there is 412 and not 404
  std::uint64_t smallest_copied_from = 0;  // AWS documents 5 MiB for ranges of UploadPartCopy
};

// Buckets are there when `buckets` names them; all are when it is empty.
struct MemoryBucketOptions {
  MemoryBucketOptions() = default;

  Quirks quirks;
  std::set<std::string> buckets;
};

// Every request does something later than it was sent, and is answered later than it was done.
class MemoryBucket final : public Bucket {
 public:
  explicit MemoryBucket(const Clock& clock, MemoryBucketOptions options = {});

  // Which of the requests fail, and counts of them.
  BucketFaults& faults() noexcept { return faults_; }
  void set_quirks(Quirks quirks);

  // What is in it, looked at and changed without a request. Without a bucket's name: in whichever there is one.
  std::optional<std::string> peek(std::string_view key) const;
  std::optional<ObjectHeaders> peek_headers(std::string_view key) const;
  std::vector<std::string> keys() const;
  std::vector<MultipartName> multiparts() const;
  std::vector<PartLook> parts(std::string_view key) const;
  // All bytes of the parts of multipart uploads that are open for this key, by number.
  std::string part_bytes(std::string_view key) const;
  std::uint64_t bytes() const;  // of objects and parts
  void put_behind_the_back(const ObjectName& name, std::string bytes, ObjectHeaders headers = {});
  void delete_behind_the_back(std::string_view key);
  // All multipart uploads that are open for this key, as a rule for the life cycle of a bucket does.
  void abort_behind_the_back(std::string_view key);

  Awaitable<Answer<void>> check(std::string bucket, Deadline deadline) override;
  Awaitable<Answer<ObjectLook>> head_object(ObjectName name, Deadline deadline) override;
  Awaitable<Answer<std::optional<SmallObject>>> get_object(ObjectName name, std::size_t limit,
                                                           std::string unless,
                                                           Deadline deadline) override;
  Awaitable<Answer<std::unique_ptr<ObjectStream>>> open_object(ObjectName name,
                                                               std::optional<ByteRange> range,
                                                               Deadline deadline) override;
  Awaitable<Answer<std::string>> put_object(ObjectName name, Payload payload, ObjectHeaders headers,
                                            Condition condition, Deadline deadline) override;
  Awaitable<Answer<void>> delete_object(ObjectName name, Deadline deadline) override;
  Awaitable<Answer<std::string>> create_multipart(ObjectName name, ObjectHeaders headers,
                                                  Deadline deadline) override;
  Awaitable<Answer<std::string>> put_part(MultipartName upload, std::uint32_t number,
                                          Payload payload, Deadline deadline) override;
  Awaitable<Answer<std::string>> stream_part(MultipartName upload, std::uint32_t number,
                                             PartSource& source, Deadline deadline) override;
  Awaitable<Answer<std::string>> copy_part(MultipartName upload, std::uint32_t number,
                                           ObjectName from, ByteRange range,
                                           Deadline deadline) override;
  Awaitable<Answer<PartPage>> list_parts(MultipartName upload, std::uint32_t after,
                                         Deadline deadline) override;
  Awaitable<Answer<void>> complete_multipart(MultipartName upload, std::vector<PartTag> parts,
                                             Deadline deadline) override;
  Awaitable<Answer<void>> abort_multipart(MultipartName upload, Deadline deadline) override;
  Awaitable<Answer<ObjectPage>> list_objects(std::string bucket, std::string prefix,
                                             std::string after, Deadline deadline) override;
  Awaitable<Answer<MultipartPage>> list_multiparts(std::string bucket, std::string prefix,
                                                   std::string key_marker,
                                                   std::string upload_marker,
                                                   Deadline deadline) override;

 private:
  using Bytes = std::shared_ptr<const std::string>;
  using Name = std::pair<std::string, std::string>;  // bucket and key

  struct Object {
    Bytes bytes;
    ObjectHeaders headers;
    std::string etag;
    std::chrono::sys_seconds modified;
  };
  struct Part {
    std::string bytes;
    std::string etag;
    std::chrono::sys_seconds modified;
    std::uint64_t age = 0;  // a greater one came later
  };
  struct Multipart {
    std::string id;
    ObjectHeaders headers;
    std::chrono::sys_seconds initiated;
    std::map<std::uint32_t, Part> parts;
  };
  using Multiparts = std::map<std::pair<Name, std::string>, Multipart>;

  template <class T>
  Awaitable<Answer<T>> request(Request request, std::function<Answer<T>()> todo, Deadline deadline);
  static Awaitable<Answer<std::string>> take(PartSource& source, std::uint64_t count);

  Answer<void> check_bucket(const std::string& bucket) const;
  Answer<void> check_name(const ObjectName& name) const;
  Answer<void> check_condition(const ObjectName& name, const Condition& condition) const;
  Answer<Object*> find(const ObjectName& name);
  Answer<Multipart*> find(const MultipartName& upload);
  Answer<std::string> keep_part(const MultipartName& upload, std::uint32_t number,
                                std::string bytes);
  Answer<void> complete(const MultipartName& upload, std::vector<PartTag> parts);
  Answer<std::string> join(const Multipart& multipart, const std::vector<PartTag>& parts) const;
  PartPage page_of(const Multipart& multipart, std::uint32_t after) const;
  std::chrono::sys_seconds now() const;

  const Clock& clock_;
  BucketFaults faults_;
  RequestWay way_;

  mutable std::mutex mutex_;
  MemoryBucketOptions options_;
  std::map<Name, Object> objects_;
  Multiparts multiparts_;
  std::map<std::string, std::vector<PartTag>> completed_;  // by S3's id
  std::uint64_t made_ = 0;
};

}  // namespace tus::s3::test
