// What is written in a lock file. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tus::file_locker {

// The first line is all that Go's lockfile package writes and reads: a process id. Behind it we say what
// tells that process from a later one with the same id.
struct LockText {
  enum class Kind : std::uint8_t {
    garbage,  // nobody's: Go's package removes such a file, and so do we
    plain,    // by Go's
    linked,   // ours: a link of a file that its process holds a flock on as long as it lives
    alone,    // ours, where there are no hard links
  };

  Kind kind = Kind::garbage;
  std::int32_t pid = 0;
  std::string boot_id;
  std::string start_time;
};

LockText parse_lock_text(std::string_view text);
std::string write_lock_text(const LockText& lock);

}  // namespace tus::file_locker
