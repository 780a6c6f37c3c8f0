// A directory that is there as long as the test; in memory, where the machine has a place for that.
#pragma once

#include <tus/export.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

TUS_NAMESPACE_BEGIN

namespace testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    if (!make_in("/dev/shm") && !make_in(std::filesystem::temp_directory_path())) {
      throw std::runtime_error("no temporary directory");
    }
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  bool make_in(const std::filesystem::path& parent) {
    auto name = (parent / "tus-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return false;
    path_ = name;
    return true;
  }

  std::filesystem::path path_;
};

}  // namespace testing

TUS_NAMESPACE_END
