// Where the files of an upload are.
#pragma once

#include "stores/file/file_io.h"

#include <tus/file_store.h>
#include <tus/upload_id.h>
#include <tus/upload_info.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace tus::file_store {

// A file's name with the directory it is in, which is open as long as this lives.
struct Place {
  Fd owned;  // empty when the file is in the root or has an absolute name
  Name name;
};

// The directory of the store. An id with slashes is a path in it; on the way to an upload no symbolic
// link is followed, so that the files of an id are in the directory.
class Layout {
 public:
  // `root` is an open directory, `path` its absolute name.
  Layout(FileIo& io, Fd root, std::string path, mode_t dir_perms, FsyncPolicy fsync);

  enum class Missing : std::uint8_t { fail, make };  // directories on the way

  // `relative` is an id, or a path without "." and "..". Error with Missing::make: upload_exists, when
  // something that is no directory is where one has to be.
  Result<Place> at(std::string_view relative, Missing missing = Missing::fail);
  Result<Place> info_file(const UploadId& id, Missing missing = Missing::fail);
  // The data file as the Storage.Path of its .info, or of a hook, names it. Error: internal, for a
  // relative path that leaves the directory.
  Result<Place> data_file(const UploadId& id, const std::map<std::string, std::string>& storage,
                          Missing missing = Missing::fail);
  // Whether the data file is where it is when nobody asked for another place.
  bool is_default(const UploadId& id, const std::map<std::string, std::string>& storage) const;
  // The data file's path relative to the directory, as far as InfoPath tells how the directory was called
  // when the record was written: it may have been moved since, or named relative to where Go was started.
  static std::optional<std::string> inside_old_directory(const UploadInfo& info);
  // Writes tusd's Type, Path and InfoPath into the storage of a new upload.
  void describe(UploadInfo& info) const;

  // When the directory was removed, or its file system is gone, and there is one under its name again, that
  // one is used from now on.
  bool reopen_if_gone();

  // Those on the way to an upload that is gone. One that is not empty stays.
  void remove_empty_directories(const UploadId& id);

  // Makes the names of an upload's files safe: its directory and those above it.
  Status sync_directories(const UploadId& id);
  // The same for a data file whose place was chosen. Directories outside of ours are safe since they were made.
  Status sync_directories_of(std::string_view absolute);

  int root() const noexcept { return root_.get(); }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string full_path(std::string_view relative) const {
    return path_ + "/" + std::string(relative);
  }
  Result<Fd> step_into(const Name& directory, Missing missing);
  Result<Fd> make_step(const Name& directory);
  Status make_above(const std::string& absolute);
  Status sync_directory_of(std::string_view absolute);

  FileIo& io_;
  Fd root_;
  std::string path_;
  mode_t dir_perms_;
  FsyncPolicy fsync_;
};

}  // namespace tus::file_store
