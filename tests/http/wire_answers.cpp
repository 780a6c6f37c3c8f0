#include "tests/http/wire_answers.h"

#include "server/http_syntax.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace tus::http_tests {

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// What is wrong with the line, or nothing.
std::string read_status_line(std::string_view line, WireAnswer& answer) {
  const bool well_formed = line.size() > 13 && line.starts_with("HTTP/1.1 ") &&
                           is_number(line.substr(9, 3)) && line[12] == ' ' &&
                           server::is_field_value(line);
  if (!well_formed) return "status line: " + std::string(line);
  answer.status = static_cast<int>(number(line.substr(9, 3)));
  return {};
}

std::string read_field(std::string_view line, WireAnswer& answer) {
  const auto colon = line.find(": ");
  if (colon == std::string_view::npos) return "field: " + std::string(line);
  const auto name = line.substr(0, colon);
  const auto value = line.substr(colon + 2);
  const bool well_formed = server::is_token(name) && server::is_field_value(value) &&
                           server::trim_blanks(value) == value;
  if (!well_formed) return "field: " + std::string(line);
  // Whatever is called so was put there by somebody who must not be able to.
  if (server::equals_lower(name.substr(0, 6), "x-evil")) return "injected: " + std::string(line);
  answer.fields.add(std::string(name), std::string(value));
  return {};
}

std::string read_head(std::string_view head, WireAnswer& answer) {
  auto end = head.find("\r\n");
  if (auto broken = read_status_line(head.substr(0, end), answer); !broken.empty()) return broken;
  for (head.remove_prefix(end + 2); !head.empty(); head.remove_prefix(end + 2)) {
    end = head.find("\r\n");
    if (auto broken = read_field(head.substr(0, end), answer); !broken.empty()) return broken;
  }
  return {};
}

bool has_body(const WireAnswer& answer) {
  return answer.is_final() && answer.status != 204 && answer.status != 304 && !answer.to_head;
}

// [HTTP-29] [HTTP-30] [HTTP-31] The fields that each kind of answer has, or must not have.
std::string check_fields(const WireAnswer& answer) {
  const auto count = [&answer](std::string_view name) { return answer.fields.count(name); };
  const auto wrong = [&answer](std::string_view what) {
    return std::to_string(answer.status) + ": " + std::string(what);
  };
  if (count("Transfer-Encoding") > 0) return wrong("Transfer-Encoding");
  if (!answer.is_final()) return count("Content-Length") > 0 ? wrong("Content-Length") : "";
  const bool is_bare = answer.status == 204 || answer.status == 304;
  if (is_bare && count("Content-Length") > 0) return wrong("Content-Length");
  if (has_body(answer) && count("Content-Length") != 1) return wrong("Content-Length");
  if (count("Date") != 1) return wrong("Date");
  if (count("X-Content-Type-Options") != 1) return wrong("X-Content-Type-Options");
  if (count("Connection") > 1) return wrong("Connection");
  const std::pair<int, std::string_view> demanded[] = {
      {405, "Allow"},       {412, "Tus-Version"}, {415, "Accept-Patch"}, {416, "Content-Range"},
      {423, "Retry-After"}, {429, "Retry-After"}, {503, "Retry-After"}};
  for (const auto& [status, name] : demanded) {
    if (answer.status == status && count(name) != 1) return wrong(name);
  }
  return {};
}

std::string check_error(const WireAnswer& answer) {
  if (answer.status < 400 || !has_body(answer)) return {};
  const auto* type = answer.fields.find("Content-Type");
  const bool is_ours = answer.body.starts_with("ERR_") && answer.body.ends_with("\n");
  const bool is_known = is_ours || answer.body == "method not allowed";
  if (type == nullptr || !type->starts_with("text/plain")) return "error without a type";
  if (!is_known || answer.body.size() > 200) return "error text: " + answer.body;
  for (std::string_view inside : {"/tmp", "/dev", "errno", "exception"}) {
    if (answer.body.contains(inside)) return "error text: " + answer.body;
  }
  return {};
}

// Takes the body off `bytes`. False: it is not all here.
bool take_body(std::string_view& bytes, WireAnswer& answer) {
  if (!has_body(answer)) return true;
  const auto* length = answer.fields.find("Content-Length");
  const auto size = number(*length);
  if (bytes.size() < size) return false;
  answer.body = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

}  // namespace

bool WireAnswer::says_close() const {
  const auto* value = fields.find("Connection");
  return value != nullptr && *value == "close";
}

std::size_t WireAnswers::finals() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(list, [](const WireAnswer& answer) { return answer.is_final(); }));
}

WireAnswers read_answers(std::string_view bytes, std::string_view expected) {
  const auto words = words_of(expected);
  WireAnswers answers;
  while (!bytes.empty() && answers.broken.empty()) {
    const auto end = bytes.find("\r\n\r\n");
    answers.unfinished = bytes;
    if (end == std::string_view::npos) return answers;
    WireAnswer answer;
    const auto finals = answers.finals();
    answer.to_head = finals < words.size() && words[finals].ends_with('h');
    answers.broken = read_head(bytes.substr(0, end + 2), answer);
    if (answers.broken.empty()) answers.broken = check_fields(answer);
    if (!answers.broken.empty()) return answers;
    auto rest = bytes.substr(end + 4);
    if (!take_body(rest, answer)) return answers;
    answers.broken = check_error(answer);
    answers.list.push_back(std::move(answer));
    bytes = rest;
    answers.unfinished.clear();
  }
  return answers;
}

std::string statuses_of(const WireAnswers& answers) {
  std::string text;
  for (const auto& answer : answers.list) {
    if (!answer.is_final()) continue;
    if (!text.empty()) text += ' ';
    text += std::to_string(answer.status);
    if (answer.to_head) text += 'h';
  }
  return text;
}

}  // namespace tus::http_tests
