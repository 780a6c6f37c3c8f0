#include "protocol/conditions.h"

#include "protocol/byte_range.h"
#include "protocol/http_date.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tus::protocol {
namespace {

std::string range_text(std::string_view value, std::uint64_t size) {
  const auto answer = select_range(value, size);
  if (answer.kind == RangeAnswer::Kind::unsatisfiable) return "none";
  const auto text = std::to_string(answer.span.first) + "+" + std::to_string(answer.span.count);
  return (answer.kind == RangeAnswer::Kind::whole ? "whole " : "") + text;
}

// [DL-2] [DL-3] [DL-4]
TEST(byte_range, selects) {
  const std::vector<std::pair<std::string, std::string>> of_ten = {
      {"bytes=0-4", "0+5"},
      {"bytes=0-0", "0+1"},
      {"bytes=3-", "3+7"},
      {"bytes=0-", "0+10"},
      {"bytes=9-9", "9+1"},
      {"bytes=9-100", "9+1"},
      {"bytes=0-99999999999999999999999", "0+10"},
      {"bytes=-3", "7+3"},
      {"bytes=-10", "0+10"},
      {"bytes=-11", "0+10"},
      {"bytes=-99999999999999999999999", "0+10"},
      {"BYTES=1-2", "1+2"},
      {"bytes= 1-2 ", "1+2"},
      {"bytes=10-", "none"},
      {"bytes=10-20", "none"},
      {"bytes=99999999999999999999999-", "none"},
      {"bytes=-0", "none"},
      // Malformed, another unit, or several: ignored.
      {"", "whole 0+10"},
      {"bytes", "whole 0+10"},
      {"bytes=", "whole 0+10"},
      {"bytes=-", "whole 0+10"},
      {"bytes=5", "whole 0+10"},
      {"bytes=4-3", "whole 0+10"},
      {"bytes=+1-2", "whole 0+10"},
      {"bytes=1-2x", "whole 0+10"},
      {"bytes=1 - 2", "whole 0+10"},
      {"bytes=--1", "whole 0+10"},
      {"bytes=0-1,3-4", "whole 0+10"},
      {"bytes=0-1,", "whole 0+10"},
      {"items=0-4", "whole 0+10"},
      {"bytes 0-4", "whole 0+10"},
  };
  for (const auto& [value, expected] : of_ten) EXPECT_EQ(range_text(value, 10), expected) << value;
}

// [DL-4]
TEST(byte_range, of_nothing) {
  EXPECT_EQ(range_text("bytes=0-", 0), "none");
  EXPECT_EQ(range_text("bytes=0-0", 0), "none");
  EXPECT_EQ(range_text("bytes=-0", 0), "none");
  EXPECT_EQ(range_text("bytes=-5", 0), "whole 0+0");
}

// [DL-2] [DL-4]
TEST(byte_range, is_told) {
  EXPECT_EQ(content_range({0, 5}, 10), "bytes 0-4/10");
  EXPECT_EQ(content_range({9, 1}, 10), "bytes 9-9/10");
  EXPECT_EQ(content_range_of_none(10), "bytes */10");
}

constexpr std::int64_t rfc_moment = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

std::int64_t seconds_of(std::string_view text) {
  const auto time = parse_http_date(text);
  return time ? time->time_since_epoch().count() : -1;
}

// [DL-6] The examples of the RFC, and what is none.
TEST(http_date, all_forms) {
  EXPECT_EQ(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), rfc_moment);
  EXPECT_EQ(seconds_of("Sunday, 06-Nov-94 08:49:37 GMT"), rfc_moment);
  EXPECT_EQ(seconds_of("Sun Nov  6 08:49:37 1994"), rfc_moment);
  EXPECT_EQ(seconds_of("Sun Nov 16 08:49:37 1994"), rfc_moment + 864000);
  EXPECT_EQ(seconds_of("Friday, 31-Dec-69 23:59:59 GMT"), 3155759999) << "2069";
  EXPECT_EQ(seconds_of("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800);
  for (const char* none : {"", "Sun", "Sun, ", "Sun, 06 Nov 1994", "Sun, 06 Nov 1994 08:49:37",
                           "784111777", "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
                           "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:60:00 GMT",
                           "Sun, 00 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT",
                           "Sun Nov 6 08:49:37 1994", "Sun, 06 Nov -994 08:49:37 GMT"}) {
    EXPECT_EQ(seconds_of(none), -1) << none;
  }
}

// [DL-6]
TEST(http_date, is_formatted) {
  const auto text = [](std::int64_t s) {
    return format_http_date(std::chrono::sys_seconds(std::chrono::seconds(s)));
  };
  EXPECT_EQ(text(rfc_moment), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(text(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string after = "Sun, 06 Nov 1994 08:49:38 GMT";

Validators ours() { return {"\"x\"", std::chrono::sys_seconds(std::chrono::seconds(rfc_moment))}; }
Validators ours_without_date() { return {"\"x\"", std::nullopt}; }

Fields fields_of(const std::vector<std::pair<std::string, std::string>>& list) {
  Fields fields;
  for (const auto& [name, value] : list) fields.add(name, value);
  return fields;
}

struct ConditionCase {
  std::vector<std::pair<std::string, std::string>> fields;
  Precondition expected;
};

// [DL-5] [DL-6] In the order of RFC 9110 section 13.2.2.
TEST(conditions, in_their_order) {
  using enum Precondition;
  const std::vector<ConditionCase> table = {
      {{}, holds},
      {{{"If-Match", "\"x\""}}, holds},
      {{{"If-Match", "*"}}, holds},
      {{{"if-match", "\"a\", \"x\""}}, holds},
      {{{"If-Match", "\"a\""}, {"If-Match", "\"x\""}}, holds},
      {{{"If-Match", "\"a\""}}, failed},
      {{{"If-Match", "W/\"x\""}}, failed},
      {{{"If-Match", "x"}}, failed},
      {{{"If-Match", ""}}, failed},
      {{{"If-Match", "\"a,\"x\""}}, failed},
      {{{"If-None-Match", "\"x\""}}, not_modified},
      {{{"If-None-Match", "W/\"x\""}}, not_modified},
      {{{"If-None-Match", "*"}}, not_modified},
      {{{"If-None-Match", "\"a\",W/\"x\" , \"b\""}}, not_modified},
      {{{"If-None-Match", "\"a,b\", \"x\""}}, not_modified},
      {{{"If-None-Match", "\"a\""}}, holds},
      {{{"If-None-Match", "\"X\""}}, holds},
      {{{"If-Unmodified-Since", same}}, holds},
      {{{"If-Unmodified-Since", after}}, holds},
      {{{"If-Unmodified-Since", before}}, failed},
      {{{"If-Unmodified-Since", "yesterday"}}, holds},
      {{{"If-Modified-Since", same}}, not_modified},
      {{{"If-Modified-Since", after}}, not_modified},
      {{{"If-Modified-Since", before}}, holds},
      {{{"If-Modified-Since", "yesterday"}}, holds},
      {{{"If-Modified-Since", same}, {"If-Modified-Since", same}}, holds},
      // A tag says more than a date; a failed condition comes before one that is not modified.
      {{{"If-Match", "\"x\""}, {"If-Unmodified-Since", before}}, holds},
      {{{"If-None-Match", "\"a\""}, {"If-Modified-Since", after}}, holds},
      {{{"If-None-Match", "\"x\""}, {"If-Match", "\"a\""}}, failed},
      {{{"If-Modified-Since", same}, {"If-Unmodified-Since", before}}, failed},
      {{{"If-Match", "\"x\""}, {"If-None-Match", "\"x\""}}, not_modified},
  };
  for (const auto& [fields, expected] : table) {
    std::string shown;
    for (const auto& [name, value] : fields) shown += name + ": " + value + "; ";
    EXPECT_EQ(check_preconditions(fields_of(fields), ours()), expected) << shown;
  }
}

// [DL-6]
TEST(conditions, without_a_date_of_ours) {
  EXPECT_EQ(check_preconditions(fields_of({{"If-Modified-Since", after}}), ours_without_date()),
            Precondition::holds);
  EXPECT_EQ(check_preconditions(fields_of({{"If-Unmodified-Since", before}}), ours_without_date()),
            Precondition::holds);
  EXPECT_FALSE(range_counts(fields_of({{"If-Range", same}}), ours_without_date()));
}

// [DL-7]
TEST(conditions, if_range) {
  const auto counts = [](const std::string& value) {
    return range_counts(fields_of({{"If-Range", value}}), ours());
  };
  EXPECT_TRUE(range_counts(Fields(), ours()));
  EXPECT_TRUE(counts("\"x\""));
  EXPECT_TRUE(counts(same));
  EXPECT_FALSE(counts("\"y\""));
  EXPECT_FALSE(counts("W/\"x\"")) << "only what is the same byte for byte may be continued";
  EXPECT_FALSE(counts("\"x\", \"x\""));
  EXPECT_FALSE(counts(before));
  EXPECT_FALSE(counts(after));
  EXPECT_FALSE(counts(""));
  EXPECT_FALSE(counts("*"));
  EXPECT_FALSE(range_counts(fields_of({{"If-Range", "\"x\""}, {"If-Range", "\"x\""}}), ours()));
}

UploadInfo finished(std::string_view id, std::uint64_t length, Metadata metadata = {}) {
  UploadInfo info;
  info.id = *UploadId::parse(std::string(id));
  info.length = info.offset = length;
  info.metadata = std::move(metadata);
  return info;
}

// [DL-5]
TEST(entity_tag, differs_between_uploads_and_stays) {
  const auto tag = entity_tag(finished("a", 5, {{"filename", "x"}, {"t", "y"}}));
  EXPECT_TRUE(tag.starts_with('"') && tag.ends_with("-5\"")) << tag;
  auto again = finished("a", 5, {{"t", "y"}, {"filename", "x"}});
  again.raw_metadata = "another spelling";
  again.finish = FinishState::finished;
  again.storage["Path"] = "/elsewhere";
  EXPECT_EQ(entity_tag(again), tag);
  EXPECT_NE(entity_tag(finished("b", 5, {{"filename", "x"}, {"t", "y"}})), tag);
  EXPECT_NE(entity_tag(finished("a", 6, {{"filename", "x"}, {"t", "y"}})), tag);
  EXPECT_NE(entity_tag(finished("a", 5, {{"filename", "xt"}, {"", "y"}})), tag);
  EXPECT_NE(entity_tag(finished("a", 5)), tag);
}

}  // namespace
}  // namespace tus::protocol
