// Where events wait that several processes share: for the tests that all outboxes have to pass.
#pragma once

#include "hooks/bucket/bucket_outbox.h"
#include "hooks/bucket/dead_letters.h"
#include "hooks/common/record_name.h"
#include "hooks/outbox/outboxes.h"
#include "stores/s3/client/memory_bucket_test_kit.h"

#include <tus/runtime.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/temporary_directory.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::hooks {

class OutboxPlace {
 public:
  virtual ~OutboxPlace() = default;

  // One process more.
  virtual std::unique_ptr<Outbox> open(std::shared_ptr<Clock> clock) = 0;
  // Whoever has them, also dead ones.
  virtual std::size_t records() = 0;
  // Of which everybody knows that they have happened.
  virtual std::size_t marked() = 0;
  virtual std::vector<OutboxEntry> dead() = 0;
  virtual Status replay(const OutboxEntry& entry, std::chrono::system_clock::time_point now) = 0;
};

class PlaceInFiles final : public OutboxPlace {
 public:
  std::unique_ptr<Outbox> open(std::shared_ptr<Clock> clock) override {
    return make_file_outbox(path(), OutboxSafety::unsynced, pool_, std::move(clock)).value();
  }
  std::size_t records() override {
    return count([](const OutboxEntry&) { return true; });
  }
  std::size_t marked() override {
    return count([](const OutboxEntry& entry) { return entry.has_happened; });
  }
  std::vector<OutboxEntry> dead() override { return list_buried(path()).value(); }
  Status replay(const OutboxEntry& entry, std::chrono::system_clock::time_point now) override {
    return replay_buried(path(), entry, now);
  }

 private:
  std::string path() const { return (directory_.path() / "outbox").string(); }
  std::size_t count(const std::function<bool(const OutboxEntry&)>& counts) const {
    std::size_t found = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(path())) {
      const auto entry = entry_named(file.path().filename().string());
      found += entry && counts(*entry) ? 1 : 0;
    }
    return found;
  }

  testing::TemporaryDirectory directory_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
};

class PlaceInBucket final : public OutboxPlace {
 public:
  explicit PlaceInBucket(s3::test::Quirks quirks = {}) { bucket_->set_quirks(quirks); }

  std::unique_ptr<Outbox> open(std::shared_ptr<Clock> clock) override {
    return make_bucket_outbox(place(), {}, std::move(clock), std::make_shared<NoLogger>(),
                              loops_.executors()[0]);
  }
  std::size_t records() override {
    std::set<std::string> found;
    for (auto key : bucket_->keys()) {
      if (key.starts_with(keys_.runs())) continue;
      if (key.ends_with(".h")) key.resize(key.size() - 2);
      found.insert(std::move(key));
    }
    return found.size();
  }
  std::size_t marked() override {
    const auto keys = bucket_->keys();
    return static_cast<std::size_t>(
        std::ranges::count_if(keys, [](const auto& key) { return key.ends_with(".h"); }));
  }
  std::vector<OutboxEntry> dead() override { return testing::run(letters_.list()).value(); }
  Status replay(const OutboxEntry& entry, std::chrono::system_clock::time_point now) override {
    return testing::run(letters_.replay(entry, now));
  }

 private:
  BucketPlace place() const { return {bucket_, "uploads", "p/.tusd/outbox/"}; }

  const Keys keys_{"p/.tusd/outbox/"};
  std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  std::shared_ptr<s3::test::MemoryBucket> bucket_ =
      std::make_shared<s3::test::MemoryBucket>(*clock_);
  EventLoops loops_{1};
  DeadLetters letters_{place(), clock_, std::chrono::minutes(1)};
};

struct MakePlace {
  std::string_view name;
  std::unique_ptr<OutboxPlace> (*make)();
};

inline std::vector<MakePlace> all_places() {
  return {
      {"files", []() -> std::unique_ptr<OutboxPlace> { return std::make_unique<PlaceInFiles>(); }},
      {"bucket",
       []() -> std::unique_ptr<OutboxPlace> { return std::make_unique<PlaceInBucket>(); }},
      {"bucket_without_conditions",
       []() -> std::unique_ptr<OutboxPlace> {
         s3::test::Quirks quirks;
         quirks.no_conditions = true;
         return std::make_unique<PlaceInBucket>(quirks);
       }},
  };
}

}  // namespace tus::hooks
