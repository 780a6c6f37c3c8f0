#include "app/configure.h"

#include "app/greeting.h"

#include <tus/version.h>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tus::app {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string_view>;

class Configure : public testing::Test {
 protected:
  Configure() {
    std::string pattern = testing::TempDir() + "tusd-configure-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Configure() override { fs::remove_all(folder_); }

  std::string write(std::string_view name, std::string_view content) const {
    const auto path = folder_ / name;
    std::ofstream(path) << content;
    return path.string();
  }

  static std::string obstacle(const Config& config) { return find_obstacle(config).value_or(""); }

  fs::path folder_;
};

TEST_F(Configure, ARepairNeedsABucket) {  // [S3-48]
  const auto config =
      configure(Words{"-s3-repair", "-s3-bucket=b", "-s3-repair-after=90s"}, Words{});
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_TRUE(config->s3.repair);
  EXPECT_EQ(config->s3.repair_after, std::chrono::seconds(90));
  const auto without = configure(Words{"-s3-repair"}, Words{});
  ASSERT_FALSE(without.has_value());
  EXPECT_NE(without.error().find("-s3-bucket"), std::string::npos);
}

TEST_F(Configure, FlagsBeforeEnvironmentBeforeFileBeforeDefault) {  // [FLAG-9]
  const auto file = write(
      "tusd.toml", "port = 1\nbase-path = \"/file/\"\nmax-size = 1\nmetrics-path = \"/file\"\n");
  const auto config = configure(Words{"-config", file, "-port=3"},
                                Words{"TUSD_PORT=2", "TUSD_BASE_PATH=/env/", "TUSD_CONFIG=/none"});
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_EQ(config->port, 3);
  EXPECT_EQ(config->base_path, "/env/");
  EXPECT_EQ(config->max_size, 1u);
  EXPECT_EQ(config->metrics_path, "/file");
  EXPECT_EQ(config->host, "0.0.0.0");
}

TEST_F(Configure, TheEnvironmentMayNameTheFile) {  // [FLAG-9]
  const auto file = write("tusd.toml", "port = 1\n");
  const std::string entry = "TUSD_CONFIG=" + file;
  const auto config = configure({}, Words{entry});
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_EQ(config->port, 1);
}

TEST_F(Configure, HelpIsGivenWhateverElseIsWrong) {
  const auto config = configure(Words{"-help"}, Words{"TUSD_PORT=no", "TUSD_CONFIG=/nonexistent"});
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_TRUE(config->show_help);
}

TEST_F(Configure, ContradictionsAreNamed) {  // [FLAG-11]
  for (const Words& args : {Words{"-metrics-path=/files"}, Words{"-metrics-path=/files/"},
                            Words{"-dir-perms=0555"}, Words{"-file-perms=0444"}}) {
    EXPECT_FALSE(configure(args, {}).has_value()) << args[0];
  }
  const std::string long_path = "-unix-sock=/" + std::string(120, 'x');
  EXPECT_FALSE(configure(Words{long_path}, {}).has_value());
  EXPECT_TRUE(configure(Words{"-metrics-path=/files", "-expose-metrics=false"}, {}).has_value());
  EXPECT_TRUE(configure(Words{"-base-path=/"}, {}).has_value());
}

TEST_F(Configure, LimitsOfTheStore) {  // [LIMIT-23] [LIMIT-10] [FLAG-11]
  const auto usual = configure({}, {});
  ASSERT_TRUE(usual.has_value());
  EXPECT_EQ(usual->store_size, 0u);
  EXPECT_EQ(usual->evict, EvictOrder::none);
  EXPECT_FALSE(usual->evict_finished);
  EXPECT_EQ(usual->files.min_free_space, 0u);
  const auto config = configure(Words{"-store-size=5000000000", "-store-evict=oldest",
                                      "-store-evict-finished", "-min-free-space=7"},
                                {});
  ASSERT_TRUE(config.has_value()) << config.error();
  EXPECT_EQ(config->store_size, 5'000'000'000u);
  EXPECT_EQ(config->evict, EvictOrder::oldest);
  EXPECT_TRUE(config->evict_finished);
  EXPECT_EQ(config->files.min_free_space, 7u);
  EXPECT_TRUE(configure(Words{"-store-size=1", "-store=memory"}, {}).has_value());
  const auto refused = [](const Words& args) {
    const auto made = configure(args, {});
    return made ? "" : made.error();
  };
  EXPECT_EQ(refused(Words{"-store-evict=biggest"}),
            "-store-evict makes room under a limit: want -store-size, too");
  EXPECT_EQ(
      refused(Words{"-store-size=5", "-store-evict-finished"}),
      "-store-evict-finished says what else may go: want -store-evict=biggest or oldest, too");
  EXPECT_EQ(refused(Words{"-min-free-space=5", "-store=memory"}),
            "-min-free-space is about the file system of -upload-dir: there is none with "
            "-store=memory");
  EXPECT_NE(refused(Words{"-store-size=-1"}), "");
  EXPECT_NE(refused(Words{"-store-evict=all", "-store-size=1"}), "");
}

TEST_F(Configure, ThePagesOfThoseWhoWatchHaveTheirPathsForThemselves) {  // [HEALTH-1]
  for (const Words& args : {Words{"-metrics-path=/healthz"}, Words{"-metrics-path=/readyz"},
                            Words{"-base-path=/healthz"}, Words{"-base-path=/readyz/"}}) {
    EXPECT_FALSE(configure(args, {}).has_value()) << args[0];
    EXPECT_TRUE(configure(Words{args[0], "-expose-health=false"}, {}).has_value()) << args[0];
  }
  EXPECT_TRUE(configure(Words{"-metrics-path=/readyz", "-expose-metrics=false"}, {}).has_value());
  EXPECT_TRUE(configure(Words{"-base-path=/healthz/files"}, {}).has_value());
}

TEST_F(Configure, DirectoriesAreLookedAt) {  // [FLAG-11]
  Config config;
  config.files.directory = folder_ / "to" / "be" / "made";
  EXPECT_EQ(obstacle(config), "");
  EXPECT_FALSE(fs::exists(folder_ / "to")) << "a check changes nothing";
  config.files.directory = write("file", "");
  EXPECT_EQ(obstacle(config),
            "-upload-dir: " + (folder_ / "file").string() + " is not a directory");
  config.files.directory = folder_ / "file" / "below";
  EXPECT_EQ(obstacle(config),
            "-upload-dir: " + (folder_ / "file").string() + " is not a directory");
  config.store = StoreKind::memory;
  EXPECT_EQ(obstacle(config), "");
  config.unix_sock = (folder_ / "none" / "sock").string();
  EXPECT_EQ(obstacle(config), "-unix-sock: there is no directory " + (folder_ / "none").string());
}

TEST_F(Configure, ADirectoryThatIsNotOursIsNamed) {      // [FLAG-11]
  if (::geteuid() == 0) ASSERT_EQ(::seteuid(65534), 0);  // root may write everywhere
  Config config;
  config.files.directory = "/nobody-may-make-this";
  const auto said = obstacle(config);
  if (::getuid() == 0) ASSERT_EQ(::seteuid(0), 0);
  EXPECT_EQ(said, "-upload-dir: cannot write to /: Permission denied");
}

TEST(Greeting, SaysWhatRunsHere) {  // [FLAG-14]
  RequestHead head;
  head.method = "GET";
  const auto page = greet(head, "/up/");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.body.starts_with("Welcome to tusd\n"));
  EXPECT_NE(page.body.find(" /up/ "), std::string::npos);
  EXPECT_NE(page.body.find("Version = " + std::string(version()) + "\n"), std::string::npos);
  head.method = "POST";
  EXPECT_EQ(greet(head, "/up/").status, 405);
}

}  // namespace
}  // namespace tus::app
