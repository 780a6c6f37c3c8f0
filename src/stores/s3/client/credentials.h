// With which keys requests are signed.
#pragma once

#include "stores/s3/client/bucket.h"

#include <tus/async.h>
#include <tus/deadline.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tus::s3 {

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string token;                                             // of a session; empty: none
  std::optional<std::chrono::system_clock::time_point> expires;  // nothing: never
};

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;

  // From any serial executor, concurrently; resumes there. Failures: `refused` when there are none or whoever
  // gives them says no, `unavailable` when asking again may help. The detail tells an operator what to do.
  virtual Awaitable<Answer<std::shared_ptr<const Credentials>>> get(Deadline deadline) = 0;
  // S3 does not take these any more. Any thread.
  virtual void rejected(const std::shared_ptr<const Credentials>&) noexcept {}
};

class FixedCredentials final : public CredentialsProvider {
 public:
  explicit FixedCredentials(Credentials credentials)
      : credentials_(std::make_shared<const Credentials>(std::move(credentials))) {}

  Awaitable<Answer<std::shared_ptr<const Credentials>>> get(Deadline) override {
    co_return credentials_;
  }

 private:
  std::shared_ptr<const Credentials> credentials_;
};

}  // namespace tus::s3
