// Which objects an outbox in a bucket is made of. Pure.
#pragma once

#include "hooks/common/outbox.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus::hooks {

// Whose records a run's are when there is no such run: anybody's.
inline constexpr std::string_view nobody = "0000000000000000";

// The name of a record here is that of record_name.h, and behind a '.' the run that it belongs to.
std::string name_with_owner(std::string name, std::string_view owner);
std::string_view owner_in(std::string_view name);
// As record_name.h has it.
std::string_view name_without_owner(std::string_view name);

// <prefix>
//   records/<line>-<time>-<event>-<event id>.<run>     a record
//   records/<line>-<time>-<event>-<event id>.<run>.h   beside it: it is known to have happened
//   runs/<run>                                         of a process, or of whoever has taken its records over
//   dead/<name>                                        what is not tried any more
// The line comes first, so that one list has what concerns an upload.
class Keys {
 public:
  explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}

  // Beginnings of keys.
  std::string records() const { return prefix_ + "records/"; }
  std::string line(std::uint64_t line) const;
  std::string runs() const { return prefix_ + "runs/"; }
  std::string dead() const { return prefix_ + "dead/"; }

  // Whether an entry is marked or not.
  std::string record(const OutboxEntry& entry) const;
  std::string mark(const OutboxEntry& entry) const { return record(entry) + ".h"; }
  std::string run(std::string_view id) const { return runs().append(id); }
  std::string dead(const OutboxEntry& entry) const;

  // What a key is about; nothing when it is something else.
  struct Found {
    OutboxEntry entry;
    bool is_mark = false;
  };
  std::optional<Found> record_at(std::string_view key) const;
  std::optional<std::string> run_at(std::string_view key) const;
  std::optional<OutboxEntry> dead_at(std::string_view key) const;

 private:
  std::string prefix_;
};

// The text of a run: who holds it, and something that is never the same.
std::string run_text(std::string_view holder, std::string_view beat);
// Nothing when it is no such text.
std::optional<std::string> holder_in(std::string_view text);

}  // namespace tus::hooks
