#include "stores/s3/client/find_credentials.h"

#include "base/ascii.h"
#include "stores/s3/client/profile_files.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

namespace tus::s3 {

namespace {

std::string value_of(const Profile& profile, std::string_view key) {
  const auto found = profile.find(key);
  return found == profile.end() ? std::string() : found->second;
}

// Of the host in a URL, in lower case.
std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (url.starts_with('[')) return std::string(url.substr(0, url.find(']') + 1));
  return std::string(url.substr(0, url.find(':')));
}

// Keys must not come over HTTP from anywhere else.
bool may_give_keys(const std::string& url) {
  if (url.starts_with("https://")) return true;
  const auto host = host_of(url);
  return url.starts_with("http://") &&
         (host == "localhost" || host.starts_with("127.") || host == "[::1]" ||
          host == "169.254.170.2" || host == "169.254.170.23" || host == "[fd00:ec2::23]");
}

class Search {
 public:
  Search(const Surroundings& around, const SourceParts& parts, std::shared_ptr<Logger> logger)
      : around_(around), parts_(parts), logger_(std::move(logger)) {}

  std::expected<FoundCredentials, std::string> run() {
    const auto name = around_.get("AWS_PROFILE");
    read_profile(name.empty() ? "default" : name);
    if (!name.empty() && profile_.empty())
      return std::unexpected("there is no profile \"" + name +
                             "\" in the AWS configuration: check AWS_PROFILE");
    region_ = first_of({around_.get("AWS_REGION"), around_.get("AWS_DEFAULT_REGION"),
                        value_of(profile_, "region")});
    if (auto found = of_environment()) return *std::move(found);
    if (auto found = of_web_identity()) return *std::move(found);
    if (!name.empty()) return of_profile(name);
    if (!profile_.empty() && !value_of(profile_, "aws_access_key_id").empty())
      return of_profile("default");
    if (!value_of(profile_, "role_arn").empty()) return of_profile("default");
    return of_machine();
  }

 private:
  using Found = std::expected<FoundCredentials, std::string>;

  static std::string first_of(std::initializer_list<std::string> values) {
    for (const auto& value : values) {
      if (!value.empty()) return value;
    }
    return {};
  }

  void read_profile(const std::string& name) {
    const auto home = around_.get("HOME") + "/.aws/";
    const auto credentials =
        first_of({around_.get("AWS_SHARED_CREDENTIALS_FILE"), home + "credentials"});
    const auto config = first_of({around_.get("AWS_CONFIG_FILE"), home + "config"});
    profile_ = merge_profile(parse_profiles(around_.read(credentials).value_or("")),
                             parse_profiles(around_.read(config).value_or("")), name);
  }

  FoundCredentials fixed(Credentials credentials, std::string from) const {
    return {std::make_shared<FixedCredentials>(std::move(credentials)), region_, std::move(from)};
  }
  FoundCredentials refreshed(std::unique_ptr<CredentialsSource> source, std::string from) const {
    return {std::make_shared<RefreshedCredentials>(std::move(source), parts_.clock, logger_),
            region_, std::move(from)};
  }

