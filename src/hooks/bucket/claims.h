// The runs of other processes: who lives, and what the dead have left to us.
#pragma once

#include "hooks/bucket/own_run.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace tus::hooks {

using Owners = std::set<std::string, std::less<>>;

// A run is claimed by putting our name into its object, under the condition that nobody has touched it: its records are
// ours then, under the names that they have. look() one at a time.
class Claims {
 public:
  Claims(Objects& objects, OwnRun& own, std::chrono::milliseconds lease, Logger& logger)
      : objects_(objects), own_(own), lease_(lease), logger_(logger) {}

  // Looks at all runs, and claims what nobody has. `owners`: of the records that were there a moment ago.
  Awaitable<Status> look(Owners owners);
  // Whether it was claimed by us, and we are still who we were then.
  bool has(std::string_view run) const;

 private:
  using Time = Deadline::Point;
  struct Seen {
    std::string etag;
    Time since;                         // when it was first seen so
    std::uint64_t look = 0;             // and by which look
    std::optional<std::string> holder;  // asked for when it has been so for two looks
  };
  struct Claimed {
    std::string etag;
    std::uint64_t look = 0;
  };

  Awaitable<Status> see_runs();
  void forget_what_is_lost();
  Awaitable<Status> ask_for_holders();
  bool is_anybodys(std::string_view run, const Seen& seen) const;
  Awaitable<Status> claim_the_dead();
  Awaitable<Status> claim(std::string run, std::optional<std::string> etag);
  Awaitable<Status> remove_the_empty(const Owners& owners);
  void take(const std::string& run, std::string etag);

  Objects& objects_;
  OwnRun& own_;
  const std::chrono::milliseconds lease_;
  Logger& logger_;
  std::uint64_t look_ = 0;
  std::map<std::string, Seen, std::less<>> seen_;  // but for our own
  Time looked_ = Time::min();

  mutable std::mutex mutex_;
  std::map<std::string, Claimed, std::less<>> claimed_;
  std::uint64_t losses_ = 0;  // of our own run, as of the last claim
};

}  // namespace tus::hooks
