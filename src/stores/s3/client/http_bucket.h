// Bucket over HTTP.
#pragma once

#include "stores/s3/client/calls.h"

#include <atomic>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tus::s3 {

class HttpBucket final : public Bucket {
 public:
  // Error: a sentence that tells the operator which option to change.
  static std::expected<std::unique_ptr<HttpBucket>, std::string> make(ClientOptions options,
                                                                      ClientParts parts);

  // What keeps this bucket from being used, as one sentence that says what to mend.
  Awaitable<std::expected<void, std::string>> check_start(std::string bucket, Deadline deadline);

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
  HttpBucket(ClientOptions options, Endpoint endpoint, ClientParts parts);
  Awaitable<std::expected<net::HttpReply, CallFailure>> send_stream(const Call& call,
                                                                    PartSource& source,
                                                                    Deadline deadline,
                                                                    CallReport& report);
  Deadline stall_deadline(const Call& call, Deadline deadline) const;
  Awaitable<std::optional<CallFailure>> try_bucket(const std::string& bucket, Deadline deadline);
  std::optional<Failure> add_headers(Call& call, const ObjectHeaders& headers) const;

  Calls calls_;
  std::atomic<bool> bare_if_match_ = false;  // this S3 wants an etag without its quotes there
};

}  // namespace tus::s3
