#include "app/dead_hooks.h"

#include "app/bucket.h"
#include "app/stderr_logger.h"
#include "hooks/bucket/dead_letters.h"
#include "hooks/common/events.h"
#include "hooks/common/record_text.h"
#include "hooks/outbox/outbox_directory.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstdio>
#include <expected>
#include <memory>
#include <utility>
#include <vector>

namespace tus::app {

namespace {

int complain(std::string_view what, const Error& error) {
  std::fprintf(stderr, "tusd: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               error.detail().c_str());
  return 1;
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace

std::string outbox_path(const Config& config) {
  return config.files.directory.string() + "/.tusd/outbox";
}

namespace {

// What was given up, wherever it is.
class DeadLetterBox {
 public:
  virtual ~DeadLetterBox() = default;
  virtual Result<std::vector<hooks::OutboxEntry>> list() = 0;
  virtual Result<std::string> read(const hooks::OutboxEntry& entry) = 0;
  virtual Status replay(const hooks::OutboxEntry& entry,
                        std::chrono::system_clock::time_point now) = 0;
};

class InFiles final : public DeadLetterBox {
 public:
  explicit InFiles(std::string path) : path_(std::move(path)) {}
  Result<std::vector<hooks::OutboxEntry>> list() override { return hooks::list_buried(path_); }
  Result<std::string> read(const hooks::OutboxEntry& entry) override {
    return hooks::read_buried(path_, entry);
  }
  Status replay(const hooks::OutboxEntry& entry,
                std::chrono::system_clock::time_point now) override {
    return hooks::replay_buried(path_, entry, now);
  }

 private:
  std::string path_;
};

class InBucket final : public DeadLetterBox {
 public:
  static std::expected<std::unique_ptr<InBucket>, std::string> open(const Config& config) {
    std::unique_ptr<InBucket> box(new InBucket(config));
    auto clock = std::make_shared<SystemClock>();
    auto connected = connect_bucket(config, box->parts_, clock, nullptr);
    if (!connected) return std::unexpected(std::move(connected.error()));
    box->parts_.store = connected->store;
    box->letters_ = std::make_unique<hooks::DeadLetters>(outbox_in(*std::move(connected)),
                                                         std::move(clock), box->patience_);
    return box;
  }
  ~InBucket() override {
    if (parts_.store) run(parts_.store->close(Deadline::never()));
    parts_.loops->stop();
  }
  InBucket(const InBucket&) = delete;
  InBucket& operator=(const InBucket&) = delete;

  Result<std::vector<hooks::OutboxEntry>> list() override { return run(letters_->list()); }
  Result<std::string> read(const hooks::OutboxEntry& entry) override {
    return run(letters_->read(entry));
  }
  Status replay(const hooks::OutboxEntry& entry,
                std::chrono::system_clock::time_point now) override {
    return run(letters_->replay(entry, now));
  }

 private:
  explicit InBucket(const Config& config) {
    if (config.network_timeout.count() > 0) patience_ = config.network_timeout;
    parts_.logger = std::make_shared<LeveledLogger>(
        make_stderr_logger({.lowest = LogLevel::warn, .format = config.log_format}),
        LogLevel::warn);
    parts_.pool = make_blocking_pool(1);
    parts_.loops = std::make_unique<EventLoops>(1);
  }
  template <class T>
  T run(Awaitable<T> task) {
    return asio::co_spawn(parts_.loops->executors()[0], std::move(task), asio::use_future).get();
  }

  Server parts_;
  std::chrono::milliseconds patience_{60'000};
  std::unique_ptr<hooks::DeadLetters> letters_;
};

std::expected<std::unique_ptr<DeadLetterBox>, std::string> open_box(const Config& config) {
  if (config.store == StoreKind::s3) return InBucket::open(config);
  return std::make_unique<InFiles>(outbox_path(config));
}

int complain_of_bucket(const std::string& sentence) {
  std::fprintf(stderr, "tusd: -s3-bucket: %s\n", sentence.c_str());
  return 1;
}

}  // namespace

int list_dead_hooks(const Config& config) {
  auto box = open_box(config);
  if (!box) return complain_of_bucket(box.error());
  const auto dead = (*box)->list();
  if (!dead) return complain("-dead-hooks", dead.error());
  for (const auto& entry : *dead) {
    const auto text = (*box)->read(entry);
    const auto envelope =
        text ? hooks::read_record(*text) : Result<hooks::Envelope>(fail(text.error()));
    const std::string id = envelope ? envelope->upload_id : "?";
    const std::string event_id = envelope ? envelope->event_id : "?";
    std::printf("%s %s %s %s\n", time_text(entry.since).c_str(),
                std::string(hooks::name_of(entry.event)).c_str(), id.c_str(), event_id.c_str());
  }
  return 0;
}

int replay_dead_hooks(const Config& config) {
  auto box = open_box(config);
  if (!box) return complain_of_bucket(box.error());
  const auto dead = (*box)->list();
  if (!dead) return complain("-replay-hooks", dead.error());
  // In their order; a server may take them while they are put there.
  auto time = std::chrono::system_clock::now();
  for (const auto& entry : *dead) {
    time += std::chrono::nanoseconds(1);
    auto replayed = (*box)->replay(entry, time);
    if (!replayed) return complain("-replay-hooks", replayed.error());
  }
  std::printf("%zu events will be sent again.\n", dead->size());
  return 0;
}

}  // namespace tus::app
