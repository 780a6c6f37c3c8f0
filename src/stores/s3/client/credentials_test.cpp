#include "async/task_group.h"
#include "stores/s3/client/client_test_kit.h"
#include "stores/s3/client/credential_sources.h"
#include "stores/s3/client/find_credentials.h"
#include "stores/s3/client/profile_files.h"

#include <tus/testing/inline_pool.h>
#include <tus/testing/temporary_directory.h>

#include <fstream>
#include <map>

namespace tus::s3::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Keys = std::shared_ptr<const Credentials>;

// ---- files ----

TEST(S3ProfilesTest, FilesAreReadAsAwsWritesThem) {  // [S3CLIENT-13]
  const auto profiles = parse_profiles(
      "# comment\r\n[default]\r\naws_access_key_id = A\nAWS_Secret_Access_Key=b=c\n"
      "s3 =\n  region = nested\n; comment\nnonsense\n[profile "
      "two]\nregion=eu-west-1\n[broken\nx=1\n");
  EXPECT_EQ(profiles.at("default"),
            (Profile{{"aws_access_key_id", "A"}, {"aws_secret_access_key", "b=c"}, {"s3", ""}}));
  EXPECT_EQ(profiles.at("two"), (Profile{{"region", "eu-west-1"}}));
  EXPECT_EQ(profiles.size(), 2u);
  EXPECT_TRUE(parse_profiles("").empty());
}

// ---- where keys are found ----

class S3CredentialsTest : public ClientTest {
 protected:
  S3CredentialsTest() {
    environment_["HOME"] = "/home/x";
    http_ = std::make_unique<net::HttpClient>(loops_.executors()[0], net::HttpClientOptions());
  }

  std::expected<FoundCredentials, std::string> find() {
    Surroundings around;
    around.get = [this](const char* name) { return environment_[name]; };
    around.read = [this](const std::string& path) -> std::optional<std::string> {
      const auto found = files_.find(path);
      if (found == files_.end()) return std::nullopt;
      return found->second;
    };
    return find_credentials(around, parts(), log_);
  }
  SourceParts parts() {
    return {
        .http = http_.get(), .pool = std::make_shared<tus::testing::InlinePool>(), .clock = clock_};
  }
  Answer<Keys> get(Deadline deadline = in(60s)) {
    auto found = find();
    if (!found) return trouble(Trouble::refused, found.error());
    return run(found->provider->get(deadline));
  }
  std::string key_id() {
    const auto keys = get();
    return keys ? (*keys)->key_id : keys.error().detail;
  }
  std::string write(const std::string& text) {
    const auto path = std::string(directory_.path()) + "/token";
    std::ofstream(path) << text;
    return path;
  }
  void serve_keys(Script script) {
    http_.reset();
    serve(std::move(script));
  }

  std::map<std::string, std::string> environment_;
  std::map<std::string, std::string> files_;
  std::shared_ptr<tus::testing::ManualClock> clock_ =
      std::make_shared<tus::testing::ManualClock>();  // 2026-01-02
  tus::testing::TemporaryDirectory directory_;
};

std::string json_keys(std::string_view id, std::string_view expiration) {
  return R"({"Code":"Success","AccessKeyId":")" + std::string(id) +
         R"(","SecretAccessKey":"s","Token":"t","Expiration":")" + std::string(expiration) + "\"}";
}

TEST_F(S3CredentialsTest, TheEnvironmentComesBeforeProfiles) {  // [S3CLIENT-13]
  files_["/home/x/.aws/credentials"] =
      "[default]\naws_access_key_id=file\naws_secret_access_key=s\n[p]\naws_access_key_id=named\n"
      "aws_secret_access_key=s\naws_session_token=tok\n";
  files_["/home/x/.aws/config"] = "[default]\nregion=r1\n[profile p]\nregion=r2\n";
  EXPECT_EQ(key_id(), "file");
  EXPECT_EQ(find()->region, "r1");
  environment_["AWS_ACCESS_KEY_ID"] = "env";
  EXPECT_THAT(key_id(), HasSubstr("set AWS_SECRET_ACCESS_KEY too"));
  environment_["AWS_SECRET_ACCESS_KEY"] = "s";
  environment_["AWS_SESSION_TOKEN"] = "token";
  EXPECT_EQ((*get())->token, "token");
  EXPECT_EQ(key_id(), "env");
  environment_["AWS_DEFAULT_REGION"] = "r3";
  EXPECT_EQ(find()->region, "r3");
  environment_["AWS_REGION"] = "r4";
  EXPECT_EQ(find()->region, "r4");
  environment_["AWS_PROFILE"] = "p";
  EXPECT_EQ(key_id(), "env") << "as the SDK for Go has it";
  environment_.erase("AWS_ACCESS_KEY_ID");
  environment_.erase("AWS_SECRET_ACCESS_KEY");
  EXPECT_EQ(key_id(), "named");
  EXPECT_EQ((*get())->token, "tok");
  environment_["AWS_PROFILE"] = "q";
  EXPECT_THAT(key_id(), HasSubstr("check AWS_PROFILE"));
}

