// Where AWS's SDKs look for keys and for the region, in the order of the one for Go, with which Go's tusd is made.
#pragma once

#include "stores/s3/client/credential_sources.h"

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace tus::s3 {

struct Surroundings {
  // Of a variable of the environment; empty: there is none.
  std::function<std::string(const char* name)> get;
  // The text of a file; nothing: there is none. Read at once, so before event loops run.
  std::function<std::optional<std::string>(const std::string& path)> read;

  static Surroundings of_process();
};

struct FoundCredentials {
  std::shared_ptr<CredentialsProvider> provider;
  std::string region;  // empty: none is set
  std::string from;    // for the log
};

// 1. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, 2. AWS_WEB_IDENTITY_TOKEN_FILE, 3. the profile that AWS_PROFILE
// names, or "default", 4. the endpoint of a container, the full address before the relative one, 5. EC2's, unless
// AWS_EC2_METADATA_DISABLED.
// Error: a sentence that says what to set.
std::expected<FoundCredentials, std::string> find_credentials(const Surroundings& around,
                                                              const SourceParts& parts,
                                                              std::shared_ptr<Logger> logger);

}  // namespace tus::s3
