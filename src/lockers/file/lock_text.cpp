#include "lockers/file/lock_text.h"

#include <algorithm>
#include <charconv>

namespace tus::file_locker {

namespace {

constexpr std::string_view linked_word = "linked";
constexpr std::string_view alone_word = "alone";

std::string_view take_until(std::string_view& rest, char end) {
  const auto at = std::min(rest.find(end), rest.size());
  const auto taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

// As Go's Sscanln reads an int: spaces around it are fine, anything else is not.
std::int32_t parse_pid(std::string_view line) {
  constexpr std::string_view blank = " \t\r";
  const auto first = std::min(line.find_first_not_of(blank), line.size());
  line.remove_prefix(first);
  line = line.substr(0, line.find_last_not_of(blank) + 1);
  if (line.starts_with('+')) line.remove_prefix(1);
  std::int32_t pid = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), pid);
  const bool whole = error == std::errc() && end == line.data() + line.size();
  return whole && pid > 0 ? pid : 0;
}

}  // namespace

LockText parse_lock_text(std::string_view text) {
  LockText lock;
  lock.pid = parse_pid(take_until(text, '\n'));
  if (lock.pid == 0) return lock;
  lock.kind = LockText::Kind::plain;
  auto ours = take_until(text, '\n');
  const auto word = take_until(ours, ' ');
  if (word != linked_word && word != alone_word) return lock;
  lock.kind = word == linked_word ? LockText::Kind::linked : LockText::Kind::alone;
  lock.boot_id = take_until(ours, ' ');
  lock.start_time = take_until(ours, ' ');
  return lock;
}

std::string write_lock_text(const LockText& lock) {
  auto text = std::to_string(lock.pid) + "\n";
  if (lock.kind == LockText::Kind::garbage || lock.kind == LockText::Kind::plain) return text;
  text += lock.kind == LockText::Kind::linked ? linked_word : alone_word;
  text.append(" ").append(lock.boot_id).append(" ").append(lock.start_time).append("\n");
  return text;
}

}  // namespace tus::file_locker
