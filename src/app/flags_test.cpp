#include "app/flags.h"

#include "app/flag_values.h"
#include "app/start_lines.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace tus::app {
namespace {

using namespace std::chrono_literals;
using Args = std::vector<std::string_view>;

Config parsed(const Args& args) {
  auto config = parse_flags(args);
  EXPECT_TRUE(config.has_value()) << config.error();
  return config.value_or(Config());
}

std::string complaint(const Args& args) {
  auto config = parse_flags(args);
  EXPECT_FALSE(config.has_value());
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

TEST(Flags, TakesEveryFormOfGo) {  // [FLAG-1]
  for (const Args& args :
       {Args{"-port", "99"}, Args{"-port=99"}, Args{"--port=99"}, Args{"--port", "99"}}) {
    EXPECT_EQ(parsed(args).port, 99) << args[0];
  }
  EXPECT_FALSE(parsed({"-expose-metrics=false"}).expose_metrics);
  EXPECT_FALSE(parsed({"-expose-metrics", "false"}).expose_metrics);
  EXPECT_FALSE(parsed({"--expose-metrics=0", "-port", "1"}).expose_metrics);
  const auto both = parsed({"-verbose", "-port", "7"});
  EXPECT_TRUE(both.verbose);
  EXPECT_EQ(both.port, 7);
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
}

TEST(Flags, PermsAreOctal) {
  EXPECT_EQ(parsed({"-dir-perms", "0700"}).files.dir_perms, 0700u);
  EXPECT_EQ(parsed({"-file-perms", "600"}).files.file_perms, 0600u);
}

TEST(Flags, WhatIsWrongIsNamed) {  // [FLAG-2]
  EXPECT_EQ(complaint({"-nope"}), "flag provided but not defined: -nope");
  EXPECT_EQ(complaint({"-port"}), "flag needs an argument: -port");
  EXPECT_EQ(complaint({"stray"}), "unexpected argument \"stray\"");
  EXPECT_EQ(complaint({"-port", "70000"}),
            "invalid value \"70000\" for flag -port: want a port from 0 to 65535");
  for (const Args& args :
       {Args{"-port", "-1"}, Args{"-port", "+1"}, Args{"-max-size", "1k"}, Args{"-fsync", "maybe"},
        Args{"-store", "s3"}, Args{"-dir-perms", "999"}, Args{"-network-timeout", "10"},
        Args{"-expose-metrics=perhaps"}, Args{"-base-path", "/a b/"}, Args{"-upload-dir", ""},
        Args{"-max-size", "9223372036854775808"}}) {
    EXPECT_NE(complaint(args).find("invalid value"), std::string::npos) << args[0];
  }
}

TEST(Flags, HelpNamesEveryFlagOnce) {
  const auto text = flags_help();
  for (std::string_view name :
       {"-host ", "-port ", "-upload-dir, -dir ", "-base-path ", "-max-size ", "-network-timeout ",
        "-timeout ", "-threads ", "-fsync ", "-store "}) {
    const auto first = text.find("  " + std::string(name));
    EXPECT_NE(first, std::string::npos) << name;
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
  EXPECT_EQ(start_lines(config, "a,b", 4321), expected);
}

}  // namespace
}  // namespace tus::app
