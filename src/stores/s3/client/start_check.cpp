#include "stores/s3/client/http_bucket.h"
#include "stores/s3/client/start_advice.h"

#include <array>
#include <utility>

namespace tus::s3 {

namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// S3 that does not answer at all.
std::string advice_without_reply(std::string_view why, const StartFacts& facts) {
  const auto endpoint = std::string(facts.endpoint);
  const auto reason = " (" + std::string(why) + ")";
  const std::string option = facts.is_aws ? "AWS_REGION and the network" : "-s3-endpoint";
  if (why.starts_with("no such host"))
    return "S3 at " + endpoint + " cannot be found: check " + option + reason;
  if (why.starts_with("cannot connect"))
    return "nobody listens at " + endpoint + ": start S3 there, or check " + option + reason;
  if (why.starts_with("TLS"))
    return "there is no secure connection to S3 at " + endpoint +
           ": check its certificate, or use an -s3-endpoint with http://" + reason;
  if (why.starts_with("timeout"))
    return "S3 at " + endpoint + " does not answer: check " + option +
           ", the network and S3 itself" + reason;
  if (why.starts_with("not HTTP"))
    return "what listens at " + endpoint + " does not speak HTTP: check " + option + reason;
  return "S3 at " + endpoint + " cannot be reached: check " + option + reason;
}

std::string advice_about_region(const CallFailure& failure, const StartFacts& facts) {
  const auto& right = failure.error.region;
  const auto place = "the bucket " + quoted(facts.bucket);
  if (right.empty())
    return place + " is in another region than " + quoted(facts.region) +
           ": set AWS_REGION to its region";
  return place + " is in the region " + quoted(right) + " and not in " + quoted(facts.region) +
         ": set AWS_REGION=" + right;
}

}  // namespace

std::string start_advice(const CallFailure& failure, const StartFacts& facts) {
  if (failure.no_keys || (failure.status == 0 && failure.failure.trouble == Trouble::refused))
    return failure.transport;
  if (failure.status == 0) return advice_without_reply(failure.transport, facts);
  const std::string_view code = failure.error.code;
  const auto endpoint = std::string(facts.endpoint);
  const auto bucket = quoted(facts.bucket);
  const auto said =
      " (" + std::to_string(failure.status) + (code.empty() ? "" : " ") + std::string(code) + ")";
  if (!failure.is_s3)
    return "what answers at " + endpoint +
           " is not S3: check -s3-endpoint, and proxies on the way" + said + ": " +
           failure.error.message;
  if (code == "NoSuchBucket" || failure.status == 404)
    return "there is no bucket " + bucket + " at " + endpoint + ": create it, or check -s3-bucket" +
           said;
  if (code == "SignatureDoesNotMatch")
    return "S3 does not accept the signature: AWS_SECRET_ACCESS_KEY does not belong to "
           "AWS_ACCESS_KEY_ID" +
           said;
  if (code == "InvalidAccessKeyId")
    return "S3 does not know this access key: check AWS_ACCESS_KEY_ID" + said;
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "ExpiredTokenException")
    return "the session token has expired: bring new credentials (AWS_SESSION_TOKEN)" + said;
  if (code == "RequestTimeTooSkewed")
    return "the clock of this machine differs from that of S3: set it, for instance by NTP" + said;
  if (failure.status == 301 || code == "AuthorizationHeaderMalformed" ||
      code == "PermanentRedirect" || code == "IllegalLocationConstraintException")
    return advice_about_region(failure, facts) + said;
  if (failure.status == 401 || failure.status == 403)
    return "S3 does not let these credentials list the bucket " + bucket +
           ": give them the rights that the documentation names" + said;
  if (failure.failure.trouble == Trouble::unavailable)
    return "S3 at " + endpoint + " answers, but cannot serve now: try again later" + said;
  return "S3 at " + endpoint + " refuses the bucket " + bucket + said + ": " +
         failure.error.message;
}

// A list and not a HEAD: only an answer with a body says what is wrong.
Awaitable<std::optional<CallFailure>> HttpBucket::try_bucket(const std::string& bucket,
                                                             Deadline deadline) {
  Call call(Operation::list_objects, "GET", ObjectName{bucket, {}});
  call.query = {{"list-type", "2"}, {"max-keys", "1"}, {"encoding-type", "url"}};
  call.read = [](const net::HttpReply& reply) {
    const auto page = parse_objects(reply.body);
    return page ? std::string() : page.error();
  };
  auto reply = co_await calls_.send(std::move(call), deadline);
  if (reply) co_return std::nullopt;
  co_return std::move(reply.error());
}

Awaitable<Answer<void>> HttpBucket::check(std::string bucket, Deadline deadline) {
  auto failure = co_await try_bucket(bucket, deadline);
  if (failure) co_return std::unexpected(std::move(failure->failure));
  co_return Answer<void>();
}

Awaitable<std::expected<void, std::string>> HttpBucket::check_start(std::string bucket,
                                                                    Deadline deadline) {
  const auto failure = co_await try_bucket(bucket, deadline);
  if (!failure) co_return std::expected<void, std::string>();
  const auto endpoint = calls_.endpoint().text();
  co_return std::unexpected(start_advice(*failure, {.bucket = bucket,
                                                    .endpoint = endpoint,
                                                    .region = calls_.options().endpoint.region,
                                                    .is_aws = calls_.endpoint().is_aws()}));
}

}  // namespace tus::s3
