// A walk through all uploads in the bucket.
#pragma once

#include "stores/s3/context.h"

#include <tus/store.h>

#include <string>
#include <vector>

namespace tus::s3 {

class Scan final : public UploadScan {
 public:
  // `context` must outlive it.
  Scan(Context& context, ScanOptions options) : context_(context), options_(options) {}

  Awaitable<Result<ScanPage>> next(Deadline deadline) override;

 private:
  struct Found {
    std::string object;
    std::string etag;                  // of its record
    std::chrono::sys_seconds changed;  // its record, or its `.part`
  };
  std::vector<Found> records_in(const std::vector<ListedObject>& objects);
  Awaitable<Status> look(Found found, ScanPage& page, Deadline deadline);
  Awaitable<Status> look_at_all(std::vector<Found> found, ScanPage& page, Deadline deadline);
  Awaitable<Status> find_left_overs(ScanPage& page, Deadline deadline);
  bool is_old(std::chrono::sys_seconds time) const {
    return !options_.idle_since || time < *options_.idle_since;
  }

  Context& context_;
  const ScanOptions options_;
  std::string after_;
  bool records_end_ = false;
  std::string key_marker_;
  std::string upload_marker_;
};

}  // namespace tus::s3
