#include "stores/file/left_overs.h"

#include "stores/file/walk.h"

#include <algorithm>
#include <string_view>

namespace tus::file_store {

namespace {

// As random_upload_id() of the service, and Go's tusd, make them.
bool is_generated(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The files of a name, where there is no upload.
struct Rest {
  std::optional<FileLook> data;
  std::optional<FileLook> record;
};

// Nothing: it is an upload, or nobody can tell.
std::optional<Rest> look_at_rest(Context& context, const UploadId& id,
                                 std::span<std::byte> scratch) {
  auto place = context.layout.info_file(id);
  if (!place) return std::nullopt;
  auto& name = place->name;
  Rest rest;
  auto record = context.io.look(name, AT_SYMLINK_NOFOLLOW);
  if (record) rest.record = *record;
  if (!record && !(record.error() == ErrorCode::upload_not_found)) return std::nullopt;
  if (auto read = context.records.read(id, scratch)) {
    // Where the data is somewhere else, the disk that it is on may only be missing now.
    const bool beside = context.layout.is_default(id, read->info.storage);
    const auto loaded = context.records.load(id, scratch);
    const bool missing = !loaded && loaded.error() == ErrorCode::upload_not_found;
    if (!beside || !missing) return std::nullopt;
  } else if (!(read.error() == ErrorCode::upload_not_found)) {
    return std::nullopt;
  }
  name.leaf.resize(name.leaf.size() - info_suffix.size());
  auto data = context.io.look(name, AT_SYMLINK_NOFOLLOW);
  if (data) rest.data = *data;
  if (!data && !(data.error() == ErrorCode::upload_not_found)) return std::nullopt;
  return rest;
}

bool is_old(const Rest& rest, std::chrono::sys_seconds idle_since) {
  if (!rest.data && !rest.record) return false;
  if (rest.data && rest.data->changed >= idle_since) return false;
  return !rest.record || rest.record->changed < idle_since;
}

}  // namespace

bool may_be_left_over(Context& context, const UploadId& id, std::chrono::sys_seconds idle_since,
                      std::span<std::byte> scratch) {
  if (!is_generated(id.str())) return false;
  const auto rest = look_at_rest(context, id, scratch);
  return rest && is_old(*rest, idle_since);
}

Result<std::optional<std::uint64_t>> remove_rest(Context& context, const UploadId& id,
                                                 const Lease& lease,
                                                 std::chrono::sys_seconds idle_since,
                                                 std::span<std::byte> scratch) {
  if (lease.lost()) return fail(ErrorCode::lease_lost);
  auto guard = context.records.guard(id);
  if (!guard) return fail(std::move(guard.error()));
  if (!is_generated(id.str())) return std::nullopt;
  const auto rest = look_at_rest(context, id, scratch);
  if (!rest || !is_old(*rest, idle_since)) return std::nullopt;
  auto place = context.layout.at(id.str());
  if (!place) return fail(std::move(place.error()));
  if (auto removed = context.io.remove(place->name); !removed) return fail(removed.error());
  if (rest->record) {
    if (auto removed = context.records.remove(id); !removed) return fail(removed.error());
  }
  return rest->data ? rest->data->size : 0;
}

void remove_old_temporaries(FileIo& io, int root, std::chrono::sys_seconds idle_since) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  auto directory = io.open({root, ".tusd/tmp"}, flags);
  auto walk = directory ? Walk::begin(directory->get()) : fail(directory.error());
  while (walk) {
    auto entry = walk->next();
    if (!entry || !*entry) return;
    const Name name{(*entry)->directory, (*entry)->name};
    const auto file = io.look(name, AT_SYMLINK_NOFOLLOW);
    if (file && file->changed < idle_since) (void)io.remove(name);
  }
}

}  // namespace tus::file_store
