// Which file operations go wrong, and how; told to the file system while it runs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace faultfs {

// What happens to one operation.
struct Verdict {
  int error = 0;          // an errno; nothing is done then
  bool is_short = false;  // a write moves half of its bytes
};

// Rules as text, one a line: `<operation>[,<operation>] <action> [path=<part>] [skip=<n>] [times=<n>]`. A part that
// ends in `$` has to be the end of the path. The
// action is an errno's name, `short`, `slow=<milliseconds>` or `hang` (until the rules are changed).
class Rules {
 public:
  // Replaces all rules and lets what hangs go on. False: the text is not understood, and nothing has changed.
  bool replace(std::string_view text);
  Verdict check(std::string_view operation, std::string_view path);
  // `faults <n>`, and a line `<operation> <n>` for every kind, since the last change.
  std::string report();

 private:
  enum class Action : std::uint8_t { fail, shorten, slow, hang };
  struct Rule {
    std::vector<std::string> operations;
    Action action = Action::fail;
    int value = 0;  // an errno, or milliseconds
    std::string path;
    int skip = 0;
    int times = -1;  // for ever
  };
  static bool parse(std::string_view line, Rule& rule);
  static bool parse_action(std::string_view word, Rule& rule);
  static bool matches(std::string_view path, std::string_view part);
  Rule* find(std::string_view operation, std::string_view path);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t generation_ = 0;
  std::vector<Rule> rules_;
  std::map<std::string, int, std::less<>> counts_;
  int faults_ = 0;
};

}  // namespace faultfs
