// Any bucket, also one of a real server, with the faults of a test before it, and with an end to its room.
#pragma once

#include "stores/s3/client/request_faults_test_kit.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tus::s3::test {

// What lies in a bucket by the requests that went through. Servers have quotas, but count late and not to the byte.
// Any thread.
class UsedRoom {
 public:
  // Beyond so many bytes of objects and parts, but for records (".info"), there is no room.
  void limit(std::uint64_t bytes);

  // Ahead of a request, for an object or a part; it takes the place of what was there, the size of which is returned.
  // Nothing: no room.
  std::optional<std::uint64_t> take(const std::string& place, std::uint64_t bytes);
  // The request has failed.
  void put_back(const std::string& place, std::uint64_t bytes);
  void free(const std::string& place);
  void free_parts(const MultipartName& upload);
  void join(const MultipartName& upload, const std::vector<PartTag>& parts);

 private:
  void free_parts_locked(const MultipartName& upload);

  std::mutex mutex_;
  std::optional<std::uint64_t> limit_;
  std::map<std::string, std::uint64_t> sizes_;
};

// Faults keep requests away from the bucket behind it, or their answers from the caller. `breaks_off` is `fails` here,
// and a stream is not done twice.
class FaultyBucket final : public Bucket {
 public:
  // The clock, that of deadlines, has to outlive it.
  FaultyBucket(std::shared_ptr<Bucket> inner, const Clock& clock)
      : inner_(std::move(inner)), way_(faults_, clock) {}

  BucketFaults& faults() noexcept { return faults_; }
  UsedRoom& room() noexcept { return room_; }
  // S3 gives parts to nobody. So: what was sent through here and has the etag, the MD5, that the bucket lists.
  std::optional<std::string> sent_as(const MultipartName& upload, const PartLook& part) const;

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
  using PartId = std::pair<std::string, std::uint32_t>;  // upload and number

  template <class T>
  Awaitable<Answer<T>> request(Request request, std::function<Awaitable<Answer<T>>()> send,
                               Deadline deadline);
  // Sends what needs room, if there is some.
  Awaitable<Answer<std::string>> into(std::string place, std::uint64_t bytes,
                                      Awaitable<Answer<std::string>> sending);
  Awaitable<Answer<std::string>> send_part(MultipartName upload, std::uint32_t number,
                                           std::string bytes,
                                           Awaitable<Answer<std::string>> sending);
  Awaitable<Answer<std::string>> send_stream(MultipartName upload, std::uint32_t number,
                                             PartSource& source, Deadline deadline);
  Awaitable<Answer<std::string>> send_copy(MultipartName upload, std::uint32_t number,
                                           ObjectName from, ByteRange range, Deadline deadline);
  Awaitable<Answer<void>> counted(Awaitable<Answer<void>> sending, std::function<void()> count);
  void remember(const MultipartName& upload, std::uint32_t number, const std::string& bytes);

  const std::shared_ptr<Bucket> inner_;
  BucketFaults faults_;
  RequestWay way_;
  UsedRoom room_;
  mutable std::mutex mutex_;
  std::map<PartId, std::map<std::string, std::string>> sent_;  // by etag
};

}  // namespace tus::s3::test
