// What an operator has to mend when a bucket cannot be used. Pure.
#pragma once

#include "stores/s3/client/calls.h"

#include <string>
#include <string_view>

namespace tus::s3 {

struct StartFacts {
  std::string_view bucket;
  std::string_view endpoint;  // for people
  std::string_view region;    // empty: none was set
  bool is_aws = false;
};

// One sentence.
std::string start_advice(const CallFailure& failure, const StartFacts& facts);

}  // namespace tus::s3