TEST_F(S3CredentialsTest, FilesMayBeElsewhere) {  // [S3CLIENT-13]
  environment_["AWS_SHARED_CREDENTIALS_FILE"] = "/c";
  environment_["AWS_CONFIG_FILE"] = "/d";
  files_["/c"] = "[default]\naws_access_key_id=file\naws_secret_access_key=s\n";
  files_["/d"] = "[default]\nregion=r1\n";
  EXPECT_EQ(key_id(), "file");
  EXPECT_EQ(find()->region, "r1");
}

TEST_F(S3CredentialsTest, WhatIsNotSupportedIsSaidSo) {  // [S3CLIENT-13]
  environment_["AWS_PROFILE"] = "p";
  for (const auto* way : {"credential_process", "sso_session", "source_profile"}) {
    files_["/home/x/.aws/config"] = "[profile p]\n" + std::string(way) + " = x\nrole_arn = y\n";
    EXPECT_THAT(key_id(), HasSubstr(way));
  }
  files_["/home/x/.aws/config"] = "[profile p]\naws_access_key_id = x\n";
  EXPECT_THAT(key_id(), HasSubstr("not complete"));
  environment_.erase("AWS_PROFILE");
  environment_["AWS_EC2_METADATA_DISABLED"] = "TRUE";
  EXPECT_THAT(key_id(), HasSubstr("there are no credentials: set AWS_ACCESS_KEY_ID"));
}

class S3RolesTest : public S3CredentialsTest {
 protected:
  // STS, which gives keys to everybody.
  void serve_roles() {
    serve_keys([](Peer& peer, const SeenRequest&, int) {
      peer.send(
          reply(200,
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
                "<Credentials><AccessKeyId>sts</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                "<SessionToken>t</SessionToken><Expiration>2026-01-02T01:00:00Z</Expiration>"
                "</Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"));
      return Then::keep;
    });
    environment_["AWS_ENDPOINT_URL_STS"] = server_->url("/");
  }
};

TEST_F(S3RolesTest, AWebIdentityBecomesARole) {  // [S3CLIENT-13]
  serve_roles();
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("the+token\n");
  EXPECT_THAT(key_id(), HasSubstr("set AWS_ROLE_ARN"));
  environment_["AWS_ROLE_ARN"] = "arn:aws:iam::1:role/x";
  EXPECT_EQ(key_id(), "sts");
  EXPECT_EQ(seen().at(0).body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx&"
            "RoleSessionName=tusd&Version=2011-06-15&WebIdentityToken=the%2Btoken");
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/none";
  EXPECT_THAT(key_id(), HasSubstr("/none"));
}

TEST_F(S3CredentialsTest, StsMayRefuse) {  // [S3CLIENT-13]
  serve_keys([](Peer& peer, const SeenRequest&, int) {
    peer.send(reply(403,
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message>"
                    "</Error></ErrorResponse>"));
    return Then::keep;
  });
  environment_["AWS_ENDPOINT_URL_STS"] = server_->url("/");
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token");
  environment_["AWS_ROLE_ARN"] = "r";
  EXPECT_EQ(get().error().trouble, Trouble::refused);
  EXPECT_THAT(key_id(), HasSubstr("AccessDenied, not you"));
}

TEST_F(S3CredentialsTest, AContainerGivesKeys) {  // [S3CLIENT-13]
  serve_keys([](Peer& peer, const SeenRequest&, int) {
    peer.send(reply(200, json_keys("container", "2026-01-02T01:00:00Z")));
    return Then::keep;
  });
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server_->url("/creds");
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write("Bearer x\n");
  EXPECT_EQ(key_id(), "container");
  EXPECT_EQ(seen().at(0).line, "GET /creds HTTP/1.1");
  EXPECT_EQ(seen().at(0).field("Authorization"), "Bearer x");
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/creds";
  EXPECT_THAT(key_id(), HasSubstr("neither https"));
}

