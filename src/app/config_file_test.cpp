#include "app/config_file.h"

#include <gtest/gtest.h>

namespace tus::app {
namespace {

Config configured(std::string_view text) {
  const auto table = make_flag_table();
  auto settings = parse_config(table, text, "tusd.toml");
  EXPECT_TRUE(settings.has_value()) << settings.error();
  Config config;
  if (settings) {
    const auto applied = apply_settings(*settings, config);
    EXPECT_TRUE(applied.has_value()) << applied.error();
  }
  return config;
}

std::string complaint(std::string_view text) {
  const auto table = make_flag_table();
  auto settings = parse_config(table, text, "tusd.toml");
  if (!settings) return settings.error();
  Config config;
  const auto applied = apply_settings(*settings, config);
  EXPECT_FALSE(applied.has_value()) << text;
  return applied ? "" : applied.error();
}

TEST(ConfigFile, KeysAreFlagsAtTheTopOrInTheirGroup) {  // [FLAG-9]
  const auto config = configured(
      "port = 99\n"
      "dir-perms = \"0700\"\n"
      "verbose = true\n"
      "[timeouts]\n"
      "network-timeout = \"2m\"\n"
      "[file-storage]\n"
      "dir = \"/u\"\n"
      "store = 'memory'\n");
  EXPECT_EQ(config.port, 99);
  EXPECT_EQ(config.files.dir_perms, 0700u);
  EXPECT_TRUE(config.verbose);
  EXPECT_EQ(config.network_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config.files.directory, "/u");
  EXPECT_EQ(config.store, StoreKind::memory);
}

TEST(ConfigFile, AnEmptyOneSaysNothing) { EXPECT_EQ(configured("# nothing\n").port, 1080); }

TEST(ConfigFile, WhatIsWrongIsNamedWithItsLine) {  // [FLAG-9]
  EXPECT_EQ(complaint("host = \"a\"\nprot = 1\n"),
            "tusd.toml:2: unknown option prot; did you mean port?");
  EXPECT_EQ(complaint("\n\n[nonesuch]\nport = 1\n"), "tusd.toml:3: unknown table [nonesuch]");
  EXPECT_EQ(complaint("port = \"1080\"\n"),
            "tusd.toml:1: option port has the wrong type: want a number, without quotes");
  EXPECT_EQ(complaint("host = \"a\"\nverbose = 1\n"),
            "tusd.toml:2: option verbose has the wrong type: want true or false, without quotes");
  EXPECT_EQ(
      complaint("dir-perms = 775\n"),
      "tusd.toml:1: option dir-perms has the wrong type: want a mode in quotes, such as \"0775\"");
  EXPECT_EQ(
      complaint("shutdown-timeout = 5\n"),
      "tusd.toml:1: option shutdown-timeout has the wrong type: want a duration in quotes, such "
      "as \"60s\"");
  EXPECT_EQ(complaint("upload-dir = [\"a\"]\n"),
            "tusd.toml:1: option upload-dir has the wrong type: want a text in quotes");
  EXPECT_EQ(complaint("\nport = 70000\n"),
            "tusd.toml:2: invalid value \"70000\" for option port: want a port from 0 to 65535");
  EXPECT_EQ(complaint("port = -1\n"),
            "tusd.toml:1: invalid value \"-1\" for option port: want a port from 0 to 65535");
  EXPECT_EQ(complaint("[cors]\nport = 1\n"),
            "tusd.toml:2: option port belongs to [listening], not to [cors]");
  EXPECT_EQ(complaint("[gcs]\ngcs-bucket = \"b\"\n"),
            "tusd.toml:2: option gcs-bucket: this build of tusd cannot store uploads in Google "
            "Cloud Storage");
  EXPECT_EQ(complaint("upload-dir = \"a\"\n[file-storage]\ndir = \"b\"\n"),
            "tusd.toml:3: option dir is in the file twice");
  for (std::string_view key : {"config = \"x\"\n", "version = true\n", "check-config = true\n"}) {
    EXPECT_NE(complaint(key).find("has no place in a file"), std::string::npos) << key;
  }
  EXPECT_NE(complaint("generate = \"man\"\n").find("unknown option"), std::string::npos);
}

TEST(ConfigFile, SyntaxErrorsAreNamedWithTheirLine) {  // [FLAG-9]
  for (std::string_view text :
       {"port = 1\nhost = \n", "port = 1\nport = 2\n", "port = 1\n[listening\n",
        "port = 1\nhost = \"open\n", "port = 1\nhost = \"\xff\"\n", "port = 1\n[?]\n",
        "port = 1\n[ \xc3\xa9]\n", "port = 1\nhost \xc3\xa9 = 1\n"}) {
    EXPECT_EQ(complaint(text).substr(0, 13), "tusd.toml:2: ") << text << complaint(text);
    EXPECT_GT(complaint(text).size(), 20u);
    EXPECT_EQ(complaint(text).find('\n'), std::string::npos);
  }
}

TEST(ConfigFile, AFileThatCannotBeReadIsNamed) {  // [FLAG-9]
  const auto table = make_flag_table();
  const auto missing = read_config_file(table, "/nonexistent/tusd.toml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error(),
            "the config file: cannot read /nonexistent/tusd.toml: No such file or directory");
  const auto folder = read_config_file(table, "/");
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error(), "the config file: cannot read /: Is a directory");
}

}  // namespace
}  // namespace tus::app
