#include "hooks/bucket/record_set.h"

#include "hooks/common/record_name.h"

#include <utility>
#include <vector>

namespace tus::hooks {

namespace {

constexpr std::size_t most_remembered = 100'000;
constexpr std::size_t most_strays = 10'000;
// A request that was given up may still be done.
constexpr std::chrono::minutes life_of_strays{15};

}  // namespace

class RecordSet::Pairs {
 public:
  Pairs(const Keys& keys, const See& see) : keys_(keys), see_(see) {}

  void add(const s3::ListedObject& object) {
    auto found = keys_.record_at(object.key);
    if (!found) return;
    if (!found->is_mark) {
      give();
      record_ = std::move(found->entry);
    } else if (record_ && keys_.mark(*record_) == object.key) {
      record_ = with_happened(*std::move(record_));
    } else {
      lonely_marks.insert(object.key);
    }
  }
  void give() {
    if (record_) see_(*record_);
    record_.reset();
  }

  std::set<std::string> lonely_marks;

 private:
  const Keys& keys_;
  const See& see_;
  std::optional<OutboxEntry> record_;
};

Awaitable<Status> RecordSet::of_line(std::uint64_t line, See see) {
  Pairs pairs(objects_.keys, see);
  auto listed = co_await objects_.list(objects_.keys.line(line), [&](const auto& object) {
    pairs.add(object);
    return true;
  });
  if (listed) pairs.give();
  co_return listed;
}

Awaitable<Status> RecordSet::all(See see) {
  std::set<std::string> strays;
  const See see_all = [&](const OutboxEntry& entry) {
    auto key = objects_.keys.record(entry);
    std::unique_lock lock(mutex_);
    if (strays_.contains(key)) {
      strays.insert(std::move(key));
      return;
    }
    lock.unlock();
    see(entry);
  };
  Pairs pairs(objects_.keys, see_all);
  auto listed = co_await objects_.list(objects_.keys.records(), [&](const auto& object) {
    pairs.add(object);
    return true;
  });
  if (!listed) co_return listed;
  pairs.give();
  co_await tidy(std::move(pairs.lonely_marks), std::move(strays));
  co_return Status();
}

// What cannot be removed now is met again.
Awaitable<void> RecordSet::tidy(std::set<std::string> lonely_marks, std::set<std::string> strays) {
  const auto now = objects_.clock().now();
  auto to_remove = std::move(strays);
  {
    std::lock_guard lock(mutex_);
    std::erase_if(strays_, [&](const auto& stray) { return stray.second <= now; });
    std::erase_if(lonely_marks_,
                  [&](const auto& mark) { return !lonely_marks.contains(mark.first); });
    // Its record may be on its way, or its remover.
    for (const auto& mark : lonely_marks) {
      const auto since = lonely_marks_.try_emplace(mark, now).first->second;
      if (now >= since + lease_) to_remove.insert(mark);
    }
  }
  for (const auto& key : to_remove) (void)co_await objects_.remove(key, objects_.deadline());
}

void RecordSet::begin_look(std::uint64_t losses) {
  std::lock_guard lock(mutex_);
  removed_.clear();
  if (losses == losses_) return;
  losses_ = losses;
  handed_out_.clear();
  first_.clear();
}

bool RecordSet::may_hand_out(const std::string& key) const {
  std::lock_guard lock(mutex_);
  return !handed_out_.contains(key) && !removed_.contains(key);
}

void RecordSet::hand_out(std::string key) {
  std::lock_guard lock(mutex_);
  handed_out_.insert(std::move(key));
}

void RecordSet::take_back(const std::string& key) {
  std::lock_guard lock(mutex_);
  handed_out_.erase(key);
  first_.erase(key);
}

bool RecordSet::was_handed_out(const std::string& key) const {
  std::lock_guard lock(mutex_);
  return handed_out_.contains(key);
}

void RecordSet::note_first(std::string key) {
  std::lock_guard lock(mutex_);
  // Whoever is not remembered is looked for again.
  if (first_.size() < most_remembered) first_.insert(std::move(key));
}

bool RecordSet::is_first(const std::string& key) const {
  std::lock_guard lock(mutex_);
  return first_.contains(key);
}

void RecordSet::forget(const std::string& key) {
  std::lock_guard lock(mutex_);
  first_.erase(key);
  // A list that was asked for before shows it still.
  if (handed_out_.erase(key) > 0) removed_.insert(key);
}

void RecordSet::add_stray(std::string key) {
  std::lock_guard lock(mutex_);
  if (strays_.size() < most_strays)
    strays_.try_emplace(std::move(key), objects_.clock().now() + life_of_strays);
}

}  // namespace tus::hooks
