#include "protocol/metadata.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tus::protocol {
namespace {

std::string dump(const Metadata& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) text += key + "=" + value + ";";
  return text;
}

// [GRAM-3] [CREATE-37]
TEST(metadata, pairs_in_their_order_and_malformed_ones_left_out) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", ""},
      {"key", "key=;"},
      {"key ", "key=;"},
      {"key dmFsdWU=", "key=value;"},
      {"b Yg==,a YQ==", "b=b;a=a;"},
      {"b Yg== , a YQ==", "b=b;a=a;"},
      {"b Yg==\t,\ta YQ==", "b=b;a=a;"},
      {"a YQ==,empty", "a=a;empty=;"},
      {"a YQ==,,b Yg==,", "a=a;b=b;"},
      {" ,a YQ==", "a=a;"},
      {"a YQ==,bad Y,b Yg==", "a=a;b=b;"},
      {"a YQ==,bad YQ,b Yg==", "a=a;b=b;"},
      {"a  YQ==,b Yg==", "b=b;"},
      {"a YQ== Yg==,b Yg==", "b=b;"},
      {"a YQ==,b Yg==,a Yw==", "a=c;b=b;"},
      {"is_private,filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==",
       "is_private=;filename=world_domination_plan.pdf;"},
      {"n\xc3\xa4me YQ==", "n\xc3\xa4me=a;"},
  };
  for (const auto& [raw, expected] : table) EXPECT_EQ(dump(parse_metadata(raw)), expected) << raw;
}

TEST(metadata, values_are_any_bytes) {
  const auto metadata = parse_metadata("k AP8NCg==");
  ASSERT_EQ(metadata.size(), 1u);
  EXPECT_EQ(metadata[0].second, std::string("\0\xff\r\n", 4));
}

TEST(metadata, is_written_as_it_is_read) {
  const Metadata metadata = {{"b", "b"}, {"empty", ""}, {"a", std::string("\0\n", 2)}};
  EXPECT_EQ(format_metadata(metadata), "b Yg==,empty,a AAo=");
  EXPECT_EQ(parse_metadata(format_metadata(metadata)), metadata);
  EXPECT_EQ(format_metadata({}), "");
}

TEST(metadata, keys_that_would_break_the_header_are_left_out) {
  const Metadata metadata = {{"", "a"},          {"a b", "a"},  {"a,b", "a"},
                             {"a\r\nX: y", "a"}, {"a\tb", "a"}, {"ok", "a"}};
  EXPECT_EQ(format_metadata(metadata), "ok YQ==");
}

}  // namespace
}  // namespace tus::protocol
