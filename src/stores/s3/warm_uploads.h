// What the store remembers of uploads between requests.
#pragma once

#include "stores/s3/byte_run.h"
#include "stores/s3/state.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace tus::s3 {

// An upload as the last request has left it.
struct Warm {
  State state;
  // The bytes of `.part`, so that they need not be fetched for the next part. Empty: they were forgotten.
  std::optional<ByteRun> tail;
};

// What is known of one without having it.
struct Glance {
  UploadInfo info;
  std::string object;
  std::string etag;  // of the record
};

// Shared by all who have an upload open in this process.
struct Presence {
  std::atomic<std::uint64_t> latest = 0;  // only who opened it last leaves something to remember
  std::atomic<bool> gone = false;
};

// Any thread.
class WarmUploads {
 public:
  explicit WarmUploads(std::size_t most) : most_(most) {}

  std::shared_ptr<Presence> presence(const UploadId& id);

  std::optional<Warm> take(const UploadId& id);
  // Of one that nobody has open.
  std::optional<Glance> look(const UploadId& id) const;
  void put(Warm warm);
  void forget(const UploadId& id);

  // Of the upload that was remembered first of those that have some. False: there are none.
  bool forget_a_tail();

 private:
  struct Entry {
    Warm warm;
    std::list<std::string>::iterator place;
  };

  const std::size_t most_;
  mutable std::mutex mutex_;
  std::list<std::string> order_;  // the first was remembered first
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<std::string, std::weak_ptr<Presence>> presences_;
  std::size_t sweep_at_ = 64;  // presences, then those that nobody holds any more are thrown out
};

}  // namespace tus::s3
