// The regular expression that says which origins are allowed.
#pragma once

#include <boost/regex.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace tus::app {

class OriginPattern {
 public:
  // The error is a sentence for the operator.
  static std::expected<OriginPattern, std::string> compile(const std::string& pattern);

  // Whether it matches anywhere in the origin, as Go's tusd has it. What cannot be decided with a bounded amount of
  // work is not allowed. Any thread.
  bool matches(std::string_view origin) const noexcept;

 private:
  explicit OriginPattern(const boost::regex& regex) : regex_(regex) {}
  boost::regex regex_;
};

}  // namespace tus::app
