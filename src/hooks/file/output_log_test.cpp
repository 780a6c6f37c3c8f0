#include "hooks/file/output_log.h"

#include "hooks/file/program_test_kit.h"

namespace tus::hooks {
namespace {

using Lines = std::vector<std::string>;

struct OutputLogTest : ::testing::Test {
  std::shared_ptr<test::LineLogger> logger = std::make_shared<test::LineLogger>();
  OutputLog log{logger, "post-finish", "abc"};
};

TEST_F(OutputLogTest, MakesLinesOfPieces) {  // [HOOK-136]
  log.write("one\ntw");
  log.write("o\r\n\n\nthree");
  log.finish();
  EXPECT_EQ(logger->lines(), (Lines{"HookOutput hook=post-finish id=abc text=one",
                                    "HookOutput hook=post-finish id=abc text=two",
                                    "HookOutput hook=post-finish id=abc text=three"}));
}

TEST_F(OutputLogTest, CutsLongLines) {  // [HOOK-136]
  const std::string exact(OutputLog::longest_line, 'x');
  log.write(exact + "\n");
  for (int i = 0; i < 1000; ++i) log.write(exact);
  log.write("\nshort\n");
  const std::string begin = "HookOutput hook=post-finish id=abc text=";
  EXPECT_EQ(logger->lines(), (Lines{begin + exact, begin + exact + " [...]", begin + "short"}));
}

TEST_F(OutputLogTest, StopsAfterSomeLinesAndSaysSo) {  // [HOOK-136]
  for (int i = 0; i < 1000; ++i) log.write("line\n");
  log.finish();
  const auto lines = logger->lines();
  ASSERT_EQ(lines.size(), OutputLog::most_lines + 1);
  EXPECT_EQ(lines.back(), "HookOutputDropped hook=post-finish id=abc lines=900");
}

}  // namespace
}  // namespace tus::hooks
