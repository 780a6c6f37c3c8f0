#include "app/flag_docs.h"

#include "app/environment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

namespace tus::app {
namespace {

const std::vector<Flag> table = make_flag_table();

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Help, NamesEveryFlagInItsGroupAndFitsTheScreen) {  // [FLAG-12]
  const auto text = flags_help(table);
  for (const auto& line : lines_of(text)) EXPECT_LE(line.size(), 100u) << line;
  std::size_t before = 0;
  for (const auto& flag : table) {
    if (flag.scope == FlagScope::hidden) {
      EXPECT_FALSE(text.contains("-" + std::string(flag.name))) << flag.name;
      continue;
    }
    const auto title = text.find("\n" + std::string(name_of(flag.group).title) + ":\n");
    const auto row =
        text.find("\n  -" + std::string(flag.name) + (flag.aliases.empty() ? "" : ","), before);
    ASSERT_NE(row, text.npos) << flag.name;
    EXPECT_LT(title, row) << flag.name;
    EXPECT_GE(row, before) << flag.name;
    before = row;
  }
  EXPECT_TRUE(
      text.contains("  -upload-dir, -dir DIR\n"
                    "        directory for uploads, made when missing (default ./data)\n"));
  EXPECT_TRUE(text.contains("bucket to store uploads in [not built yet]\n"));
}

TEST(Help, WrapsBetweenWords) {
  EXPECT_EQ(wrapped("aa bb cc", "  ", 7), "  aa bb\n  cc\n");
  EXPECT_EQ(wrapped("abcdefgh i", " ", 4), " abcdefgh\n i\n");
}

TEST(Documents, NameEveryOption) {  // [FLAG-12]
  const auto manual = manual_page(table);
  const auto document = configuration_document(table);
  for (const auto& flag : table) {
    std::string escaped;
    for (const char c : flag.name) escaped += c == '-' ? "\\-" : std::string(1, c);
    const bool shown = flag.scope != FlagScope::hidden;
    EXPECT_EQ(manual.contains("\\fB\\-" + escaped), shown) << flag.name;
    EXPECT_EQ(document.contains("| `-" + std::string(flag.name)), shown) << flag.name;
    const auto variable = "`" + variable_name(flag.name) + "` |";
    EXPECT_EQ(document.contains(variable),
              flag.scope == FlagScope::everywhere || flag.scope == FlagScope::not_in_file)
        << flag.name;
  }
}

TEST(Documents, TheCommittedOneIsUpToDate) {  // [FLAG-12]
  std::ifstream file(TUS_SOURCE_DIR "/docs/configuration.md", std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(committed, generate("markdown", table))
      << "write it anew: build/dev/tusd -generate=markdown >docs/configuration.md";
}

TEST(Documents, OfEveryFormThatIsOffered) {
  for (const auto form : choices_of(*find_flag(table, "generate"))) {
    EXPECT_GT(generate(form, table).size(), 1'000u) << form;
  }
  EXPECT_EQ(generate("pdf", table), "");
}

}  // namespace
}  // namespace tus::app
