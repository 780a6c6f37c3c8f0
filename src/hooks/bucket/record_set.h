// The records in the bucket, and what this process knows of some of them.
#pragma once

#include "hooks/bucket/objects.h"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>

namespace tus::hooks {

// Records are named by their keys. Any executor; looks one at a time.
class RecordSet {
 public:
  using See = std::function<void(const OutboxEntry&)>;

  RecordSet(Objects& objects, std::chrono::milliseconds lease) : objects_(objects), lease_(lease) {}

  // As the bucket has them: by line, and by time in it. Those that are marked have happened. all() also removes what
  // belongs to nothing.
  Awaitable<Status> of_line(std::uint64_t line, See see);
  Awaitable<Status> all(See see);

  // ---- of others, that are with our deliveries

  // With a number that is another one when everything we had was lost.
  void begin_look(std::uint64_t losses);
  // Not those that were, and not what has been removed since the look began.
  bool may_hand_out(const std::string& key) const;
  void hand_out(std::string key);
  // The deliveries have given it up: should it come back to us, it is handed out again.
  void take_back(const std::string& key);
  bool was_handed_out(const std::string& key) const;

  // ---- that have nothing older before them, now and for ever

  void note_first(std::string key);
  bool is_first(const std::string& key) const;

  void forget(const std::string& key);
  // One that could not be put, and may be there.
  void add_stray(std::string key);

 private:
  using Time = Deadline::Point;
  using Keyed = std::unordered_set<std::string>;

  // Puts records and their marks together, as they come in a list.
  class Pairs;
  Awaitable<void> tidy(std::set<std::string> lonely_marks, std::set<std::string> strays);

  Objects& objects_;
  const std::chrono::milliseconds lease_;
  mutable std::mutex mutex_;
  Keyed handed_out_;
  Keyed first_;
  Keyed removed_;  // since the look began
  std::uint64_t losses_ = 0;
  std::map<std::string, Time> strays_;        // until then
  std::map<std::string, Time> lonely_marks_;  // since when; only used by all()
};

}  // namespace tus::hooks
