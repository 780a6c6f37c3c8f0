#include "stores/s3/client/credential_sources.h"

#include "async/run_blocking.h"
#include "base/ascii.h"
#include "stores/s3/client/text.h"
#include "stores/s3/client/xml.h"

#include <boost/json.hpp>

#include <fstream>
#include <iterator>
#include <utility>

namespace tus::s3 {

namespace {

using net::HttpRequest;

// Replies are small; so are tokens.
constexpr std::size_t reply_limit = std::size_t{64} << 10;

Awaitable<Answer<std::string>> read_token(BlockingPool& pool, std::string path) {
  const auto read = [path](std::span<std::byte>) -> std::optional<std::string> {
    std::ifstream file(path);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file) return std::nullopt;
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
  };
  auto text = co_await run_blocking(pool, read);
  if (!text || text->empty())
    co_return trouble(Trouble::refused, "the token file " + path + " is not there or empty");
  co_return *std::move(text);
}

// The reply's body; a failure unless its status is 200.
Awaitable<Answer<std::string>> ask(const SourceParts& parts, std::string who, HttpRequest request,
                                   Deadline deadline) {
  request.reply_limit = reply_limit;
  auto reply = co_await parts.http->send(std::move(request), deadline);
  if (!reply) co_return trouble(Trouble::unavailable, who + ": " + reply.error().detail());
  if (reply->status == 200) co_return std::move(reply->body);
  auto detail = who + ": it answers " + std::to_string(reply->status);
  if (const auto error = parse_sts_error(reply->body))
    detail += " " + error->code + ", " + error->message;
  const bool may_help = reply->status >= 500 || reply->status == 429;
  co_return trouble(may_help ? Trouble::unavailable : Trouble::refused, std::move(detail));
}

std::string member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

// What containers and EC2 answer.
Answer<Credentials> read_json(const std::string& who, const std::string& text) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(text, ec);
  if (ec || !value.is_object())
    return trouble(Trouble::unavailable, who + ": its answer is not a JSON object");
  const auto& object = value.get_object();
  Credentials credentials{.key_id = member(object, "AccessKeyId"),
                          .secret = member(object, "SecretAccessKey"),
                          .token = member(object, "Token"),
                          .expires = {}};
  const auto expires = parse_time(member(object, "Expiration"));
  if (credentials.key_id.empty() || credentials.secret.empty() || !expires)
    return trouble(Trouble::unavailable,
                   who + ": its answer has no credentials: " + member(object, "Code") + " " +
                       member(object, "Message"));
  credentials.expires = *expires;
  return credentials;
}

class WebIdentitySource final : public CredentialsSource {
 public:
  WebIdentitySource(WebIdentity identity, SourceParts parts)
      : identity_(std::move(identity)), parts_(std::move(parts)) {}

  Awaitable<Answer<Credentials>> fetch(Deadline deadline) override {
    const auto token = co_await read_token(*parts_.pool, identity_.token_file);
    if (!token) co_return std::unexpected(token.error());
    HttpRequest request;
    request.method = "POST";
    request.url = identity_.endpoint;
    request.fields.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = encode_query({{"Action", "AssumeRoleWithWebIdentity"},
                                 {"Version", "2011-06-15"},
                                 {"RoleArn", identity_.role},
                                 {"RoleSessionName", identity_.session},
                                 {"WebIdentityToken", *token}});
    const std::string who = "STS at " + identity_.endpoint + " (AWS_WEB_IDENTITY_TOKEN_FILE)";
    auto answer = co_await ask(parts_, who, std::move(request), deadline);
    if (!answer) co_return std::unexpected(answer.error());
    auto role = parse_assumed_role(*answer);
    if (!role) co_return trouble(Trouble::unavailable, who + ": " + role.error());
    co_return Credentials{.key_id = std::move(role->key_id),
                          .secret = std::move(role->secret),
                          .token = std::move(role->token),
                          .expires = role->expires};
  }

