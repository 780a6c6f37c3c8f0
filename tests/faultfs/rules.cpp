#include "rules.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

namespace faultfs {

namespace {

constexpr auto errnos = std::to_array<std::pair<std::string_view, int>>({{"EACCES", EACCES},
                                                                         {"EDQUOT", EDQUOT},
                                                                         {"EIO", EIO},
                                                                         {"EMFILE", EMFILE},
                                                                         {"ENOSPC", ENOSPC},
                                                                         {"EROFS", EROFS},
                                                                         {"ESTALE", ESTALE}});

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::optional<int> number_after(std::string_view word, std::string_view prefix) {
  if (!word.starts_with(prefix)) return std::nullopt;
  word.remove_prefix(prefix.size());
  int value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

bool Rules::parse_action(std::string_view word, Rule& rule) {
  if (word == "hang" || word == "short") {
    rule.action = word == "hang" ? Action::hang : Action::shorten;
    return true;
  }
  if (const auto slow = number_after(word, "slow=")) {
    rule.action = Action::slow;
    rule.value = *slow;
    return true;
  }
  const auto* found = std::ranges::find(errnos, word, &std::pair<std::string_view, int>::first);
  if (found == errnos.end()) return false;
  rule.value = found->second;
  return true;
}

bool Rules::parse(std::string_view line, Rule& rule) {
  const auto words = split(line, ' ');
  if (words.size() < 2 || !parse_action(words[1], rule)) return false;
  for (const auto operation : split(words[0], ',')) rule.operations.emplace_back(operation);
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (words[i].starts_with("path=")) {
      rule.path = words[i].substr(5);
    } else if (const auto skip = number_after(words[i], "skip=")) {
      rule.skip = *skip;
    } else if (const auto times = number_after(words[i], "times=")) {
      rule.times = *times;
    } else {
      return false;
    }
  }
  return true;
}

bool Rules::replace(std::string_view text) {
  std::vector<Rule> rules;
  for (const auto line : split(text, '\n')) {
    if (!parse(line, rules.emplace_back())) return false;
  }
  const std::lock_guard lock(mutex_);
  rules_ = std::move(rules);
  counts_.clear();
  faults_ = 0;
  ++generation_;
  changed_.notify_all();
  return true;
}

bool Rules::matches(std::string_view path, std::string_view part) {
  if (!part.ends_with('$')) return path.contains(part);
  part.remove_suffix(1);
  return path.ends_with(part);
}

Rules::Rule* Rules::find(std::string_view operation, std::string_view path) {
  for (auto& rule : rules_) {
    if (rule.times == 0 || !matches(path, rule.path)) continue;
    if (std::ranges::find(rule.operations, operation) == rule.operations.end()) continue;
    if (rule.skip-- > 0) continue;
    rule.skip = 0;
    if (rule.times > 0) --rule.times;
    return &rule;
  }
  return nullptr;
}

Verdict Rules::check(std::string_view operation, std::string_view path) {
  std::unique_lock lock(mutex_);
  ++counts_[std::string(operation)];
  const auto* rule = find(operation, path);
  if (rule == nullptr) return {};
  ++faults_;
  const int value = rule->value;
  switch (rule->action) {
    case Action::fail:
      return {.error = value};
    case Action::shorten:
      return {.is_short = true};
    case Action::slow:
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(value));
      return {};
    case Action::hang:
      break;
  }
  changed_.wait(lock, [this, before = generation_] { return generation_ != before; });
  return {};
}

std::string Rules::report() {
  const std::lock_guard lock(mutex_);
  std::string text = "faults " + std::to_string(faults_) + "\n";
  for (const auto& [operation, count] : counts_)
    text += operation + " " + std::to_string(count) + "\n";
  return text;
}

}  // namespace faultfs
