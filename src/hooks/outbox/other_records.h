// The records of other processes, for the question whether one of them is older. Blocking; any thread.
#pragma once

#include "hooks/common/outbox.h"
#include "hooks/outbox/listing.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tus::hooks {

// A directory is read again only when it has changed: the question comes before each delivery, and a process whose
// endpoint is away has many records.
class OtherRecords {
 public:
  // `root` has the directories in it, of which `own` is ours.
  bool has_older(int root, const std::string& own, const OutboxEntry& entry);
  // Whether there is a later termination of the same line; also among our own.
  bool has_end(int root, const std::string& own, const OutboxEntry& entry);

 private:
  using Time = std::chrono::system_clock::time_point;
  struct Seen {
    Time oldest;
    Time last_end;  // of a termination; the beginning of time when there is none
  };
  struct Place {
    Stamp stamp;
    std::unordered_map<std::uint64_t, Seen> lines;
  };

  void look_for_places(int root, const std::string& own);
  // False when it is gone.
  static bool look_at(int root, const std::string& name, Place& place);
  static const Seen* seen(const Place& place, const OutboxEntry& entry);

  std::mutex mutex_;
  Stamp stamp_;
  Place ours_;
  std::map<std::string, Place> places_;
};

// The directories of records that nobody has, or another process.
bool is_other_place(std::string_view name, std::string_view own);

}  // namespace tus::hooks
