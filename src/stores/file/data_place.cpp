#include "stores/file/data_place.h"

#include <utility>

namespace tus::file_store {

namespace {

bool is_missing(const Error& error) { return error == ErrorCode::upload_not_found; }

class Search {
 public:
  Search(FileIo& io, Layout& layout, const UploadInfo& info)
      : io_(io), layout_(layout), info_(info) {}

  Result<FoundData> run() {
    const auto& recorded = recorded_path();
    const auto moved = layout_.inside_old_directory(info_);
    // Also when the recorded place is there: a directory that was copied must not write into its original.
    if (moved) {
      if (auto found = look_inside(*moved); settled(found)) return found;
    }
    // What is relative is so to the directory in which Go was started: not taken as it is when we know better.
    if (!recorded.empty() && (recorded.front() == '/' || !moved)) {
      auto place = layout_.data_file(info_.id, info_.storage);
      // One that leads out of the directory was relative to another one.
      const bool nowhere = !place && place.error() == ErrorCode::internal;
      const int flags = recorded.front() == '/' ? 0 : AT_SYMLINK_NOFOLLOW;
      if (!nowhere) {
        auto found = look(std::move(place), absolute(recorded), flags);
        if (settled(found)) return found;
      }
    }
    auto beside = look_inside(info_.id.str());
    if (settled(beside) || !may_have_suffix()) return beside;
    return look_inside(info_.id.str() + ".bin");
  }

 private:
  static bool settled(const Result<FoundData>& found) {
    return found || !is_missing(found.error());
  }

  const std::string& recorded_path() const {
    static const std::string none;
    auto it = info_.storage.find("Path");
    return it == info_.storage.end() ? none : it->second;
  }
  std::string absolute(const std::string& path) const {
    return path.starts_with('/') ? path : layout_.path() + "/" + path;
  }

  Result<FoundData> look(Result<Place> place, std::string path, int flags) {
    if (!place) return fail(place.error());
    auto seen = io_.look(place->name, flags);
    if (!seen) return fail(seen.error());
    return FoundData{*std::move(place), *seen, std::move(path)};
  }
  Result<FoundData> look_inside(const std::string& relative) {
    return look(layout_.at(relative), absolute(relative), AT_SYMLINK_NOFOLLOW);
  }

  // Before 1.0 the data of `x` was in `x.bin`. Not when that is the data of an upload `x.bin`.
  bool may_have_suffix() {
    const auto& recorded = recorded_path();
    if (!recorded.empty() && !("/" + recorded).ends_with("/" + info_.id.str() + ".bin"))
      return false;
    auto other = look_inside(info_.id.str() + ".bin.info");
    return !other && is_missing(other.error());
  }

  FileIo& io_;
  Layout& layout_;
  const UploadInfo& info_;
};

}  // namespace

Result<FoundData> find_data(FileIo& io, Layout& layout, const UploadInfo& info) {
  return Search(io, layout, info).run();
}

}  // namespace tus::file_store
