#include "protocol/limits.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace tus::protocol {
namespace {

constexpr std::uint64_t big = std::numeric_limits<std::int64_t>::max();

struct Case {
  const char* what;
  LengthQuestion question;
  std::optional<ErrorCode> error;
  std::optional<std::uint64_t> length;
  std::optional<std::uint64_t> allowance;
  ErrorCode excess = ErrorCode::size_exceeded;
};

LengthQuestion ask(std::uint64_t offset, std::optional<std::uint64_t> length,
                   std::optional<std::uint64_t> declared, std::optional<std::uint64_t> content,
                   std::uint64_t max_size) {
  LengthQuestion question;
  question.offset = offset;
  question.length = length;
  question.declared_length = declared;
  question.content_length = content;
  question.max_size = max_size;
  return question;
}

const std::optional<std::uint64_t> none;

void check(const Case& c) {
  const auto answer = check_length(c.question);
  if (c.error) {
    ASSERT_FALSE(answer.has_value()) << c.what;
    EXPECT_EQ(answer.error().code(), *c.error) << c.what;
    return;
  }
  ASSERT_TRUE(answer.has_value()) << c.what;
  EXPECT_EQ(answer->length, c.length) << c.what;
  EXPECT_EQ(answer->allowance, c.allowance) << c.what;
  if (answer->allowance) EXPECT_EQ(answer->excess, c.excess) << c.what;
}

// [CREATE-35] [CREATE-41] A length is measured wherever it comes in, and stays what it is.
TEST(limits, declared_lengths) {
  const std::vector<Case> table = {
      {"creation", ask(0, none, 10, none, 0), {}, 10, 10},
      {"creation at the limit", ask(0, none, 10, none, 10), {}, 10, 10},
      {"creation above it", ask(0, none, 11, none, 10), ErrorCode::max_size_exceeded, {}, {}},
      {"length zero", ask(0, none, 0, none, 10), {}, 0, 0},
      {"declared later", ask(4, none, 10, none, 0), {}, 10, 6},
      {"declared later, complete", ask(10, none, 10, 0, 0), {}, 10, 0},
      {"declared later, above the limit",
       ask(4, none, 11, none, 10),
       ErrorCode::max_size_exceeded,
       {},
       {}},
      {"declared below the offset",
       ask(4, none, 3, none, 0),
       ErrorCode::invalid_upload_length,
       {},
       {}},
      {"declared again", ask(4, 10, 10, none, 0), {}, 10, 6},
      {"declared again, longer", ask(4, 10, 11, none, 0), ErrorCode::invalid_upload_length, {}, {}},
      {"declared again, shorter", ask(4, 10, 9, none, 0), ErrorCode::invalid_upload_length, {}, {}},
      {"the limit was lowered meanwhile", ask(4, 10, none, none, 5), {}, 10, 6},
      {"and the length is said again", ask(4, 10, 10, none, 5), {}, 10, 6},
      {"the longest", ask(0, none, big, none, 0), {}, big, big},
      {"too long to count",
       ask(0, none, big + 1, none, 0),
       ErrorCode::invalid_upload_length,
       {},
       {}},
  };
  for (const auto& c : table) check(c);
}

// [CORE-27] [CORE-28] [CREATE-35]
TEST(limits, bodies) {
  const auto over = ErrorCode::size_exceeded;
  const auto over_max = ErrorCode::max_size_exceeded;
  const std::vector<Case> table = {
      {"fits", ask(4, 10, none, 6, 0), {}, 10, 6},
      {"one byte over", ask(4, 10, none, 7, 0), over, {}, {}},
      {"complete, empty body", ask(10, 10, none, 0, 0), {}, 10, 0},
      {"complete, a byte more", ask(10, 10, none, 1, 0), over, {}, {}},
      {"unknown body", ask(4, 10, none, none, 0), {}, 10, 6},
      {"over the length declared with it", ask(0, none, 5, 6, 0), over, {}, {}},
      {"deferred without a limit", ask(4, none, none, 100, 0), {}, none, none},
      {"deferred below the limit", ask(4, none, none, 6, 10), {}, none, 6, over_max},
      {"deferred above the limit", ask(4, none, none, 7, 10), over_max, {}, {}},
      {"deferred, unknown body", ask(4, none, none, none, 10), {}, none, 6, over_max},
      {"deferred, the limit was lowered", ask(20, none, none, none, 10), {}, none, 0, over_max},
      {"no overflow", ask(4, 10, none, std::numeric_limits<std::uint64_t>::max(), 0), over, {}, {}},
      {"no overflow without a length", ask(4, none, none, big, 0), over_max, {}, {}},
      {"a state that makes no sense", ask(11, 10, none, none, 0), {}, 10, 0},
      {"and a body", ask(11, 10, none, 1, 0), over, {}, {}},
  };
  for (const auto& c : table) check(c);
}

}  // namespace
}  // namespace tus::protocol
