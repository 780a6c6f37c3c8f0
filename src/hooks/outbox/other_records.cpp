#include "hooks/outbox/other_records.h"

#include "hooks/common/record_name.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

namespace tus::hooks {

bool is_other_place(std::string_view name, std::string_view own) {
  return name == "again" || (name.starts_with("run-") && name != own);
}

bool OtherRecords::has_older(int root, const std::string& own, const OutboxEntry& entry) {
  std::lock_guard lock(mutex_);
  look_for_places(root, own);
  const auto has_one = [&](auto& named) {
    if (!look_at(root, named.first, named.second)) return false;
    const auto* found = seen(named.second, entry);
    return found != nullptr && found->oldest < entry.since;
  };
  // There and back: a record that goes from one to another meanwhile is met on one of the ways.
  return std::ranges::any_of(places_, has_one) ||
         std::ranges::any_of(std::views::reverse(places_), has_one);
}

bool OtherRecords::has_end(int root, const std::string& own, const OutboxEntry& entry) {
  std::lock_guard lock(mutex_);
  look_for_places(root, own);
  const auto has_later_end = [&](const std::string& name, Place& place) {
    if (!look_at(root, name, place)) return false;
    const auto* found = seen(place, entry);
    return found != nullptr && found->last_end > entry.since;
  };
  return has_later_end(own, ours_) || std::ranges::any_of(places_, [&](auto& named) {
           return has_later_end(named.first, named.second);
         });
}

const OtherRecords::Seen* OtherRecords::seen(const Place& place, const OutboxEntry& entry) {
  const auto line = place.lines.find(entry.line);
  return line == place.lines.end() ? nullptr : &line->second;
}

void OtherRecords::look_for_places(int root, const std::string& own) {
  const auto now = Stamp::of(root, ".");
  if (now && stamp_.still_holds(*now)) return;
  std::set<std::string, std::less<>> found;
  for_each_name(root, [&](std::string_view name) {
    if (is_other_place(name, own)) found.emplace(name);
  });
  std::erase_if(places_, [&found](const auto& place) { return !found.contains(place.first); });
  for (const auto& name : found) places_.try_emplace(name);
  stamp_ = now.value_or(Stamp());
}

bool OtherRecords::look_at(int root, const std::string& name, Place& place) {
  const auto now = Stamp::of(root, name.c_str());
  if (!now) return false;
  if (place.stamp.still_holds(*now)) return true;
  place = Place();
  const auto directory = open_directory(root, name.c_str());
  if (!directory) return false;
  for_each_name(directory.get(), [&place](std::string_view record) {
    const auto entry = entry_named(record);
    if (!entry) return;
    auto& line =
        place.lines.try_emplace(entry->line, Seen{entry->since, Time::min()}).first->second;
    line.oldest = std::min(line.oldest, entry->since);
    if (entry->event == HookEvent::post_terminate)
      line.last_end = std::max(line.last_end, entry->since);
  });
  place.stamp = *now;
  return true;
}

}  // namespace tus::hooks
