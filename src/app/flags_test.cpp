#include "app/flags.h"

#include "app/configure.h"
#include "app/flag_values.h"
#include "app/start_lines.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string_view>
#include <vector>

namespace tus::app {
namespace {

using namespace std::chrono_literals;
using Args = std::vector<std::string_view>;

Config parsed(const Args& args) {
  auto config = configure(args, {});
  EXPECT_TRUE(config.has_value()) << config.error();
  return config.value_or(Config());
}

std::string complaint(const Args& args) {
  auto config = configure(args, {});
  EXPECT_FALSE(config.has_value()) << args[0];
  return config ? "" : config.error();
}

TEST(Flags, DefaultsAreTheDocumentedOnes) {
  const auto config = parsed({});
  EXPECT_EQ(config.host, "0.0.0.0");
  EXPECT_EQ(config.port, 1080);
  EXPECT_EQ(config.base_path, "/files/");
  EXPECT_EQ(config.files.directory, "./data");
  EXPECT_EQ(config.files.fsync, FsyncPolicy::finish);
  EXPECT_EQ(config.network_timeout, 60s);
  EXPECT_EQ(config.max_size, 0u);
}

// What the table calls the default is what comes out when nothing is said. [FLAG-10]
TEST(Flags, TheTablesDefaultsAreTheRealOnes) {
  const auto table = make_flag_table();
  for (const auto& flag : table) {
    if (flag.set == nullptr || flag.standard.empty()) continue;
    Config changed;
    EXPECT_EQ(flag.set(changed, flag.standard), "") << flag.name;
    const Config untouched;
    EXPECT_EQ(changed.port, untouched.port) << flag.name;
    EXPECT_EQ(changed.host, untouched.host) << flag.name;
    EXPECT_EQ(changed.base_path, untouched.base_path) << flag.name;
    EXPECT_EQ(changed.max_size, untouched.max_size) << flag.name;
    EXPECT_EQ(changed.store, untouched.store) << flag.name;
    EXPECT_EQ(changed.files.directory, untouched.files.directory) << flag.name;
    EXPECT_EQ(changed.files.fsync, untouched.files.fsync) << flag.name;
    EXPECT_EQ(changed.files.dir_perms, untouched.files.dir_perms) << flag.name;
    EXPECT_EQ(changed.files.file_perms, untouched.files.file_perms) << flag.name;
    EXPECT_EQ(changed.locker, untouched.locker) << flag.name;
    EXPECT_EQ(changed.lock_holder_poll, untouched.lock_holder_poll) << flag.name;
    EXPECT_EQ(changed.lock_acquirer_poll, untouched.lock_acquirer_poll) << flag.name;
    EXPECT_EQ(changed.finish_attempts, untouched.finish_attempts) << flag.name;
    EXPECT_EQ(changed.network_timeout, untouched.network_timeout) << flag.name;
    EXPECT_EQ(changed.acquire_lock_timeout, untouched.acquire_lock_timeout) << flag.name;
    EXPECT_EQ(changed.shutdown_timeout, untouched.shutdown_timeout) << flag.name;
    EXPECT_EQ(changed.request_completion_timeout, untouched.request_completion_timeout)
        << flag.name;
    EXPECT_EQ(changed.threads, untouched.threads) << flag.name;
    EXPECT_EQ(changed.zero_copy, untouched.zero_copy) << flag.name;
    EXPECT_EQ(changed.metrics_path, untouched.metrics_path) << flag.name;
    EXPECT_EQ(changed.expose_metrics, untouched.expose_metrics) << flag.name;
    EXPECT_EQ(changed.show_greeting, untouched.show_greeting) << flag.name;
    EXPECT_EQ(changed.show_startup_logs, untouched.show_startup_logs) << flag.name;
    EXPECT_EQ(changed.verbose, untouched.verbose) << flag.name;
    EXPECT_EQ(changed.log_format, untouched.log_format) << flag.name;
  }
}

TEST(Flags, TakesEveryFormOfGo) {  // [FLAG-1]
  for (const Args& args : {Args{"-port", "99"}, Args{"-port=99"}, Args{"--port=99"},
                           Args{"--port", "99"}, Args{"-port", "99", "--"}}) {
    EXPECT_EQ(parsed(args).port, 99) << args[0];
  }
  EXPECT_FALSE(parsed({"-expose-metrics=false"}).expose_metrics);
  EXPECT_FALSE(parsed({"-expose-metrics", "false"}).expose_metrics);
  EXPECT_FALSE(parsed({"--expose-metrics=0", "-port", "1"}).expose_metrics);
  const auto both = parsed({"-verbose", "-port", "7"});
  EXPECT_TRUE(both.verbose);
  EXPECT_EQ(both.port, 7);
  EXPECT_EQ(complaint({"--", "-port"}), "unexpected argument \"-port\"");
  EXPECT_EQ(complaint({"-"}), "unexpected argument \"-\"");
  EXPECT_EQ(complaint({"-=x"}), "unexpected argument \"-=x\"");
  EXPECT_EQ(parsed({"-port=1", "-port=2"}).port, 2);
}

TEST(Flags, ChoosesTheLocker) {  // [LOCK-25]
  EXPECT_EQ(parsed({}).locker, LockerKind::as_store);
  EXPECT_EQ(parsed({"-locker=file"}).locker, LockerKind::file);
  EXPECT_EQ(parsed({"-locker", "memory"}).locker, LockerKind::memory);
  EXPECT_EQ(parsed({"-locker=none"}).locker, LockerKind::none);
  EXPECT_NE(complaint({"-locker=redis"}).find("want file, memory or none"), std::string::npos);
  const auto polling =
      parsed({"-filelock-holder-poll-interval", "1s", "-filelock-acquirer-poll-interval=250ms"});
  EXPECT_EQ(polling.lock_holder_poll, 1s);
  EXPECT_EQ(polling.lock_acquirer_poll, 250ms);
}

TEST(Flags, AliasesMeanTheSame) {
  EXPECT_EQ(parsed({"-dir", "/x"}).files.directory, "/x");
  EXPECT_EQ(parsed({"-upload-dir", "/x"}).files.directory, "/x");
  EXPECT_EQ(parsed({"-timeout", "1500"}).network_timeout, 1500ms);
  EXPECT_EQ(parsed({"-timeout", "0"}).network_timeout, 0ms);
  EXPECT_EQ(parsed({"-network-timeout", "1m30s"}).network_timeout, 90s);
}

TEST(Flags, BasePathGetsItsSlashes) {
  EXPECT_EQ(parsed({"-base-path", "up"}).base_path, "/up/");
  EXPECT_EQ(parsed({"-base-path", "/"}).base_path, "/");
  EXPECT_EQ(parsed({"-base-path", "/a/b/"}).base_path, "/a/b/");
  EXPECT_EQ(parsed({"-base-path", "/up"}).base_path, "/up/");
  EXPECT_EQ(parsed({"-base-path", "up/"}).base_path, "/up/");
  EXPECT_EQ(parsed({"-base-path", "/up"}).location.origin, "");
}

TEST(Flags, BasePathMayBeAWholeUrl) {  // [PROXY-9]
  const std::array<std::array<std::string_view, 3>, 6> rows{
      {{"https://u.example/files/", "https://u.example", "/files/"},
       {"https://u.example/a/b", "https://u.example", "/a/b/"},
       {"https://u.example:8443/", "https://u.example:8443", "/"},
       {"http://[2001:db8::1]:80/up", "http://[2001:db8::1]:80", "/up/"},
       {"HTTPS://U.example", "https://U.example", "/"},
       {"http://u.example/", "http://u.example", "/"}}};
  for (const auto& [url, origin, path] : rows) {
    const auto config = parsed({"-base-path", url});
    EXPECT_EQ(config.location.origin, origin) << url;
    EXPECT_EQ(config.base_path, path) << url;
  }
  for (std::string_view bad :
       {"ftp://u.example/", "https:///files/", "https://a b/", "https://me@u.example/files/",
        "https://u.example/files/?a=b", "https://u.example/#x", "https://u.example//files/",
        "://u.example/", "https://u.example:99999/", "https://[::1/", "/a://b/", "//u.example/"}) {
    EXPECT_NE(complaint({"-base-path", bad}).find("invalid value"), std::string::npos) << bad;
  }
  EXPECT_EQ(complaint({"-base-path=https://u.example/files/", "-relative-location"}),
            "-relative-location and a whole URL as -base-path contradict each other");
}

TEST(Flags, WhatUrlsOfUploadsAreMadeOf) {  // [PROXY-1] [PROXY-7] [PROXY-8]
  const auto usual = parsed({}).location;
  EXPECT_FALSE(usual.behind_proxy || usual.relative);
  EXPECT_TRUE(usual.allowed_hosts.empty() && usual.origin.empty());
  EXPECT_TRUE(parsed({"-behind-proxy"}).location.behind_proxy);
  EXPECT_TRUE(parsed({"-relative-location"}).location.relative);
  EXPECT_EQ(parsed({"-allowed-hosts", "a.example, *.b.example:8443,[::1]"}).location.allowed_hosts,
            (std::vector<std::string>{"a.example", "*.b.example:8443", "[::1]"}));
  EXPECT_TRUE(parsed({"-allowed-hosts="}).location.allowed_hosts.empty());
  for (std::string_view bad : {"a b", "http://a", "a,,b", ",", "a/b", "*.*.a", "a.*", "*", "me@a",
                               "a:x", "::1", "[::1]]"}) {
    EXPECT_NE(complaint({"-allowed-hosts", bad}).find("invalid value"), std::string::npos) << bad;
  }
}

TEST(Flags, PermsAreOctal) {
  EXPECT_EQ(parsed({"-dir-perms", "0700"}).files.dir_perms, 0700u);
  EXPECT_EQ(parsed({"-file-perms", "600"}).files.file_perms, 0600u);
}

TEST(Flags, WhatIsWrongIsNamed) {  // [FLAG-2]
  EXPECT_EQ(complaint({"-nonesuch"}), "flag provided but not defined: -nonesuch");
  EXPECT_EQ(complaint({"-port"}), "flag needs an argument: -port");
  EXPECT_EQ(complaint({"stray"}), "unexpected argument \"stray\"");
  EXPECT_EQ(complaint({"-port", "70000"}),
            "invalid value \"70000\" for flag -port: want a port from 0 to 65535");
  for (const Args& args :
       {Args{"-port", "-1"}, Args{"-port", "+1"}, Args{"-max-size", "1k"}, Args{"-fsync", "maybe"},
        Args{"-store", "tape"}, Args{"-dir-perms", "999"}, Args{"-network-timeout", "10"},
        Args{"-expose-metrics=perhaps"}, Args{"-base-path", "/a b/"}, Args{"-upload-dir", ""},
        Args{"-max-size", "9223372036854775808"}, Args{"-locker", "redis"},
        Args{"-log-format", "xml"}, Args{"-threads", "1025"}, Args{"-finish-attempts", "0"},
        Args{"-disable-cors=perhaps"}}) {
    EXPECT_NE(complaint(args).find("invalid value"), std::string::npos) << args[0];
  }
}

TEST(Flags, TheNearestKnownFlagIsSuggested) {  // [FLAG-4]
  EXPECT_EQ(complaint({"-prot", "1"}), "flag provided but not defined: -prot; did you mean -port?");
  EXPECT_EQ(complaint({"--uplod-dir=x"}),
            "flag provided but not defined: -uplod-dir; did you mean -upload-dir?");
  EXPECT_EQ(complaint({"-generat"}).find("-generate"), std::string::npos) << "a hidden one";
}

TEST(Flags, WhatIsNotBuiltIsRefusedAndNotIgnored) {  // [FLAG-5]
  EXPECT_EQ(complaint({"-gcs-bucket", "b"}),
            "flag -gcs-bucket: this build of tusd cannot store uploads in Google Cloud Storage");
  EXPECT_EQ(complaint({"-hooks-plugin=x"}),
            "flag -hooks-plugin: this build of tusd cannot load Go plugins, and none will");
  for (const Args& args :
       {Args{"-hooks-grpc=h"}, Args{"-tls-certificate=x"}, Args{"-azure-storage=c"},
        Args{"-gcs-bucket=b"}, Args{"-hooks-grpc-retry", "4"}, Args{"-tls-mode=tls13"},
        Args{"-enable-h2c=1"}, Args{"-enable-experimental-protocol"}}) {
    EXPECT_NE(complaint(args).find("this build of tusd cannot "), std::string::npos) << args[0];
  }
}

TEST(Flags, ABucketIsWhereUploadsGo) {  // [S3-37]
  const auto config =
      parsed({"-s3-bucket=b", "-s3-endpoint=http://127.0.0.1:1", "-s3-part-size=6000000",
              "-s3-server-side-encryption=aws:kms", "-s3-single-instance"});
  EXPECT_EQ(config.store, StoreKind::s3);
  EXPECT_EQ(config.s3.store.bucket, "b");
  EXPECT_EQ(config.s3.store.part_size, 6'000'000u);
  EXPECT_EQ(config.s3.store.encryption, S3Encryption::sse_kms);
  EXPECT_TRUE(config.s3.store.single_instance);
  EXPECT_EQ(parsed({"-s3-bucket="}).store, StoreKind::file);
  EXPECT_NE(complaint({"-s3-endpoint=ftp://x"}).find("invalid value"), std::string::npos);
}

TEST(Flags, AValueThatAsksForNothingIsNotRefused) {  // [FLAG-5]
  EXPECT_TRUE(parsed({"-enable-h2c=false", "-s3-bucket=", "-hooks-http-retry=3", "-expire-after=0s",
                      "-store-size=0", "-progress-hooks-interval", "1000ms", "-tls-mode=tls12",
                      "-hooks-plugin="})
                  .warnings.empty());
  // What is not there is switched off.
  EXPECT_TRUE(parsed({"-disable-concatenation"}).warnings.empty());
}

TEST(Flags, SwitchesOffWhatClientsMayDo) {  // [DL-14] [TERM-79] [TERM-80]
  const auto usual = parsed({});
  EXPECT_FALSE(usual.disable_download || usual.disable_termination ||
               usual.disable_termination_finished);
  EXPECT_TRUE(parsed({"-disable-download"}).disable_download);
  EXPECT_TRUE(parsed({"-disable-termination=true"}).disable_termination);
  EXPECT_FALSE(parsed({"-disable-termination", "false"}).disable_termination);
  EXPECT_TRUE(parsed({"-disable-termination-finished"}).disable_termination_finished);
}

TEST(Flags, Cors) {  // [CORS-6]
  EXPECT_FALSE(parsed({}).disable_cors);
  EXPECT_EQ(parsed({}).cors_allow_origin, ".*");
  const auto config = parsed({"-cors-allow-origin", "^https://a$", "-cors-allow-credentials",
                              "-cors-allow-methods=PUT", "-cors-allow-headers=X-A, X-B",
                              "-cors-max-age=5", "-cors-expose-headers", "X-C"});
  EXPECT_EQ(config.cors_allow_origin, "^https://a$");
  EXPECT_TRUE(config.cors_allow_credentials);
  EXPECT_EQ(config.cors_allow_methods, "PUT");
  EXPECT_EQ(config.cors_allow_headers, "X-A, X-B");
  EXPECT_EQ(config.cors_max_age, 5u);
  EXPECT_EQ(config.cors_expose_headers, "X-C");
  EXPECT_TRUE(parsed({"-disable-cors"}).disable_cors);
  EXPECT_NE(complaint({"-cors-allow-origin=("}).find("want a regular expression"),
            std::string::npos);
  EXPECT_NE(complaint({"-cors-allow-headers=X\r\nY"}).find("want names"), std::string::npos);
  EXPECT_NE(complaint({"-cors-max-age=long"}).find("want a number"), std::string::npos);
}

TEST(Flags, JoiningUploads) {  // [FLAG-5] [CONCAT-92]
  EXPECT_FALSE(parsed({}).disable_concatenation);
  EXPECT_FALSE(parsed({}).concat_remove_parts);
  EXPECT_TRUE(parsed({"-disable-concatenation"}).disable_concatenation);
  EXPECT_FALSE(parsed({"-disable-concatenation", "false"}).disable_concatenation);
  EXPECT_TRUE(parsed({"-concat-remove-parts=true"}).concat_remove_parts);
}

TEST(Flags, ProfilesOfGoAreAcceptedWithAWarning) {  // [FLAG-5]
  const auto config = parsed({"-expose-pprof", "-pprof-path=/p", "-pprof-block-profile-rate=0"});
  ASSERT_EQ(config.warnings.size(), 2u);
  EXPECT_EQ(config.warnings[0],
            "flag -expose-pprof: this build of tusd cannot profile itself as Go programs do, the "
            "option changes nothing");
}

TEST(Flags, EveryRowIsComplete) {
  const auto table = make_flag_table();
  std::set<std::string_view> names;
  for (const auto& flag : table) {
    for (const auto name : names_of(flag)) EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(flag.help.empty()) << flag.name;
    EXPECT_EQ(flag.set != nullptr, flag.support == FlagSupport::works) << flag.name;
    EXPECT_EQ(flag.value.empty(), flag.kind == FlagKind::boolean) << flag.name;
    const bool explained =
        flag.support == FlagSupport::works || flag.support == FlagSupport::already;
    EXPECT_EQ(flag.lacks.empty(), explained) << flag.name;
    for (const auto choice : choices_of(flag)) {
      Config config;
      if (flag.set != nullptr) EXPECT_EQ(flag.set(config, choice), "") << flag.name << choice;
    }
  }
}

// The command line of Go's tusd, version 2, as its source lists it. [FLAG-6]
TEST(Flags, EveryFlagOfGosServerIsKnown) {
  const auto table = make_flag_table();
  for (std::string_view name :
       {"host", "port", "unix-sock", "base-path", "behind-proxy", "enable-h2c", "tls-certificate",
        "tls-key", "tls-mode", "enable-experimental-protocol", "disable-download",
        "disable-termination", "disable-concatenation", "max-size", "disable-cors",
        "cors-allow-origin", "cors-allow-credentials", "cors-allow-methods", "cors-allow-headers",
        "cors-max-age", "cors-expose-headers", "upload-dir", "dir-perms", "file-perms",
        "filelock-holder-poll-interval", "filelock-acquirer-poll-interval", "s3-bucket",
        "s3-object-prefix", "s3-endpoint", "s3-part-size", "s3-min-part-size",
        "s3-max-buffered-parts", "s3-disable-content-hashes", "s3-disable-ssl",
        "s3-concurrent-part-uploads", "s3-transfer-acceleration", "s3-log-api-calls", "gcs-bucket",
        "gcs-object-prefix", "azure-storage", "azure-container-access-type",
        "azure-blob-access-tier", "azure-object-prefix", "azure-endpoint", "hooks-enabled-events",
        "progress-hooks-interval", "hooks-dir", "hooks-http", "hooks-http-forward-headers",
        "hooks-http-retry", "hooks-http-backoff", "hooks-http-timeout", "hooks-http-size-limit",
        "hooks-grpc", "hooks-grpc-retry", "hooks-grpc-backoff", "hooks-grpc-secure",
        "hooks-grpc-server-tls-certificate", "hooks-grpc-client-tls-certificate",
        "hooks-grpc-client-tls-key", "hooks-grpc-forward-headers", "hooks-plugin", "expose-metrics",
        "metrics-path", "expose-pprof", "pprof-path", "pprof-block-profile-rate",
        "pprof-mutex-profile-rate", "show-greeting", "show-startup-logs", "version", "verbose",
        "log-format", "network-timeout", "shutdown-timeout", "acquire-lock-timeout",
        "request-completion-timeout",
        // and of version 1, as far as scripts still use it
        "dir", "timeout", "store-size"}) {
    EXPECT_NE(find_flag(table, name), nullptr) << name;
  }
}

TEST(GoDuration, ReadsWhatGoReads) {
  EXPECT_EQ(parse_go_duration("0"), 0ms);
  EXPECT_EQ(parse_go_duration("1h2m3s4ms"), 1h + 2min + 3s + 4ms);
  EXPECT_EQ(parse_go_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_go_duration(".5s"), 500ms);
  EXPECT_EQ(parse_go_duration("100ns"), 1ms) << "rounded up: never shorter than asked";
  for (std::string_view bad :
       {"", "5", "s", "-1s", "+1s", "1 s", "1d", "1e3s", "nans", "99999999999h"}) {
    EXPECT_FALSE(parse_go_duration(bad)) << bad;
  }
}

TEST(StartLines, AreTusdsLinesInOrder) {  // [FLAG-3]
  Config config;
  config.files.directory = "/srv/up/";
  config.max_size = 3 << 20;
  const std::vector<std::string> expected{
      "Using '/srv/up' as directory storage.",
      "Using 3.00MB as maximum size.",
      "Supported tus extensions: a,b",
      "Using 0.0.0.0:4321 as address to listen.",
      "Using /files/ as the base path.",
      "Using /metrics as the metrics path.",
      "You can now upload files to: http://0.0.0.0:4321/files/"};
  EXPECT_EQ(start_lines(config, "a,b", {{.address = "0.0.0.0:4321"}}), expected);
  config.location.origin = "https://u.example";
  const auto lines = start_lines(config, "a,b", {{.address = "0.0.0.0:4321"}});
  EXPECT_EQ(lines[4], "Using https://u.example/files/ as the base path.");  // [PROXY-9]
  EXPECT_EQ(lines.back(), expected.back());
}

}  // namespace
}  // namespace tus::app
