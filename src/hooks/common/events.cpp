#include "hooks/common/events.h"

#include "base/ascii.h"

#include <algorithm>

namespace tus::hooks {

namespace {

// In the order of HookEvent.
constexpr std::array<std::string_view, hook_event_count> names{
    "pre-create",  "post-create",   "post-receive",   "pre-finish",
    "post-finish", "pre-terminate", "post-terminate", "pre-access"};

}  // namespace

std::string_view name_of(HookEvent event) noexcept {
  return names[static_cast<std::size_t>(event)];
}

std::optional<HookEvent> event_named(std::string_view name) noexcept {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<HookEvent>(found - names.begin());
}

bool is_asked(HookEvent event) noexcept { return name_of(event).starts_with("pre-"); }

std::expected<EventSet, std::string> EventSet::parse(std::string_view list) {
  EventSet set;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    const auto name = base::trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (name.empty()) continue;
    const auto event = event_named(name);
    if (!event) return std::unexpected("there is no event '" + std::string(name) + "'");
    set.add(*event);
  }
  return set;
}

}  // namespace tus::hooks
