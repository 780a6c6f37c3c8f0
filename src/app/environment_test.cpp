#include "app/environment.h"

#include "app/configure.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace tus::app {
namespace {

using Entries = std::vector<std::string_view>;

Config configured(const Entries& environment, const Entries& args = {}) {
  auto config = configure(args, environment);
  EXPECT_TRUE(config.has_value()) << config.error();
  return config.value_or(Config());
}

std::string complaint(const Entries& environment) {
  auto config = configure({}, environment);
  EXPECT_FALSE(config.has_value());
  return config ? "" : config.error();
}

// A file with this content, gone at the end.
class TextFile {
 public:
  explicit TextFile(std::string_view content) {
    std::string pattern = testing::TempDir() + "tusd-environment-XXXXXX";
    const int fd = ::mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    path_ = pattern;
    std::ofstream(path_) << content;
  }
  ~TextFile() { std::remove(path_.c_str()); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Environment, NamesFollowFromTheFlags) {
  EXPECT_EQ(variable_name("upload-dir"), "TUSD_UPLOAD_DIR");
  EXPECT_EQ(variable_name("s3-bucket"), "TUSD_S3_BUCKET");
}

TEST(Environment, EveryOptionIsAVariable) {  // [FLAG-7]
  const auto config =
      configured({"PATH=/bin", "TUSD_UPLOAD_DIR=/u", "TUSD_PORT=99", "TUSD_EXPOSE_METRICS=false",
                  "TUSD_VERBOSE=1", "TUSD_NETWORK_TIMEOUT=2m", "TUSD_FSYNC=off"});
  EXPECT_EQ(config.files.directory, "/u");
  EXPECT_EQ(config.port, 99);
  EXPECT_FALSE(config.expose_metrics);
  EXPECT_TRUE(config.verbose);
  EXPECT_EQ(config.network_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config.files.fsync, FsyncPolicy::off);
  EXPECT_EQ(configured({"TUSD_DIR=/alias"}).files.directory, "/alias");
}

TEST(Environment, AnOptionsOwnNameComesBeforeItsAlias) {
  EXPECT_EQ(configured({"TUSD_UPLOAD_DIR=/own", "TUSD_DIR=/alias"}).files.directory, "/own");
  EXPECT_EQ(configured({"TUSD_DIR=/alias", "TUSD_UPLOAD_DIR=/own"}).files.directory, "/own");
}

TEST(Environment, FlagsComeFirst) {  // [FLAG-7]
  EXPECT_EQ(configured({"TUSD_PORT=1"}, {"-port=2"}).port, 2);
}

TEST(Environment, WhatIsEmptyIsNotSet) {
  EXPECT_EQ(configured({"TUSD_PORT=", "TUSD_UPLOAD_DIR="}).files.directory, "./data");
}

TEST(Environment, ABadValueIsNamedWithItsVariable) {  // [FLAG-7]
  EXPECT_EQ(
      complaint({"TUSD_PORT=http"}),
      "invalid value \"http\" for environment variable TUSD_PORT: want a port from 0 to 65535");
  EXPECT_EQ(
      complaint({"TUSD_GCS_BUCKET=b"}),
      "environment variable TUSD_GCS_BUCKET: this build of tusd cannot store uploads in Google "
      "Cloud Storage");
}

TEST(Environment, UnknownVariablesAreOnlyWarnedOf) {  // [FLAG-7]
  const auto config = configured({"TUSD_HOME=/opt", "TUSD_VERSION=2.4", "TUSD_port=5", "TUSD=1",
                                  "TUSD_GENERATE=man", "TUSDX_PORT=3"});
  EXPECT_EQ(config.port, 1080);
  EXPECT_FALSE(config.show_version);
  EXPECT_EQ(config.warnings,
            (std::vector<std::string>{"environment variable TUSD_HOME is no option of tusd",
                                      "environment variable TUSD_VERSION is no option of tusd",
                                      "environment variable TUSD_port is no option of tusd",
                                      "environment variable TUSD_GENERATE is no option of tusd"}));
}

// ---- secrets, with a table of their own: no option of this build is one

Complaint remember(Config& config, std::string_view value) {
  config.host = value;
  return value == "bad" ? "want another one" : "";
}

std::vector<Flag> table_with_secret() {
  return {Flag{.name = "key",
               .value = "KEY",
               .help = "a secret",
               .set = remember,
               .secrecy = FlagSecrecy::secret},
          Flag{.name = "open", .value = "X", .help = "none", .set = remember}};
}

TEST(Secrets, ComeFromFiles) {  // [FLAG-8]
  const auto table = table_with_secret();
  const TextFile file("s3cr3t\n");
  const std::string entry = "TUSD_KEY_FILE=" + file.path();
  auto read = read_environment(table, Entries{entry});
  ASSERT_TRUE(read.has_value()) << read.error();
  Config config;
  ASSERT_TRUE(apply_settings(read->settings, config).has_value());
  EXPECT_EQ(config.host, "s3cr3t");
}

TEST(Secrets, OnlySecretsDo) {  // [FLAG-8]
  const auto table = table_with_secret();
  const TextFile file("x");
  const std::string entry = "TUSD_OPEN_FILE=" + file.path();
  auto read = read_environment(table, Entries{entry});
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->settings.empty());
  EXPECT_EQ(read->warnings.size(), 1u);
}

TEST(Secrets, AreNeverRepeated) {  // [FLAG-8]
  const auto table = table_with_secret();
  auto read = read_environment(table, Entries{"TUSD_KEY=bad"});
  ASSERT_TRUE(read.has_value());
  Config config;
  const auto applied = apply_settings(read->settings, config);
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(applied.error(), "invalid value for environment variable TUSD_KEY: want another one");
}

TEST(Secrets, BothFormsAtOnceAreRefused) {  // [FLAG-8]
  const auto table = table_with_secret();
  const TextFile file("x");
  const std::string entry = "TUSD_KEY_FILE=" + file.path();
  const auto read = read_environment(table, Entries{"TUSD_KEY=y", entry});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(
      read.error(),
      "environment variable TUSD_KEY_FILE and environment variable TUSD_KEY are both set; one "
      "of them has to go");
}

TEST(Secrets, AFileThatCannotBeReadIsNamed) {  // [FLAG-8]
  const auto table = table_with_secret();
  const auto missing = read_environment(table, Entries{"TUSD_KEY_FILE=/nonexistent/key"});
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error(),
            "environment variable TUSD_KEY_FILE: cannot read /nonexistent/key: No such file or "
            "directory");
  const TextFile nothing("\n");
  const std::string entry = "TUSD_KEY_FILE=" + nothing.path();
  const auto empty = read_environment(table, Entries{entry});
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error(), "environment variable TUSD_KEY_FILE: " + nothing.path() + " is empty");
}

}  // namespace
}  // namespace tus::app
