// HTTP/1.1 as a client of the fuzzed connection reads it: an own reader, stricter than the server is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::fuzz {

using HeaderFields = std::vector<std::pair<std::string, std::string>>;  // names in lower case

// The only value of a name, or nothing; and how often it is there.
std::optional<std::string> only_value(const HeaderFields& fields, std::string_view lower_name);
std::size_t count_of(const HeaderFields& fields, std::string_view lower_name);

// What a client said. Only what can be understood in one way is a request.
struct SentRequest {
  std::string method;
  std::string target;
  HeaderFields fields;
  bool chunked = false;
  bool whole = true;  // all of its body was sent
  std::string body;   // without framing, as far as it was sent
  bool has_trailers = false;
};

struct SentRequests {
  std::vector<SentRequest> requests;
  // Something follows that is no request by the strictest reading, though a server may see one in it, or has to say
  // what is wrong with it.
  bool oddity = false;
};

SentRequests read_requests(std::string_view wire);

struct Answer {
  int status = 0;
  HeaderFields fields;
  std::string body;
  bool closes = false;
};

// Takes the next final answer off the front, with the interim ones before it. Ends the program when that is not exactly
// what RFC 9112 wants, or less than a whole one.
enum class ToHead : std::uint8_t { no, yes };
Answer take_answer(std::string_view& wire, ToHead to_head);

}  // namespace tus::fuzz
