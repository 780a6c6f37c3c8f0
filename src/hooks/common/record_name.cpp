#include "hooks/common/record_name.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace tus::hooks {

namespace {

constexpr std::size_t number_size = 16;
constexpr std::size_t line_at = number_size + 1;
constexpr std::size_t event_at = line_at + number_size + 1;
constexpr std::size_t state_at = event_at + 1;
constexpr std::size_t id_at = state_at + 2;
constexpr std::size_t name_size = id_at + 32;

std::string fixed_hex(std::uint64_t number) {
  std::array<char, number_size + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return std::string(text.data(), number_size);
}

std::optional<std::uint64_t> number_at(std::string_view name, std::size_t at) {
  std::uint64_t number = 0;
  const auto* end = name.data() + at + number_size;
  const auto read = std::from_chars(name.data() + at, end, number, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

std::uint64_t nanoseconds(std::chrono::system_clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::uint64_t line_of(std::string_view upload_id) noexcept {
  // FNV-1a: the same in every process.
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : upload_id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

std::string record_name(const OutboxEntry& entry, std::string_view event_id) {
  std::string name = fixed_hex(nanoseconds(entry.since));
  name.append("-").append(fixed_hex(entry.line)).append("-");
  name.push_back(static_cast<char>('0' + static_cast<int>(entry.event)));
  name.push_back(entry.has_happened ? 'h' : 'p');
  return name.append("-").append(event_id);
}

std::optional<OutboxEntry> entry_named(std::string_view name) {
  const bool has_shape = name.size() == name_size && name[line_at - 1] == '-' &&
                         name[event_at - 1] == '-' && name[id_at - 1] == '-' &&
                         std::ranges::all_of(name.substr(id_at), is_hex);
  if (!has_shape || (name[state_at] != 'p' && name[state_at] != 'h')) return std::nullopt;
  const auto time = number_at(name, 0);
  const auto line = number_at(name, line_at);
  const auto event = static_cast<std::size_t>(static_cast<unsigned char>(name[event_at]) - '0');
  if (!time || !line || event >= hook_event_count) return std::nullopt;
  OutboxEntry entry;
  entry.name = name;
  entry.line = *line;
  entry.event = static_cast<HookEvent>(event);
  entry.since = std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(static_cast<std::int64_t>(*time))));
  entry.has_happened = name[state_at] == 'h';
  return entry;
}

bool is_marked(const OutboxEntry& entry) { return entry.name[state_at] == 'h'; }

OutboxEntry with_happened(OutboxEntry entry) {
  entry.has_happened = true;
  entry.name[state_at] = 'h';
  return entry;
}

OutboxEntry with_time(OutboxEntry entry, std::chrono::system_clock::time_point time) {
  entry.since = time;
  entry.name.replace(0, number_size, fixed_hex(nanoseconds(time)));
  return entry;
}

}  // namespace tus::hooks