TEST_F(S3CredentialsTest, TheTokenOfAContainerIsAValueOrAFile) {  // [S3CLIENT-21]
  serve_keys([](Peer& peer, const SeenRequest&, int) {
    peer.send(reply(200, json_keys("container", "2026-01-02T01:00:00Z")));
    return Then::keep;
  });
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server_->url("/creds");
  EXPECT_EQ(key_id(), "container");
  EXPECT_EQ(seen().at(0).field("Authorization"), "");
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "the value";
  EXPECT_EQ(key_id(), "container");
  EXPECT_EQ(seen().at(1).field("Authorization"), "the value");
  // The file counts, and is read each time: whoever runs the container changes it.
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = write("from a file\n");
  const auto found = find();
  ASSERT_TRUE(found);
  EXPECT_TRUE(run(found->provider->get(in(60s))));
  EXPECT_EQ(seen().at(2).field("Authorization"), "from a file");
  write("another");
  clock_->advance(57min);
  EXPECT_TRUE(run(found->provider->get(in(60s))));
  EXPECT_EQ(seen().at(3).field("Authorization"), "another");
  environment_["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/none";
  EXPECT_THAT(key_id(), HasSubstr("/none"));
  EXPECT_EQ(seen().size(), 4u) << "asked without the token that is demanded";
}

TEST_F(S3CredentialsTest, ARelativeAddressIsThatOfEcs) {  // [S3CLIENT-22]
  environment_["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x";
  const auto found = find();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->from, "the container");
  // Nobody is there, unless this runs at AWS, and there nobody knows the path.
  const auto keys = run(found->provider->get(in(200ms)));
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().detail, HasSubstr("http://169.254.170.2/v2/credentials/x"));
  // As the SDK for Go has it.
  environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1:1/y";
  EXPECT_THAT(key_id(), HasSubstr("http://127.0.0.1:1/y"));
}

TEST_F(S3RolesTest, TheSessionHasTheNameThatIsSaid) {  // [S3CLIENT-23]
  serve_roles();
  environment_["AWS_WEB_IDENTITY_TOKEN_FILE"] = write("token");
  environment_["AWS_ROLE_ARN"] = "r";
  environment_["AWS_ROLE_SESSION_NAME"] = "uploads of eu";
  EXPECT_EQ(key_id(), "sts");
  EXPECT_EQ(seen().at(0).body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=r&RoleSessionName=uploads%20of%20eu&"
            "Version=2011-06-15&WebIdentityToken=token");
}

TEST_F(S3RolesTest, AProfileMayHaveAWebIdentity) {  // [S3CLIENT-23]
  serve_roles();
  const auto config =
      "role_arn = arn:x\nrole_session_name = named\nregion = eu-west-1\n"
      "web_identity_token_file = " +
      write("token\n") + "\n";
  for (const std::string name : {"default", "p"}) {
    SCOPED_TRACE(name);
    files_["/home/x/.aws/config"] =
        (name == "default" ? "[default]\n" : "[profile " + name + "]\n") + config;
    environment_["AWS_PROFILE"] = name == "default" ? "" : name;
    EXPECT_EQ(key_id(), "sts");
    EXPECT_EQ((*get())->token, "t");
    EXPECT_EQ(find()->region, "eu-west-1");
    EXPECT_EQ(seen().back().body,
              "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Ax&RoleSessionName=named&"
              "Version=2011-06-15&WebIdentityToken=token");
  }
}

