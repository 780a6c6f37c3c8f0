// Keys that expire, and are replaced before.
#pragma once

#include "async/event.h"
#include "stores/s3/client/credentials.h"

#include <tus/clock.h>
#include <tus/logger.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>

namespace tus::s3 {

// Where new ones come from.
class CredentialsSource {
 public:
  virtual ~CredentialsSource() = default;
  // One call at a time.
  virtual Awaitable<Answer<Credentials>> fetch(Deadline deadline) = 0;
};

// The callers share one fetch. While the old keys hold, nobody but the one who fetches waits, and he not for long.
class RefreshedCredentials final : public CredentialsProvider {
 public:
  RefreshedCredentials(std::unique_ptr<CredentialsSource> source,
                       std::shared_ptr<const Clock> clock, std::shared_ptr<Logger> logger)
      : source_(std::move(source)), clock_(std::move(clock)), logger_(std::move(logger)) {}

  Awaitable<Answer<std::shared_ptr<const Credentials>>> get(Deadline deadline) override;
  void rejected(const std::shared_ptr<const Credentials>& credentials) noexcept override;

 private:
  using Keys = std::shared_ptr<const Credentials>;
  enum class State : std::uint8_t { fresh, usable, none };

  State state(std::chrono::system_clock::time_point now) const;
  Awaitable<void> fetch(Deadline deadline);
  void end(std::optional<Answer<Credentials>> answer) noexcept;

  const std::unique_ptr<CredentialsSource> source_;
  const std::shared_ptr<const Clock> clock_;
  const std::shared_ptr<Logger> logger_;

  std::mutex mutex_;
  Keys current_;
  std::shared_ptr<Event> running_;  // a fetch
  Failure last_failure_{Trouble::unavailable, "there were no credentials yet"};
  std::chrono::system_clock::time_point not_before_{};  // after a failure, while the old ones hold
};

}  // namespace tus::s3