  std::optional<Found> of_environment() const {
    auto id = first_of({around_.get("AWS_ACCESS_KEY_ID"), around_.get("AWS_ACCESS_KEY")});
    auto secret = first_of({around_.get("AWS_SECRET_ACCESS_KEY"), around_.get("AWS_SECRET_KEY")});
    if (id.empty() && secret.empty()) return std::nullopt;
    if (id.empty() || secret.empty())
      return std::unexpected(
          std::string("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: set ") +
          (id.empty() ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY") + " too");
    return fixed({.key_id = std::move(id),
                  .secret = std::move(secret),
                  .token = around_.get("AWS_SESSION_TOKEN"),
                  .expires = {}},
                 "the environment");
  }

  FoundCredentials assumed(std::string file, std::string role, std::string session) const {
    WebIdentity identity{.token_file = std::move(file), .role = std::move(role)};
    if (!session.empty()) identity.session = std::move(session);
    identity.endpoint = around_.get("AWS_ENDPOINT_URL_STS");
    if (identity.endpoint.empty()) {
      const std::string suffix = region_.starts_with("cn-") ? ".cn" : "";
      identity.endpoint = region_.empty()
                              ? "https://sts.amazonaws.com/"
                              : "https://sts." + region_ + ".amazonaws.com" + suffix + "/";
    }
    return refreshed(web_identity_source(std::move(identity), parts_), "a web identity");
  }

  std::optional<Found> of_web_identity() const {
    auto file = around_.get("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (file.empty()) return std::nullopt;
    auto role = around_.get("AWS_ROLE_ARN");
    if (role.empty())
      return std::unexpected(
          std::string("AWS_WEB_IDENTITY_TOKEN_FILE needs a role: set AWS_ROLE_ARN too"));
    return assumed(std::move(file), std::move(role), around_.get("AWS_ROLE_SESSION_NAME"));
  }

  Found of_profile(const std::string& name) const {
    auto id = value_of(profile_, "aws_access_key_id");
    auto secret = value_of(profile_, "aws_secret_access_key");
    if (!id.empty() && !secret.empty() && value_of(profile_, "role_arn").empty())
      return fixed({.key_id = std::move(id),
                    .secret = std::move(secret),
                    .token = value_of(profile_, "aws_session_token"),
                    .expires = {}},
                   "the profile " + name);
    auto file = value_of(profile_, "web_identity_token_file");
    auto role = value_of(profile_, "role_arn");
    if (!file.empty() && !role.empty())
      return assumed(std::move(file), std::move(role), value_of(profile_, "role_session_name"));
    for (const auto* way : {"credential_process", "sso_session", "sso_start_url", "source_profile",
                            "credential_source"}) {
      if (!value_of(profile_, way).empty())
        return std::unexpected("the profile \"" + name + "\" has " + way +
                               ", which this server does not support: give it keys, or a "
                               "web_identity_token_file");
    }
    if (!role.empty() || !id.empty() || !secret.empty())
      return std::unexpected("the profile \"" + name +
                             "\" is not complete: it needs aws_access_key_id and "
                             "aws_secret_access_key");
    return of_machine();
  }

  Found of_machine() const {
    const auto relative = around_.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    ContainerEndpoint container;
    container.url = around_.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (container.url.empty() && !relative.empty())
      container.url = "http://169.254.170.2" + relative;
    if (!container.url.empty()) {
      if (!may_give_keys(container.url))
        return std::unexpected(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor on this machine: \"" +
            container.url + "\"");
      container.token = around_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
      container.token_file = around_.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
      return refreshed(container_source(std::move(container), parts_), "the container");
    }
    if (base::equals_ignoring_case(around_.get("AWS_EC2_METADATA_DISABLED"), "true"))
      return std::unexpected(
          std::string("there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    Ec2Endpoint ec2;
    const auto url = around_.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (!url.empty()) ec2.url = url;
    return refreshed(ec2_source(std::move(ec2), parts_), "EC2");
  }

  const Surroundings& around_;
  const SourceParts& parts_;
  const std::shared_ptr<Logger> logger_;
  Profile profile_;
  std::string region_;
};

}  // namespace

Surroundings Surroundings::of_process() {
  Surroundings around;
  around.get = [](const char* name) -> std::string {
    const auto* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
    return value == nullptr ? "" : value;
  };
  around.read = [](const std::string& path) -> std::optional<std::string> {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  };
  return around;
}

std::expected<FoundCredentials, std::string> find_credentials(const Surroundings& around,
                                                              const SourceParts& parts,
                                                              std::shared_ptr<Logger> logger) {
  return Search(around, parts, std::move(logger)).run();
}

}  // namespace tus::s3
