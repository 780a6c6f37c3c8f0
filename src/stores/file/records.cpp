#include "stores/file/records.h"

#include "stores/file/data_place.h"

#include <cstdio>
#include <random>
#include <vector>

namespace tus::file_store {

namespace {

// Larger than the longest request head that any server takes, with every byte escaped.
constexpr std::size_t largest_record = 4 << 20;

constexpr std::size_t most_warnings = 1000;

// Each look but the last met a rename at the wrong moment.
constexpr int most_looks = 32;

constexpr int read_flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

std::string random_name() {
  std::random_device random;
  auto value = std::uint64_t{random()} << 32 | random();
  std::array<char, 24> text;
  auto length =
      std::snprintf(text.data(), text.size(), "%016llx-", static_cast<unsigned long long>(value));
  return std::string(text.data(), static_cast<std::size_t>(length));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Records::Records(FileIo& io, Layout& layout, RecordOptions options)
    : io_(io), layout_(layout), options_(std::move(options)), instance_(random_name()) {}

Result<InfoFile> Records::parse(std::string_view text, const UploadId& id) {
  if (text.find_first_not_of('\0') != std::string_view::npos) return parse_info(text, id);
  {
    std::lock_guard lock(warned_mutex_);
    bool first = warned_.size() < most_warnings && warned_.insert(id).second;
    if (first && options_.logger) {
      options_.logger->log(LogLevel::warn, "EmptyRecordIgnored", {{"id", id.str()}});
    }
  }
  return fail(ErrorCode::upload_not_found, "the .info file is empty");
}

Result<InfoFile> Records::read_at(const Name& name, const UploadId& id,
                                  std::span<std::byte> scratch) {
  auto fd = io_.open(name, read_flags);
  return fd ? read_from(fd->get(), id, scratch) : fail(fd.error());
}

Result<InfoFile> Records::read_from(int fd, const UploadId& id, std::span<std::byte> scratch) {
  auto length = io_.read(fd, 0, scratch);
  if (!length) return fail(length.error());
  if (*length < scratch.size()) return parse(text_of(scratch.first(*length)), id);

  std::vector<std::byte> all(largest_record);
  length = io_.read(fd, 0, all);
  if (!length) return fail(length.error());
  if (*length == all.size()) return fail(ErrorCode::upload_damaged, "the .info file is huge");
  return parse(text_of(std::span(all).first(*length)), id);
}

Result<InfoFile> Records::read(const UploadId& id, std::span<std::byte> scratch) {
  auto place = layout_.info_file(id);
  if (!place) return fail(place.error());
  return read_at(place->name, id, scratch);
}

Result<Loaded> Records::load(const UploadId& id, std::span<std::byte> scratch) {
  auto place = layout_.info_file(id);
  if (!place) return fail(place.error());
  auto file = read_at(place->name, id, scratch);
  return file ? complete(*std::move(file), *place) : fail(file.error());
}

Result<Loaded> Records::with_data(InfoFile file) {
  auto place = layout_.info_file(file.info.id);
  return place ? complete(std::move(file), *place) : fail(place.error());
}

Result<Loaded> Records::load_consistent(const UploadId& id, std::span<std::byte> scratch) {
  for (int i = 0; i < most_looks; ++i) {
    auto place = layout_.info_file(id);
    if (!place) return fail(place.error());
    auto fd = io_.open(place->name, read_flags);
    if (!fd) return fail(fd.error());
    auto file = read_from(fd->get(), id, scratch);
    auto loaded = file ? complete(*std::move(file), *place) : fail(file.error());
    // Before bytes come that do not count, and after they went, the record is replaced. So a record that
    // is still there when the size is known belongs to it.
    auto there = io_.is_linked(fd->get());
    if (!there) return fail(there.error());
    if (*there) return loaded;
  }
  return fail(ErrorCode::store_unavailable, "the record changes all the time");
}

// With the data, which is beside `record` unless somebody chose another place.
Result<Loaded> Records::complete(InfoFile file, Place& record) {
  record.name.leaf.resize(record.name.leaf.size() - std::string_view(".info").size());
  auto data = look_at_data(file, record.name);
  if (!data) return fail(data.error());
  auto& info = file.info;
  info.offset = counted_size(file, data->size, options_.boot_id);
  info.last_activity = data->changed;
  if (info.length && info.offset > *info.length) {
    return fail(ErrorCode::upload_damaged, "more bytes than the upload's length");
  }
  return Loaded{std::move(file), data->size};
}

Result<FileLook> Records::look_at_data(InfoFile& file, const Name& beside) {
  auto& info = file.info;
  if (layout_.is_default(info.id, info.storage)) {
    auto data = io_.look(beside, AT_SYMLINK_NOFOLLOW);
    if (data && info.storage.empty()) layout_.describe(info);
    bool recorded = info.storage.contains("Path");
    if (data || recorded || !(data.error() == ErrorCode::upload_not_found)) return data;
  }
  auto found = find_data(io_, layout_, info);
  if (!found) return fail(found.error());
  info.storage["Path"] = std::move(found->path);
  layout_.describe(info);
  return found->look;
}

// Where the data is now, by the same rule.
Result<Place> Records::place_of_data(const InfoFile& file) {
  const auto& info = file.info;
  if (layout_.is_default(info.id, info.storage) && info.storage.contains("Path")) {
    return layout_.at(info.id.str());
  }
  auto found = find_data(io_, layout_, info);
  if (found) return std::move(found->place);
  // What cannot be looked at now is not elsewhere.
  if (!(found.error() == ErrorCode::upload_not_found)) return fail(found.error());
  return layout_.at(info.id.str());
}

Result<Fd> Records::open_data(const InfoFile& file, int flags) {
  auto place = place_of_data(file);
  if (!place) return fail(place.error());
  // Only a place that somebody chose may be reached by a symbolic link.
  bool chosen = place->name.dir == AT_FDCWD;
  return io_.open(place->name, chosen ? flags : flags | O_NOFOLLOW);
}

Status Records::remove_data(const InfoFile& file) {
  auto place = place_of_data(file);
  if (!place) return fail(place.error());
  return io_.remove(place->name);
}

Status Records::truncate_data(const InfoFile& file, std::uint64_t size) {
  auto data = open_data(file, O_WRONLY);
  return data ? io_.truncate(data->get(), size) : Status(fail(data.error()));
}

Status Records::create(const InfoFile& file) {
  auto place = layout_.info_file(file.info.id);
  if (!place) return fail(place.error());
  auto fd = io_.open(place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, options_.file_perms);
  if (!fd) return fail(fd.error());
  auto text = write_info(file);
  auto done = io_.write(fd->get(), 0, std::as_bytes(std::span(text)));
  // An upload that promises nothing yet is not worth an fsync; README.md says what that costs.
  bool promised = options_.fsync == FsyncPolicy::always ||
                  (synced() && file.info.finish == FinishState::finished) ||
                  (synced() && file.info.join_pending);
  if (done && promised) done = io_.sync_data(fd->get());
  if (done) done = io_.close(*std::move(fd));
  if (!done) (void)io_.remove(place->name);
  return done;
}

Name Records::temporary_name() {
  auto number = std::to_string(counter_.fetch_add(1, std::memory_order_relaxed));
  return {layout_.root(), ".tusd/tmp/" + instance_ + number};
}

// Whoever tidies the uploads up may take our empty directory with them.
Result<Fd> Records::open_ours(const Name& name, int flags) {
  auto fd = io_.open(name, flags | O_CREAT | O_NOFOLLOW, options_.file_perms);
  if (fd || !(fd.error() == ErrorCode::upload_not_found)) return fd;
  for (const char* directory : {".tusd", ".tusd/tmp"}) {
    auto made = io_.make_directory({layout_.root(), directory}, options_.dir_perms);
    if (!made) return fail(made.error());
  }
  return io_.open(name, flags | O_CREAT | O_NOFOLLOW, options_.file_perms);
}

Status Records::write_temporary(const Name& name, std::string_view text) {
  auto fd = open_ours(name, O_WRONLY | O_EXCL);
  if (!fd) return fail(fd.error());
  auto written = io_.write(fd->get(), 0, std::as_bytes(std::span(text)));
  // Without it a power cut could leave the new name with nothing behind it.
  if (written && synced()) written = io_.sync_data(fd->get());
  return written ? io_.close(*std::move(fd)) : written;
}

Status Records::sync_names(const InfoFile& file) {
  const auto& info = file.info;
  if (auto synced = layout_.sync_directories(info.id); !synced) return synced;
  if (layout_.is_default(info.id, info.storage)) return {};
  // Whoever has made or read the record knows where the data is.
  auto path = info.storage.find("Path");
  return path == info.storage.end() ? Status() : layout_.sync_directories_of(path->second);
}

Status Records::replace(const InfoFile& file, Names names) {
  auto place = layout_.info_file(file.info.id);
  if (!place) return fail(place.error());
  if (auto there = io_.size(place->name, AT_SYMLINK_NOFOLLOW); !there) return fail(there.error());
  auto name = temporary_name();
  auto done = write_temporary(name, write_info(file));
  if (done) done = io_.rename(name, place->name);
  if (!done) {
    (void)io_.remove(name);
    // The upload is there; what is missing is our own directory.
    if (done.error() == ErrorCode::upload_not_found) {
      return fail(ErrorCode::store_unavailable, done.error().detail());
    }
    return done;
  }
  return synced() && names == Names::safe ? sync_names(file) : Status();
}

Status Records::remove(const UploadId& id) {
  auto place = layout_.info_file(id);
  if (!place) return fail(place.error());
  return io_.remove(place->name);
}

// The file is open only now, so that nothing keeps the file system from being made read-only.
Result<Records::Guard> Records::guard(const UploadId& id) {
  const auto stripe = std::hash<UploadId>{}(id) % mutexes_.size();
  Guard guard(mutexes_[stripe]);
  auto file = open_ours({layout_.root(), ".tusd/records.lock"}, O_RDWR);
  // Whoever replaces a record needs room himself, and whoever removes one makes some.
  if (!file && file.error() == ErrorCode::no_space) return guard;
  if (!file) {
    auto code = file.error() == ErrorCode::upload_not_found ? ErrorCode::store_unavailable
                                                            : file.error().code();
    return fail(code, file.error().detail());
  }
  // The hash is the same in all processes of one build, and a record that two builds disagree on is
  // still replaced as a whole.
  io_.lock_byte(file->get(), stripe);
  guard.file_ = *std::move(file);
  return guard;
}

Result<bool> Records::has_lock_file(const UploadId& id) {
  auto place = layout_.at(id.str() + ".lock");
  if (!place) {
    if (place.error() == ErrorCode::upload_not_found) return false;
    return fail(place.error());
  }
  auto size = io_.size(place->name, AT_SYMLINK_NOFOLLOW);
  if (!size && size.error() == ErrorCode::upload_not_found) return false;
  return true;
}

void Records::log(LogLevel level, std::string_view event, const UploadId& id, const Error& why) {
  if (!options_.logger) return;
  options_.logger->log(level, event, {{"id", id.str()}, {"error", why.detail()}});
}

Status Records::probe() {
  auto name = temporary_name();
  auto done = write_temporary(name, "probe\n");
  if (done || !(done.error() == ErrorCode::upload_not_found)) {
    auto removed = io_.remove(name);
    return done ? removed : done;
  }
  return fail(ErrorCode::store_unavailable, done.error().detail());
}

}  // namespace tus::file_store
