// The store of tus/s3_store.h, for who keeps more than uploads in its bucket.
#pragma once

#include "stores/s3/client/bucket.h"

#include <tus/s3_store.h>

#include <expected>
#include <memory>
#include <string>

namespace tus::s3 {

struct ConnectedStore {
  std::shared_ptr<S3Store> store;
  // What the store asks. For others until the store is closed.
  std::shared_ptr<Bucket> bucket;
  ObjectName outbox;  // bucket, and beginning of the keys of events that wait
};

// As make_s3_store().
std::expected<ConnectedStore, std::string> connect_store(S3StoreOptions options,
                                                         S3StoreParts parts);

}  // namespace tus::s3
