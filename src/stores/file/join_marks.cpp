#include "stores/file/join_marks.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <dirent.h>
#include <memory>
#include <optional>
#include <string>

namespace tus::file_store {

namespace {

constexpr const char* folder = ".tusd/joins";
constexpr std::size_t longest_name = 200;
constexpr std::chrono::hours leftover_age{24};

// FNV-1a; the id itself is in the file.
std::string hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  std::array<char, 20> hex;
  const auto length =
      std::snprintf(hex.data(), hex.size(), "%%%016llx", static_cast<unsigned long long>(hash));
  return {hex.data(), static_cast<std::size_t>(length)};
}

// No id contains or begins with '%'.
std::string name_of(const UploadId& id) {
  auto name = id.str();
  if (name.size() > longest_name) return hash_of(name);
  std::ranges::replace(name, '/', '%');
  return name;
}

Name mark_of(Context& context, const UploadId& id) {
  return {context.layout.root(), std::string(folder) + "/" + name_of(id)};
}

std::optional<UploadId> id_of(Context& context, int directory, std::string name,
                              std::span<std::byte> scratch) {
  if (!name.starts_with('%')) {
    std::ranges::replace(name, '%', '/');
    return UploadId::parse(name);
  }
  auto mark = context.io.open({directory, name}, O_RDONLY | O_NOFOLLOW);
  if (!mark) return std::nullopt;
  auto length = context.io.read(mark->get(), 0, scratch);
  if (!length) return std::nullopt;
  return UploadId::parse({reinterpret_cast<const char*>(scratch.data()), *length});
}

bool is_left_over(Context& context, int directory, const char* name, const UploadId& id,
                  std::span<std::byte> scratch) {
  struct stat found;
  if (::fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW) != 0) return false;
  const auto oldest =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() - leftover_age);
  if (found.st_mtime >= oldest) return false;
  auto record = context.records.read(id, scratch);
  if (record) return !record->info.join_pending;
  return record.error() == ErrorCode::upload_not_found;
}

Status sync_folder(Context& context) {
  if (context.off()) return {};
  for (const char* name : {folder, ".tusd", "."}) {
    auto directory = context.io.open({context.layout.root(), name}, O_RDONLY | O_DIRECTORY);
    if (!directory) return fail(directory.error());
    auto synced = context.io.sync_directory(directory->get());
    if (!synced) return synced;
  }
  return {};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

Status add_join_mark(Context& context, const UploadId& id) {
  constexpr int flags = O_WRONLY | O_CREAT | O_NOFOLLOW;
  const auto name = mark_of(context, id);
  auto mark = context.io.open(name, flags, context.options.file_perms);
  if (!mark && mark.error() == ErrorCode::upload_not_found) {
    for (const char* directory : {".tusd", folder}) {
      auto made =
          context.io.make_directory({context.layout.root(), directory}, context.options.dir_perms);
      if (!made) return fail(made.error());
    }
    mark = context.io.open(name, flags, context.options.file_perms);
  }
  if (!mark) {
    if (!(mark.error() == ErrorCode::upload_not_found)) return fail(mark.error());
    return fail(ErrorCode::store_unavailable, mark.error().detail());
  }
  auto done = context.io.write(mark->get(), 0, std::as_bytes(std::span(id.str())));
  if (done && !context.off()) done = context.io.sync_data(mark->get());
  if (done) done = context.io.close(*std::move(mark));
  return done ? sync_folder(context) : done;
}

void remove_join_mark(Context& context, const UploadId& id) {
  (void)context.io.remove(mark_of(context, id));
}

Result<std::vector<UploadId>> list_join_marks(Context& context, std::span<std::byte> scratch) {
  std::vector<UploadId> ids;
  auto fd = context.io.open({context.layout.root(), folder}, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) {
    // It comes with the first join.
    if (fd.error() == ErrorCode::upload_not_found) return ids;
    return fail(fd.error());
  }
  std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(fd->get()));
  if (!directory) return fail(error_of_errno(errno, "list", folder));
  const int at = fd->release();
  errno = 0;
  while (auto* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.') continue;
    auto id = id_of(context, at, entry->d_name, scratch);
    if (id && is_left_over(context, at, entry->d_name, *id, scratch)) {
      (void)context.io.remove({at, entry->d_name});
    } else if (id) {
      ids.push_back(std::move(*id));
    }
    errno = 0;
  }
  if (errno != 0) return fail(error_of_errno(errno, "list", folder));
  return ids;
}

}  // namespace tus::file_store
