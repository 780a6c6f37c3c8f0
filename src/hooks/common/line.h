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
  std::optional<Deadline::Point> first_failure;  // in this process
  unsigned waits = 0;                            // for the turn of others, since it was last tried
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
  // While the first one was on its way, something older may have been put behind it.
  bool has_older_behind() const noexcept {
    return std::ranges::any_of(items, [this](const Item& other) {
      return other.is_record() && other.entry.name < items.front().entry.name;
    });
  }
  // The first one is not on its way any more.
  void put_in_order() {
    if (items.empty() || !has_older_behind()) return;
    auto first = std::move(items.front());
    items.pop_front();
    insert(std::move(first));
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
