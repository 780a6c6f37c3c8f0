#include "hooks/bucket/keys.h"

#include "hooks/common/record_name.h"

#include <algorithm>
#include <utility>

namespace tus::hooks {

namespace {

constexpr std::string_view mark_suffix = ".h";
constexpr std::size_t number_size = 16;
constexpr std::size_t line_in_name = number_size + 1;
constexpr std::size_t event_in_name = line_in_name + number_size + 1;
constexpr std::size_t id_in_name = event_in_name + 3;
constexpr std::size_t run_size = 16;

bool is_run(std::string_view text) {
  return text.size() == run_size && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// "<line>-<time>-<event>-<event id>" of "<time>-<line>-<event><state>-<event id>", and back.
std::string line_first(std::string_view name) {
  std::string text(name.substr(line_in_name, number_size));
  text.append("-").append(name.substr(0, number_size)).append("-");
  return text.append(name.substr(event_in_name, 1)).append("-").append(name.substr(id_in_name));
}

std::string time_first(std::string_view text) {
  if (text.size() + 1 < id_in_name) return {};
  std::string name(text.substr(line_in_name, number_size));
  name.append("-").append(text.substr(0, number_size)).append("-");
  return name.append(text.substr(event_in_name, 1)).append("p").append(text.substr(id_in_name - 2));
}

}  // namespace

std::string name_with_owner(std::string name, std::string_view owner) {
  return name.append(".").append(owner);
}

std::string_view owner_in(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string_view name_without_owner(std::string_view name) {
  return name.substr(0, name.rfind('.'));
}

std::string Keys::line(std::uint64_t line) const {
  OutboxEntry entry;
  entry.line = line;
  return records() + line_first(record_name(entry, "")).substr(0, number_size + 1);
}

std::string Keys::record(const OutboxEntry& entry) const {
  return records() + line_first(entry.name);
}

std::string Keys::dead(const OutboxEntry& entry) const {
  return dead().append(name_without_owner(entry.name));
}

std::optional<Keys::Found> Keys::record_at(std::string_view key) const {
  const auto beginning = records();
  if (!key.starts_with(beginning)) return std::nullopt;
  key.remove_prefix(beginning.size());
  const bool is_mark = key.ends_with(mark_suffix);
  if (is_mark) key.remove_suffix(mark_suffix.size());
  const auto dot = key.rfind('.');
  if (dot == std::string_view::npos || !is_run(key.substr(dot + 1))) return std::nullopt;
  auto entry = entry_named(time_first(key.substr(0, dot)));
  if (!entry) return std::nullopt;
  entry->name = name_with_owner(std::move(entry->name), key.substr(dot + 1));
  return Found{*std::move(entry), is_mark};
}

std::optional<std::string> Keys::run_at(std::string_view key) const {
  const auto beginning = runs();
  if (!key.starts_with(beginning)) return std::nullopt;
  key.remove_prefix(beginning.size());
  return is_run(key) ? std::optional(std::string(key)) : std::nullopt;
}

std::optional<OutboxEntry> Keys::dead_at(std::string_view key) const {
  const auto beginning = dead();
  if (!key.starts_with(beginning)) return std::nullopt;
  return entry_named(key.substr(beginning.size()));
}

std::string run_text(std::string_view holder, std::string_view beat) {
  return std::string(holder).append(" ").append(beat).append("\n");
}

std::optional<std::string> holder_in(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !is_run(text.substr(0, space))) return std::nullopt;
  return std::string(text.substr(0, space));
}

}  // namespace tus::hooks
