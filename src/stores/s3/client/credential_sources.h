// Services that give keys for a while: STS, containers, EC2.
#pragma once

#include "net/http_client.h"
#include "stores/s3/client/refreshed_credentials.h"

#include <tus/blocking_pool.h>

#include <chrono>
#include <memory>
#include <string>

namespace tus::s3 {

// What all of them need. It outlives them.
struct SourceParts {
  net::HttpClient* http = nullptr;
  std::shared_ptr<BlockingPool> pool;  // files with tokens are read anew each time
  std::shared_ptr<const Clock> clock;
};

struct WebIdentity {
  std::string token_file;
  std::string role;
  std::string session = "tusd";
  std::string endpoint;  // of STS
};
std::unique_ptr<CredentialsSource> web_identity_source(WebIdentity identity, SourceParts parts);

struct ContainerEndpoint {
  std::string url;
  std::string token;       // the value of Authorization; empty: none
  std::string token_file;  // or where it is
};
std::unique_ptr<CredentialsSource> container_source(ContainerEndpoint endpoint, SourceParts parts);

struct Ec2Endpoint {
  std::string url = "http://169.254.169.254";
  std::chrono::milliseconds patience{
      2000};  // with each of its replies; elsewhere nobody answers there
};
std::unique_ptr<CredentialsSource> ec2_source(Ec2Endpoint endpoint, SourceParts parts);

}  // namespace tus::s3
