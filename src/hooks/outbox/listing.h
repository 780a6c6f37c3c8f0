// Names in directories, and whether they may have changed since. Blocking; any thread.
#pragma once

#include "async/file_descriptor.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace tus::hooks {

Fd open_directory(int at, const char* name);

// Calls `see` for each name; false when the directory cannot be read.
bool for_each_name(int directory, const std::function<void(std::string_view)>& see);

// When a directory last changed, as far as one can be sure of it: a change that comes within a tick of the
// kernel's clock after another one leaves no trace.
class Stamp {
 public:
  Stamp() = default;

  // None: it is not there. To be taken before the names are read.
  static std::optional<Stamp> of(int at, const char* name);

  // Whether what was read under this stamp is still true under that one.
  bool still_holds(const Stamp& now) const noexcept {
    return is_settled_ && inode_ == now.inode_ && changed_ns_ == now.changed_ns_;
  }

 private:
  std::uint64_t inode_ = 0;
  std::int64_t changed_ns_ = 0;
  bool is_settled_ = false;
};

}  // namespace tus::hooks
