#include "stores/file/context.h"

#include "stores/file/left_overs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>

namespace tus::file_store {

namespace {

// Left behind by a process that died between writing a temporary file and renaming it.
constexpr std::chrono::hours leftover_age{24};

std::string kernel_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// Makes safe that `path` is there. Not more than a warning: the directory may be another user's, and some
// file systems sync no directories.
void sync_above(FileIo& io, const std::string& path, Logger& logger) {
  auto above = io.open({AT_FDCWD, path.substr(0, path.rfind('/') + 1)}, O_RDONLY | O_DIRECTORY);
  auto synced = above ? io.sync_directory(above->get()) : Status(fail(above.error()));
  if (synced) return;
  logger.log(LogLevel::warn, "DirectoryNotSynced",
             {{"directory", path}, {"error", synced.error().detail()}});
}

Result<Fd> open_directory(FileIo& io, const std::filesystem::path& path,
                          const FileStoreOptions& options, Logger& logger) {
  const bool safe = options.fsync != FsyncPolicy::off;
  std::string whole = path.string();
  auto found = io.open({AT_FDCWD, whole}, O_RDONLY | O_DIRECTORY);
  // Also when it was there: whoever made it may have died, or asked for no safety.
  if (found && safe) sync_above(io, whole, logger);
  if (found || !(found.error() == ErrorCode::upload_not_found)) return found;
  for (auto slash = whole.find('/', 1); slash != std::string::npos;
       slash = whole.find('/', slash + 1)) {
    // What stands in the way shows up when the directory is opened.
    auto above = whole.substr(0, slash);
    auto made = io.make_directory({AT_FDCWD, above}, options.dir_perms);
    if (made && *made && safe) sync_above(io, above, logger);
  }
  auto made = io.make_directory({AT_FDCWD, whole}, options.dir_perms);
  if (!made) return fail(made.error());
  if (safe) sync_above(io, whole, logger);
  return io.open({AT_FDCWD, whole}, O_RDONLY | O_DIRECTORY);
}

// Makes the directory of the temporary files; old ones in it are removed.
Status prepare_temporary(FileIo& io, int root, mode_t perms) {
  for (const char* name : {".tusd", ".tusd/tmp"}) {
    if (auto made = io.make_directory({root, name}, perms); !made) return fail(made.error());
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  remove_old_temporaries(io, root, now - leftover_age);
  return {};
}

RecordOptions record_options(const FileStoreOptions& options, const Machine& machine,
                             std::shared_ptr<Logger> logger) {
  RecordOptions record;
  record.fsync = options.fsync;
  record.file_perms = options.file_perms;
  record.dir_perms = options.dir_perms;
  record.boot_id = machine.boot_id;
  record.logger = std::move(logger);
  return record;
}

// That passes, and until then uploads can be asked for and deleted.
bool is_full(const Error& error) { return error == ErrorCode::no_space; }

std::unexpected<Error> unusable(const std::string& path, const Error& why) {
  return fail(ErrorCode::store_unavailable,
              "the upload directory " + path + " cannot be used: " + why.detail());
}

}  // namespace

Context::Context(FileStoreOptions o, Machine m, std::shared_ptr<BlockingPool> p,
                 std::shared_ptr<Clock> c, std::shared_ptr<Logger> l, Fd root, std::string path)
    : options(std::move(o)),
      machine(std::move(m)),
      pool(std::move(p)),
      clock(std::move(c)),
      logger(std::move(l)),
      io(*machine.calls),
      layout(io, std::move(root), std::move(path), options.dir_perms, options.fsync),
      records(io, layout, record_options(options, machine, logger)),
      handover(std::make_shared<Handover>(records, layout, options.fsync, *clock, logger)) {
  if (options.fsync != FsyncPolicy::finish) return;
  DurableOptions durable{options.durable_bytes, options.durable_interval};
  keeper.emplace(io, records, durable, *clock, *logger);
  if (machine.background_thread) keeper->start_thread();
}

Result<std::uint64_t> Context::space_to_use() {
  if (options.min_free_space == 0) return std::numeric_limits<std::uint64_t>::max();
  auto free = io.free_space(layout.root());
  if (!free) return free;
  return *free - std::min(*free, options.min_free_space);
}

Status Context::has_space_for(std::uint64_t bytes) {
  if (options.min_free_space == 0) return {};
  auto free = io.free_space(layout.root());
  if (!free) return fail(free.error());
  if (*free >= options.min_free_space && bytes <= *free - options.min_free_space) return {};
  return fail(ErrorCode::no_space, std::to_string(*free) + " bytes are free, of which " +
                                       std::to_string(options.min_free_space) +
                                       " have to stay free");
}

Result<std::unique_ptr<Context>> make_context(FileStoreOptions options, Machine machine,
                                              std::shared_ptr<BlockingPool> pool,
                                              std::shared_ptr<Clock> clock,
                                              std::shared_ptr<Logger> logger) {
  std::error_code no_cwd;
  auto path = std::filesystem::absolute(options.directory, no_cwd).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  FileIo io(*machine.calls);
  auto root = open_directory(io, path, options, *logger);
  if (!root) return unusable(path, root.error());
  auto ready = prepare_temporary(io, root->get(), options.dir_perms);
  if (!ready && !is_full(ready.error())) return unusable(path, ready.error());

  if (machine.boot_id.empty()) machine.boot_id = kernel_boot_id();
  if (machine.boot_id.empty()) {
    // Without it every start looks like the same one, so nothing ever falls back.
    machine.boot_id = unknown_boot_id;
    logger->log(LogLevel::warn, "BootIdUnknown", {});
  }
  auto context =
      std::make_unique<Context>(std::move(options), std::move(machine), std::move(pool),
                                std::move(clock), std::move(logger), *std::move(root), path);
  auto probed = context->records.probe();
  if (!probed && !is_full(probed.error())) return unusable(path, probed.error());
  if (!probed) context->logger->log(LogLevel::warn, "DirectoryIsFull", {{"path", path}});
  return context;
}

}  // namespace tus::file_store
