// What a program writes to stderr, line by line in our log.
#pragma once

#include <tus/logger.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tus::hooks {

// Of one program. What is longer or more than an operator wants to read is left out, and counted.
class OutputLog {
 public:
  static constexpr std::size_t longest_line = 1024;  // bytes
  static constexpr std::size_t most_lines = 100;

  OutputLog(std::shared_ptr<Logger> logger, std::string hook, std::string upload_id);

  void write(std::string_view text);
  // Also of a last line without an end.
  void finish();

 private:
  void end_line();

  std::shared_ptr<Logger> logger_;
  std::string hook_;
  std::string upload_id_;
  std::string line_;
  bool too_long_ = false;
  std::size_t lines_ = 0;
};

}  // namespace tus::hooks
