// Reads what a server has sent, and forgives nothing.
#pragma once

#include <tus/message.h>

#include <string>
#include <string_view>
#include <vector>

namespace tus::http_tests {

struct WireAnswer {
  int status = 0;
  bool to_head = false;
  Fields fields = {};
  std::string body = {};

  bool is_final() const noexcept { return status >= 200; }
  bool says_close() const;
};

struct WireAnswers {
  std::vector<WireAnswer> list = {};
  std::string unfinished = {};  // the beginning of one more
  std::string broken = {};      // what is wrong, if anything is

  std::size_t finals() const;
};

// `expected`: "204 200h": how many answers there are to be, and which of them are to HEAD.
WireAnswers read_answers(std::string_view bytes, std::string_view expected);

// The statuses of all final answers, as `expected` has them.
std::string statuses_of(const WireAnswers& answers);

}  // namespace tus::http_tests