TEST_F(S3CredentialsTest, Ec2GivesKeysOnlyToThoseWithAToken) {  // [S3CLIENT-13]
  serve_keys([](Peer& peer, const SeenRequest& request, int) {
    if (request.line.starts_with("PUT /latest/api/token ")) {
      peer.send(reply(200, "TOK"));
    } else if (request.field("X-aws-ec2-metadata-token") != "TOK") {
      peer.send(reply(401, ""));
    } else if (request.line.starts_with(
                   "GET /latest/meta-data/iam/security-credentials/role%20x ")) {
      peer.send(reply(200, json_keys("ec2", "2026-01-02T01:00:00Z")));
    } else {
      peer.send(reply(200, "role x\n"));
    }
    return Then::keep;
  });
  environment_["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = server_->url("/");
  EXPECT_EQ(key_id(), "ec2");
  EXPECT_EQ((*get())->token, "t");
}

TEST_F(S3CredentialsTest, NonsenseIsNoKey) {  // [S3CLIENT-13]
  for (const auto* text : {"", "[]", "{", "<html>", R"({"AccessKeyId":1})",
                           R"({"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"})"}) {
    serve_keys([text](Peer& peer, const SeenRequest&, int) {
      peer.send(reply(200, text));
      return Then::keep;
    });
    environment_["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server_->url("/");
    EXPECT_EQ(get().error().trouble, Trouble::unavailable) << text;
    end_client();
  }
}

// ---- refreshing ----

// Each fetch gives keys for an hour, named by its number.
class CountingSource final : public CredentialsSource {
 public:
  explicit CountingSource(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}
  Awaitable<Answer<Credentials>> fetch(Deadline) override {
    ++fetches;
    begun.set();
    if (gate != nullptr) co_await gate->wait(Deadline::never());
    if (fails) co_return trouble(Trouble::unavailable, "not now");
    co_return Credentials{.key_id = std::to_string(fetches),
                          .secret = "s",
                          .token = {},
                          .expires = clock_->wall() + 1h};
  }
  std::atomic<int> fetches = 0;
  std::atomic<bool> fails = false;
  Event* gate = nullptr;
  Event begun;

 private:
  std::shared_ptr<Clock> clock_;
};

class S3RefreshTest : public ::testing::Test {
 protected:
  S3RefreshTest() {
    auto source = std::make_unique<CountingSource>(clock_);
    source_ = source.get();
    keys_ = std::make_unique<RefreshedCredentials>(std::move(source), clock_,
                                                   std::make_shared<NoLogger>());
  }
  std::string id() {
    const auto got = tus::testing::run(keys_->get(in(60s)));
    return got ? (*got)->key_id : got.error().detail;
  }

  std::shared_ptr<tus::testing::ManualClock> clock_ = std::make_shared<tus::testing::ManualClock>();
  CountingSource* source_ = nullptr;
  std::unique_ptr<RefreshedCredentials> keys_;
};

TEST_F(S3RefreshTest, KeysAreReplacedBeforeTheyExpire) {  // [S3CLIENT-14]
  EXPECT_EQ(id(), "1");
  clock_->advance(50min);
  EXPECT_EQ(id(), "1");
  clock_->advance(6min);
  EXPECT_EQ(id(), "2");
  EXPECT_EQ(source_->fetches, 2);
}

TEST_F(S3RefreshTest, TheOldOnesAreUsedAsLongAsTheyHold) {  // [S3CLIENT-14]
  EXPECT_EQ(id(), "1");
  source_->fails = true;
  clock_->advance(56min);
  EXPECT_EQ(id(), "1");
  EXPECT_EQ(id(), "1");
  EXPECT_EQ(source_->fetches, 2) << "not with every request";
  clock_->advance(1min);
  EXPECT_EQ(id(), "1");
  EXPECT_EQ(source_->fetches, 3);
  clock_->advance(3min);
  EXPECT_EQ(id(), "not now");
  source_->fails = false;
  EXPECT_EQ(id(), "5");
}

TEST_F(S3RefreshTest, RejectedKeysAreReplacedOnce) {  // [S3CLIENT-14]
  const auto first = *tus::testing::run(keys_->get(in(60s)));
  keys_->rejected(first);
  EXPECT_EQ(id(), "2");
  keys_->rejected(first);
  EXPECT_EQ(id(), "2") << "these are others";
}

Awaitable<void> ask(RefreshedCredentials& keys, std::atomic<int>& got) {
  const auto answer = co_await keys.get(in(60s));
  if (answer && (*answer)->key_id == "1") ++got;
}

Awaitable<void> ask_many(RefreshedCredentials& keys, Event& gate, CountingSource& source,
                         std::atomic<int>& got) {
  auto executor = co_await asio::this_coro::executor;
  TaskGroup group({});
  for (int i = 0; i < 20; ++i) group.spawn(executor, ask(keys, got));
  EXPECT_TRUE(co_await source.begun.wait(in(60s)));
  gate.set();
  EXPECT_TRUE(co_await group.close(in(60s)));
}

TEST_F(S3RefreshTest, OneFetchServesAllWhoWait) {  // [S3CLIENT-14]
  Event gate;
  source_->gate = &gate;
  std::atomic<int> got = 0;
  tus::testing::run(ask_many(*keys_, gate, *source_, got));
  EXPECT_EQ(got, 20);
  EXPECT_EQ(source_->fetches, 1);
}

class S3ExpiredKeysTest : public ClientTest {};

TEST_F(S3ExpiredKeysTest, KeysThatS3CallsExpiredAreReplacedAtOnce) {  // [S3CLIENT-14]
  const auto clock = std::make_shared<tus::testing::ManualClock>();
  parts_.credentials =
      std::make_shared<RefreshedCredentials>(std::make_unique<CountingSource>(clock), clock, log_);
  serve([](Peer& peer, const SeenRequest& request, int) {
    const bool first = request.field("authorization").contains("Credential=1/");
    peer.send(first ? error(400, "ExpiredToken") : reply(204, ""));
    return Then::keep;
  });
  EXPECT_TRUE(run(s3().delete_object({"b", "k"}, in(60s))));
  EXPECT_EQ(seen().size(), 2u);
}

}  // namespace
}  // namespace tus::s3::test
