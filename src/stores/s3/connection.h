// The client that a store talks to S3 with, and what it is made of.
#pragma once

#include "net/http_client.h"
#include "stores/s3/client/http_bucket.h"

#include <tus/s3_store.h>

#include <expected>
#include <memory>
#include <string>

namespace tus::s3 {

class Connection {
 public:
  // All of `parts` but the metrics are set.
  static std::expected<std::unique_ptr<Connection>, std::string> make(const S3StoreOptions& options,
                                                                      const S3StoreParts& parts);

  const std::shared_ptr<HttpBucket>& bucket() const noexcept { return bucket_; }

  // Once; nothing is asked any more.
  Awaitable<void> close(Deadline deadline);

 private:
  Connection(const S3StoreOptions& options, const S3StoreParts& parts);

  net::HttpClient requests_;
  // Downloads hold their connection as long as a client reads: they must not keep others from theirs.
  net::HttpClient downloads_;
  std::shared_ptr<HttpBucket> bucket_;
};

}  // namespace tus::s3