 private:
  const WebIdentity identity_;
  const SourceParts parts_;
};

class ContainerSource final : public CredentialsSource {
 public:
  ContainerSource(ContainerEndpoint endpoint, SourceParts parts)
      : endpoint_(std::move(endpoint)), parts_(std::move(parts)) {}

  Awaitable<Answer<Credentials>> fetch(Deadline deadline) override {
    HttpRequest request;
    request.url = endpoint_.url;
    request.fields.add("Accept", "application/json");
    auto token = endpoint_.token;
    if (!endpoint_.token_file.empty()) {
      auto read = co_await read_token(*parts_.pool, endpoint_.token_file);
      if (!read) co_return std::unexpected(read.error());
      token = *std::move(read);
    }
    if (!token.empty()) request.fields.add("Authorization", std::move(token));
    const std::string who = "the credentials of the container at " + endpoint_.url;
    const auto answer = co_await ask(parts_, who, std::move(request), deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return read_json(who, *answer);
  }

 private:
  const ContainerEndpoint endpoint_;
  const SourceParts parts_;
};

class Ec2Source final : public CredentialsSource {
 public:
  Ec2Source(Ec2Endpoint endpoint, SourceParts parts)
      : endpoint_(std::move(endpoint)), parts_(std::move(parts)) {
    while (endpoint_.url.ends_with('/')) endpoint_.url.pop_back();
  }

  Awaitable<Answer<Credentials>> fetch(Deadline deadline) override {
    HttpRequest start;
    start.method = "PUT";
    start.url = endpoint_.url + "/latest/api/token";
    start.fields.add("X-aws-ec2-metadata-token-ttl-seconds", "21600");
    const auto token = co_await ask(parts_, who(), std::move(start), soon(deadline));
    if (!token) co_return nobody(token.error());
    const std::string roles = "/latest/meta-data/iam/security-credentials/";
    const auto names = co_await get(roles, *token, deadline);
    if (!names) co_return nobody(names.error());
    const auto name = std::string(base::trim(names->substr(0, names->find('\n'))));
    if (name.empty()) co_return trouble(Trouble::refused, "this EC2 instance has no IAM role");
    const auto answer = co_await get(roles + encode(name), *token, deadline);
    if (!answer) co_return std::unexpected(answer.error());
    co_return read_json(who(), *answer);
  }

 private:
  std::string who() const { return "the metadata service of EC2 at " + endpoint_.url; }
  Deadline soon(Deadline deadline) const {
    return deadline.sooner(Deadline::after(std::chrono::steady_clock::now(), endpoint_.patience));
  }
  // This is the last place where keys may be.
  static std::unexpected<Failure> nobody(const Failure& failure) {
    return trouble(failure.trouble,
                   "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                   "give this machine a role (" +
                       failure.detail + ")");
  }
  Awaitable<Answer<std::string>> get(std::string path, std::string token, Deadline deadline) {
    HttpRequest request;
    request.url = endpoint_.url + path;
    request.fields.add("X-aws-ec2-metadata-token", std::move(token));
    co_return co_await ask(parts_, who(), std::move(request), soon(deadline));
  }

  Ec2Endpoint endpoint_;
  const SourceParts parts_;
};

}  // namespace

std::unique_ptr<CredentialsSource> web_identity_source(WebIdentity identity, SourceParts parts) {
  return std::make_unique<WebIdentitySource>(std::move(identity), std::move(parts));
}

std::unique_ptr<CredentialsSource> container_source(ContainerEndpoint endpoint, SourceParts parts) {
  return std::make_unique<ContainerSource>(std::move(endpoint), std::move(parts));
}

std::unique_ptr<CredentialsSource> ec2_source(Ec2Endpoint endpoint, SourceParts parts) {
  return std::make_unique<Ec2Source>(std::move(endpoint), std::move(parts));
}

}  // namespace tus::s3
