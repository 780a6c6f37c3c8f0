#include "fuzz/http_reader.h"

#include "base/ascii.h"
#include "fuzz/check.h"

#include <algorithm>
#include <charconv>

namespace tus::fuzz {

namespace {

constexpr std::string_view line_end = "\r\n";

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return base::is_alpha(c) || base::is_digit(c) || marks.contains(c);
  });
}

std::optional<std::uint64_t> number_in(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

// Up to the next CRLF, which goes too; nothing when there is none.
std::optional<std::string_view> take_line(std::string_view& wire) {
  const auto end = wire.find(line_end);
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = wire.substr(0, end);
  wire.remove_prefix(end + line_end.size());
  return line;
}

bool add_field(HeaderFields& fields, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !fits_a_header(line)) return false;
  std::string name(line.substr(0, colon));
  if (!is_token(name)) return false;
  for (auto& c : name) c = base::to_lower(c);
  fields.emplace_back(std::move(name), base::trim(line.substr(colon + 1)));
  return true;
}

// All fields up to the empty line.
bool take_fields(std::string_view& wire, HeaderFields& fields) {
  while (const auto line = take_line(wire)) {
    if (line->empty()) return true;
    if (!add_field(fields, *line)) return false;
  }
  return false;
}

enum class Taken : std::uint8_t { whole, partly, not_at_all };

Taken take_chunks(std::string_view& wire, SentRequest& request) {
  for (;;) {
    auto rest = wire;
    const auto line = take_line(rest);
    if (!line) {
      const bool may_go_on = wire.size() < 8 && std::ranges::all_of(wire, base::is_digit);
      return may_go_on ? Taken::partly : Taken::not_at_all;
    }
    const auto size = line->size() <= 8 ? number_in(*line, 16) : std::nullopt;
    if (!size) return Taken::not_at_all;
    wire = rest;
    if (*size == 0) break;
    const auto data = wire.substr(0, static_cast<std::size_t>(*size));
    request.body += data;
    wire.remove_prefix(data.size());
    if (data.size() < *size || wire.empty()) return Taken::partly;
    if (!wire.starts_with(line_end)) return Taken::not_at_all;
    wire.remove_prefix(line_end.size());
  }
  HeaderFields trailers;
  if (!take_fields(wire, trailers)) return Taken::not_at_all;
  request.has_trailers = !trailers.empty();
  return Taken::whole;
}

Taken take_sized(std::string_view& wire, SentRequest& request, std::uint64_t size) {
  const auto data =
      wire.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(size, wire.size())));
  request.body = data;
  wire.remove_prefix(data.size());
  return data.size() == size ? Taken::whole : Taken::partly;
}

Taken take_body(std::string_view& wire, SentRequest& request) {
  const auto lengths = count_of(request.fields, "content-length");
  const auto codings = count_of(request.fields, "transfer-encoding");
  if (lengths + codings == 0) return Taken::whole;
  if (lengths + codings > 1) return Taken::not_at_all;
  if (codings == 1) {
    request.chunked = true;
    if (only_value(request.fields, "transfer-encoding") != "chunked") return Taken::not_at_all;
    return take_chunks(wire, request);
  }
  const auto size = number_in(*only_value(request.fields, "content-length"), 10);
  if (!size || *size > INT64_MAX) return Taken::not_at_all;
  return take_sized(wire, request, *size);
}

Taken take_request(std::string_view& wire, SentRequest& request) {
  const auto line = take_line(wire);
  if (!line) return Taken::not_at_all;
  const auto first = line->find(' ');
  const auto last = line->rfind(' ');
  if (first == std::string_view::npos || first == last) return Taken::not_at_all;
  request.method = line->substr(0, first);
  request.target = line->substr(first + 1, last - first - 1);
  const bool plain = is_token(request.method) && request.target.starts_with('/') &&
                     line->substr(last + 1) == "HTTP/1.1";
  if (!plain || request.method == "CONNECT") return Taken::not_at_all;
  const bool visible =
      std::ranges::all_of(request.target, [](char c) { return c > ' ' && c < 127 && c != '#'; });
  if (!visible || !take_fields(wire, request.fields)) return Taken::not_at_all;
  if (count_of(request.fields, "host") != 1) return Taken::not_at_all;
  const auto expectation = only_value(request.fields, "expect");
  if (count_of(request.fields, "expect") > 0 && expectation != "100-continue") {
    return Taken::not_at_all;
  }
  return take_body(wire, request);
}

void check_status_line(std::string_view line) {
  require(line.size() >= 13 && line.starts_with("HTTP/1.1 ") && line[12] == ' ');
  require(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 127; }));
}

void check_final(const Answer& answer) {
  require(answer.status < 600);
  require(count_of(answer.fields, "date") == 1);
  require(only_value(answer.fields, "tus-resumable") == "1.0.0");
  require(only_value(answer.fields, "x-content-type-options") == "nosniff");
  require(count_of(answer.fields, "transfer-encoding") == 0);
  if (answer.status >= 400 && answer.status != 416 && answer.status != 412) return;
  require(count_of(answer.fields, "upload-offset") <= 1 &&
          count_of(answer.fields, "location") <= 1);
}

}  // namespace

std::size_t count_of(const HeaderFields& fields, std::string_view lower_name) {
  return static_cast<std::size_t>(std::ranges::count(
      fields, lower_name, [](const auto& f) { return std::string_view(f.first); }));
}

std::optional<std::string> only_value(const HeaderFields& fields, std::string_view lower_name) {
  if (count_of(fields, lower_name) != 1) return std::nullopt;
  return std::ranges::find(fields, lower_name,
                           [](const auto& f) { return std::string_view(f.first); })
      ->second;
}

SentRequests read_requests(std::string_view wire) {
  SentRequests sent;
  while (!wire.empty()) {
    if (wire.starts_with(line_end)) wire.remove_prefix(line_end.size());
    if (wire.empty()) break;
    SentRequest request;
    const auto taken = take_request(wire, request);
    if (taken == Taken::not_at_all) {
      sent.oddity = true;
      break;
    }
    request.whole = taken == Taken::whole;
    sent.requests.push_back(std::move(request));
    if (taken == Taken::partly) break;
  }
  return sent;
}

Answer take_answer(std::string_view& wire, ToHead to_head) {
  for (;;) {
    const auto line = take_line(wire);
    require(line.has_value());
    check_status_line(*line);
    const auto status = number_in(line->substr(9, 3), 10);
    require(status && *status >= 100);
    Answer answer;
    answer.status = static_cast<int>(*status);
    require(take_fields(wire, answer.fields));
    const auto lengths = count_of(answer.fields, "content-length");
    require(lengths <= 1);
    const bool bodiless = answer.status < 200 || answer.status == 204 || answer.status == 304;
    if (bodiless) require(lengths == 0 || answer.status == 304);
    if (answer.status < 200) {
      require(answer.status != 101);
      continue;
    }
    check_final(answer);
    answer.closes = only_value(answer.fields, "connection") == "close";
    if (bodiless || to_head == ToHead::yes) return answer;
    // Nothing but a length tells where it ends.
    require(lengths == 1);
    const auto length = number_in(*only_value(answer.fields, "content-length"), 10);
    require(length && *length <= wire.size());
    answer.body = wire.substr(0, static_cast<std::size_t>(*length));
    wire.remove_prefix(answer.body.size());
    return answer;
  }
}

}  // namespace tus::fuzz
