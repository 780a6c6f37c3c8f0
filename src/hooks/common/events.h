// The names of events, as hooks, flags and metrics know them.
#pragma once

#include <tus/hooks.h>

#include <array>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tus::hooks {

// "pre-create"; valid for good.
std::string_view name_of(HookEvent event) noexcept;
std::optional<HookEvent> event_named(std::string_view name) noexcept;

// Events that are asked: what caused them waits for the reply.
bool is_asked(HookEvent event) noexcept;

class EventSet {
 public:
  void add(HookEvent event) noexcept { has_[static_cast<std::size_t>(event)] = true; }
  bool has(HookEvent event) const noexcept { return has_[static_cast<std::size_t>(event)]; }

  // Of a comma-separated list; the error is a sentence that names what is no event.
  static std::expected<EventSet, std::string> parse(std::string_view list);

 private:
  std::array<bool, hook_event_count> has_{};
};

}  // namespace tus::hooks
