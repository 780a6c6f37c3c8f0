// A walk over all files in the directory that may belong to an upload.
#pragma once

#include <tus/error.h>

#include <cstddef>
#include <dirent.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::file_store {

inline constexpr std::string_view info_suffix = ".info";

// Each call blocks on the disk, briefly. Any thread, one at a time. Holds a descriptor for each directory that
// it is in.
class Walk {
 public:
  struct Entry {
    int directory;          // that the file is in
    const char* name;       // in it
    std::string_view path;  // from the root; all three valid until the next call
    bool is_regular;        // neither a link nor anything odd
  };

  // `root` is an open directory, needed only now.
  static Result<Walk> begin(int root);

  // Nothing at the end. A directory that goes away meanwhile is passed over, and so are names that begin with
  // a dot.
  Result<std::optional<Entry>> next();

 private:
  struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
  };
  using Directory = std::unique_ptr<DIR, CloseDirectory>;
  struct Level {
    Directory directory;
    std::size_t path_length;
  };

  static Directory open_directory(int parent, const char* name);

  std::vector<Level> levels_;
  std::string path_;
};

}  // namespace tus::file_store
