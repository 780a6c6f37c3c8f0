#include "stores/s3/client/refreshed_credentials.h"

#include <utility>

namespace tus::s3 {

namespace {

using namespace std::chrono_literals;

// Before they expire: time for several attempts.
constexpr auto early = 5min;
// A request that is signed at the last moment must still arrive.
constexpr auto margin = 10s;
constexpr auto pause_after_failure = 30s;
constexpr auto patience = 5s;  // with a source, while the old ones hold

}  // namespace

RefreshedCredentials::State RefreshedCredentials::state(
    std::chrono::system_clock::time_point now) const {
  if (!current_) return State::none;
  if (!current_->expires) return State::fresh;
  if (now >= *current_->expires - margin) return State::none;
  return now >= *current_->expires - early ? State::usable : State::fresh;
}

Awaitable<Answer<std::shared_ptr<const Credentials>>> RefreshedCredentials::get(Deadline deadline) {
  bool waited = false;
  while (true) {
    std::shared_ptr<Event> others;
    auto until = deadline;
    {
      const std::lock_guard lock(mutex_);
      const auto now = clock_->wall();
      const auto have = state(now);
      if (have == State::fresh) co_return current_;
      if (have == State::usable && (running_ || waited || now < not_before_)) co_return current_;
      if (waited) co_return std::unexpected(last_failure_);
      others = running_;
      if (!others) {
        running_ = std::make_shared<Event>();
        if (have == State::usable)
          until = deadline.sooner(Deadline::after(std::chrono::steady_clock::now(), patience));
      }
    }
    waited = true;
    if (!others) {
      co_await fetch(until);
    } else if (!co_await others->wait(deadline)) {
      co_return trouble(Trouble::unavailable, "timeout: new credentials are still being fetched");
    }
  }
}

// The bell is rung whatever happens.
Awaitable<void> RefreshedCredentials::fetch(Deadline deadline) {
  std::exception_ptr thrown;
  std::optional<Answer<Credentials>> answer;
  try {
    answer = co_await source_->fetch(deadline);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (answer && !*answer)
    logger_->log(LogLevel::warn, "S3CredentialsFailed", {{"error", answer->error().detail}});
  end(std::move(answer));
  if (thrown) std::rethrow_exception(thrown);
}

void RefreshedCredentials::end(std::optional<Answer<Credentials>> answer) noexcept {
  std::shared_ptr<Event> done;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(running_, nullptr);
    if (answer && *answer) {
      current_ = std::make_shared<const Credentials>(*std::move(*answer));
    } else {
      not_before_ = clock_->wall() + pause_after_failure;
      if (answer) last_failure_ = std::move(answer->error());
    }
  }
  done->set();
}

void RefreshedCredentials::rejected(const Keys& credentials) noexcept {
  const std::lock_guard lock(mutex_);
  if (current_ == credentials) current_ = nullptr;
}

}  // namespace tus::s3
