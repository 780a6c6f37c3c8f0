// The store with a client of its own: tus/s3_store.h.
#include "net/http_client.h"
#include "stores/s3/bucket_store.h"
#include "stores/s3/client/http_bucket.h"
#include "stores/s3/connected_store.h"
#include "stores/s3/connection.h"

#include <tus/s3_store.h>

#include <algorithm>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

s3::StoreOptions store_options(const S3StoreOptions& said) {
  s3::StoreOptions options;
  options.bucket = said.bucket;
  options.object_prefix = said.object_prefix;
  options.metadata_prefix = said.metadata_object_prefix;
  options.storage_class = said.storage_class;
  options.cache_control = said.cache_control;
  options.content_disposition = said.content_disposition;
  options.parts.smallest = said.min_part_size;
  options.parts.preferred = std::max(said.part_size, said.min_part_size);
  options.max_memory = said.max_memory;
  options.parts_in_flight = said.concurrent_part_uploads;
  options.parts_of_an_upload = said.max_buffered_parts;
  options.request_timeout = said.request_timeout;
  options.instances = said.single_instance ? s3::Instances::one : s3::Instances::several;
  return options;
}

class OwnStore final : public S3Store {
 public:
  OwnStore(std::unique_ptr<s3::Connection> connection, S3StoreOptions options, S3StoreParts parts)
      : connection_(std::move(connection)),
        bucket_(options.bucket),
        inner_(std::make_unique<s3::Context>(connection_->bucket(), store_options(options),
                                             std::move(parts.clock), std::move(parts.logger),
                                             std::move(parts.metrics))) {}

  Awaitable<std::expected<void, std::string>> check(Deadline deadline) override {
    return connection_->bucket()->check_start(bucket_, deadline);
  }
  S3Figures figures() const noexcept override { return inner_.figures(); }
  Awaitable<Result<S3RepairReport>> repair(S3RepairOptions options) override {
    return inner_.repair(std::move(options));
  }
  Awaitable<void> close(Deadline deadline) override {
    co_await inner_.close(deadline);
    co_await connection_->close(deadline);
  }

  StoreCapabilities capabilities() const noexcept override { return inner_.capabilities(); }
  Awaitable<Result<UploadDraft>> place(UploadDraft draft, Deadline deadline) override {
    return inner_.place(std::move(draft), deadline);
  }
  Awaitable<void> give_up_place(UploadDraft draft, Deadline deadline) override {
    return inner_.give_up_place(std::move(draft), deadline);
  }
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override {
    return inner_.create(std::move(draft), lease, first, deadline);
  }
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override {
    return inner_.open(std::move(id), lease, deadline);
  }
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override {
    return inner_.inspect(std::move(id), deadline);
  }
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override {
    return inner_.read(std::move(id), range, deadline);
  }
  std::unique_ptr<UploadScan> scan(ScanOptions options) override { return inner_.scan(options); }
  Awaitable<Result<std::optional<std::uint64_t>>> remove_left_over(
      UploadId id, const Lease& lease, std::chrono::sys_seconds idle_since,
      Deadline deadline) override {
    return inner_.remove_left_over(std::move(id), lease, idle_since, deadline);
  }
  Awaitable<Result<std::vector<UploadId>>> pending_joins(Deadline deadline) override {
    return inner_.pending_joins(deadline);
  }
  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override { return inner_.usage(deadline); }
  Awaitable<Status> health(Deadline deadline) override { return inner_.health(deadline); }

 private:
  std::unique_ptr<s3::Connection> connection_;
  const std::string bucket_;
  s3::BucketStore inner_;
};

}  // namespace

TUS_NAMESPACE_END

namespace tus::s3 {

std::expected<ConnectedStore, std::string> connect_store(S3StoreOptions options,
                                                         S3StoreParts parts) {
  if (!parts.clock) parts.clock = std::make_shared<SystemClock>();
  if (!parts.logger) parts.logger = std::make_shared<NoLogger>();
  auto connection = Connection::make(options, parts);
  if (!connection) return std::unexpected(std::move(connection.error()));
  ConnectedStore connected;
  connected.bucket = (*connection)->bucket();
  connected.outbox = Names(store_options(options)).outbox();
  connected.store =
      std::make_shared<OwnStore>(*std::move(connection), std::move(options), std::move(parts));
  return connected;
}

}  // namespace tus::s3

TUS_NAMESPACE_BEGIN

std::expected<std::shared_ptr<S3Store>, std::string> make_s3_store(S3StoreOptions options,
                                                                   S3StoreParts parts) {
  auto connected = s3::connect_store(std::move(options), std::move(parts));
  if (!connected) return std::unexpected(std::move(connected.error()));
  return std::move(connected->store);
}

TUS_NAMESPACE_END
