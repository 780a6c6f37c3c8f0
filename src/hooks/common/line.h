// The notifications of one upload that are not delivered yet.
#pragma once

#include "hooks/common/outbox.h"
#include "hooks/common/transport.h"

#include <tus/deadline.h>
#include <tus/hooks.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace tus::hooks {

struct Item {
  Item() = default;

  OutboxEntry entry;                         // of one that is only in memory: without a name
  std::shared_ptr<const Envelope> envelope;  // none: it is read from the outbox
  unsigned attempts = 0;
  Hooks::StopUpload stop;

  bool is_record() const noexcept { return !entry.name.empty(); }
};

// Only the first one is ever on its way.
struct Line {
  Line() = default;

  std::deque<Item> items;
  bool running = false;
  bool queued = false;                 // waits for one of the places in which lines run
  std::optional<Deadline::Point> due;  // a delivery has failed; not before then

  bool may_run() const noexcept {
    return !running && !queued && !due && !items.empty() && items.front().entry.has_happened;
  }
  Item* find(std::string_view name) {
    const auto found = std::ranges::find(
        items, name, [](const Item& item) -> std::string_view { return item.entry.name; });
    return found == items.end() ? nullptr : &*found;
  }
  // Records of dead processes come before what has been promised since, but never before what is on its way.
  void insert(Item item) {
    auto at = items.begin();
    if (running && at != items.end()) ++at;
    at = std::find_if(at, items.end(), [&item](const Item& other) {
      return other.is_record() && other.entry.name > item.entry.name;
    });
    items.insert(at, std::move(item));
  }
};

}  // namespace tus::hooks
