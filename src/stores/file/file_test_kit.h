// What the tests of the file store share: a store in a temporary directory of a machine that can fail.
#pragma once

#include "stores/file/disk_model.h"
#include "stores/file/file_store.h"
#include "testing/store_contract_kit.h"

#include <tus/testing/inline_pool.h>
#include <tus/testing/manual_clock.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace tus::file_store::test {

using tus::testing::append;
using tus::testing::append_staged;
using tus::testing::create;
using tus::testing::draft_of;
using tus::testing::expect_error;
using tus::testing::expect_ok;
using tus::testing::FakeLease;
using tus::testing::inspect;
using tus::testing::open;
using tus::testing::pattern;
using tus::testing::run;
using tus::testing::try_create;
using tus::testing::try_open;

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

// System calls that are counted, and of which one fails.
class FaultyCalls final : public Syscalls {
 public:
  explicit FaultyCalls(std::filesystem::path disk) : disk_(std::move(disk)) {}

  // The n-th call from now on fails; those behind it work again.
  void fail_call(int n, int error) {
    countdown_ = n;
    error_ = error;
  }
  // Every call fails that would write.
  void fail_writes(int error) { write_error_ = error; }
  // Every file that was written to is closed with this error.
  void fail_close(int error) { close_error_ = error; }
  // A file of another user.
  void forbid(std::string leaf) { forbidden_ = std::move(leaf); }
  // Writes move at most so many bytes at a time.
  void write_at_most(std::size_t bytes) { most_ = bytes; }
  bool has_failed() const { return countdown_ == 0; }
  // One more fdatasync fails.
  void fail_next_sync(int error) { sync_errors_.push_back(error); }
  // Called once, before the next fdatasync.
  void before_sync(std::function<void()> action) { before_sync_ = std::move(action); }
  // Called once, in the middle of the next fdatasync.
  void during_sync(std::function<void()> action) { during_sync_ = std::move(action); }

  // Called once, right after the next call of that name.
  void after(const char* name, std::function<void()> action) {
    after_name_ = name;
    after_ = std::move(action);
  }

  std::vector<std::string> take_log() { return std::exchange(log_, {}); }

  // Takes what was not synced, and what came after it.
  void cut_power(PowerCut kind) { disk_.cut(kind); }

  int openat(int dir, const char* path, int flags, mode_t mode) override {
    if (fails("openat", (flags & O_CREAT) != 0)) return -1;
    if (forbidden_ == path) {
      errno = EACCES;
      return -1;
    }
    disk_.before(dir, path);
    auto fd = Syscalls::openat(dir, path, flags, mode);
    auto error = errno;
    if (fd >= 0) disk_.opened(fd);
    then("openat");
    errno = error;
    return fd;
  }
  ssize_t pread(int fd, void* into, std::size_t count, off_t at) override {
    if (fails("pread", false)) return -1;
    auto done = Syscalls::pread(fd, into, count, at);
    then("pread");
    return done;
  }
  ssize_t pwrite(int fd, const void* from, std::size_t count, off_t at) override {
    if (fails("pwrite", true)) return -1;
    auto done = Syscalls::pwrite(fd, from, std::min(count, most_), at);
    if (done > 0) disk_.wrote(fd, static_cast<std::uint64_t>(at), static_cast<std::uint64_t>(done));
    then("pwrite");
    return done;
  }
  ssize_t sendfile(int socket, int fd, off_t* at, std::size_t count) override {
    return fails("sendfile", false) ? -1 : Syscalls::sendfile(socket, fd, at, count);
  }
  int fstatat(int dir, const char* path, struct stat* result, int flags) override {
    if (fails("fstatat", false)) return -1;
    auto done = Syscalls::fstatat(dir, path, result, flags);
    auto error = errno;
    then("fstatat");
    errno = error;
    return done;
  }
  // So much is free on the disk.
  void free_space(std::uint64_t bytes) { free_ = bytes; }
  int space_asked() const { return space_asked_; }
  int fstatvfs(int fd, struct statvfs* result) override {
    ++space_asked_;
    if (fails("fstatvfs", false)) return -1;
    const auto done = Syscalls::fstatvfs(fd, result);
    if (free_) {
      result->f_frsize = 1;
      result->f_bavail = *free_;
    }
    return done;
  }
  int close(int fd) override {
    const int error = counts_down() ? error_ : close_error_;
    const int done = Syscalls::close(fd);
    if (error == 0) return done;
    errno = error;
    return -1;
  }
  int ftruncate(int fd, off_t size) override {
    if (fails("ftruncate", false)) return -1;
    disk_.truncated(fd, static_cast<std::uint64_t>(size));
    return Syscalls::ftruncate(fd, size);
  }
  int fdatasync(int fd) override {
    if (auto action = std::exchange(before_sync_, nullptr)) action();
    if (fails("fdatasync", false) || fails_to_sync()) {
      disk_.failed_to_sync_data(fd);
      return -1;
    }
    disk_.synced_data(fd);  // and not what is written in the middle of it
    if (auto action = std::exchange(during_sync_, nullptr)) action();
    return 0;  // the disk of this machine is the test
  }
  int fsync(int fd) override {
    if (fails("fsync", false)) return -1;
    disk_.synced_directory(fd);
    return 0;
  }
  int start_writeback(int, off_t, off_t) override { return 0; }
  int mkdirat(int dir, const char* path, mode_t mode) override {
    if (fails("mkdirat", true)) return -1;
    disk_.before(dir, path);
    auto made = Syscalls::mkdirat(dir, path, mode);
    auto error = errno;
    if (made == 0) disk_.made_directory(dir, path);
    then("mkdirat");
    errno = error;
    return made;
  }
  int renameat(int from_dir, const char* from, int to_dir, const char* to) override {
    if (fails("renameat", true)) return -1;
    disk_.before(from_dir, from);
    disk_.before(to_dir, to);
    auto done = Syscalls::renameat(from_dir, from, to_dir, to);
    then("renameat");
    return done;
  }
  int unlinkat(int dir, const char* path, int flags) override {
    if (fails("unlinkat", false)) return -1;
    disk_.before(dir, path);
    auto done = Syscalls::unlinkat(dir, path, flags);
    auto error = errno;
    then("unlinkat");
    errno = error;
    return done;
  }
  int lock_byte(int fd, off_t at) override {
    return fails("lock_byte", false) ? -1 : Syscalls::lock_byte(fd, at);
  }

 private:
  bool counts_down() { return countdown_ > 0 && --countdown_ == 0; }
  bool fails_to_sync() {
    if (sync_errors_.empty()) return false;
    errno = sync_errors_.back();
    sync_errors_.pop_back();
    return true;
  }
  void then(std::string_view name) {
    if (after_ && name == after_name_) std::exchange(after_, nullptr)();
  }
  bool fails(const char* name, bool writes) {
    log_.emplace_back(name);
    if (writes && write_error_ != 0) {
      errno = write_error_;
      return true;
    }
    if (!counts_down()) return false;
    errno = error_;
    return true;
  }

  int countdown_ = -1;
  int error_ = 0;
  int write_error_ = 0;
  std::optional<std::uint64_t> free_;
  int space_asked_ = 0;
  int close_error_ = 0;
  std::vector<int> sync_errors_;
  std::string forbidden_;
  std::function<void()> before_sync_;
  std::function<void()> during_sync_;
  std::string after_name_;
  std::function<void()> after_;
  std::size_t most_ = std::size_t{1} << 30;
  std::vector<std::string> log_;
  DiskModel disk_;
};

// A body whose bytes go through the same system calls.
class FaultySource final : public BodySource {
 public:
  FaultySource(tus::testing::BodyScript script, FaultyCalls& calls)
      : inner_(std::move(script)), calls_(calls) {}

  std::optional<std::uint64_t> remaining() const noexcept override { return inner_.remaining(); }
  std::span<const std::byte> buffered() const noexcept override { return inner_.buffered(); }
  BodyState state() const noexcept override { return inner_.state(); }
  Moved pull(std::span<std::byte> into) override { return inner_.pull(into); }
  Moved move_to_file(int fd, std::uint64_t at, std::uint64_t max,
                     std::span<std::byte> scratch) override {
    auto moved = inner_.pull(scratch.first(std::min<std::uint64_t>(scratch.size(), max)));
    std::uint64_t done = 0;
    while (done < moved.bytes && moved.file_error == 0) {
      auto n = calls_.pwrite(fd, scratch.data() + done, moved.bytes - done,
                             static_cast<off_t>(at + done));
      if (n <= 0) moved.file_error = errno;
      if (n > 0) done += static_cast<std::uint64_t>(n);
    }
    moved.bytes = done;
    return moved;
  }
  bool wait_briefly(std::chrono::microseconds patience) override {
    return inner_.wait_briefly(patience);
  }
  Awaitable<BodyState> wait() override { return inner_.wait(); }
  void interrupt(BodyState reason) noexcept override { inner_.interrupt(reason); }
  void release() { inner_.release(); }

 private:
  tus::testing::ScriptSource inner_;
  FaultyCalls& calls_;
};

// Remembers what was logged: the event and its id.
class Lines final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return true; }
  void log(LogLevel, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override {
    std::string line(event);
    for (const auto& field : fields) {
      if (field.key == "id") line.append(" ").append(field.value);
    }
    events.push_back(std::move(line));
  }
  std::vector<std::string> events;
};

// A machine with a directory and, while it is up, a store.
class FileBench {
 public:
  explicit FileBench(FsyncPolicy fsync = FsyncPolicy::off) {
    options.fsync = fsync;
    options.directory = directory.path() / "up";
    start();
  }

  // The process dies and starts again.
  void restart() { start(); }
  // A clean stop. The store stays, for a test that looks at what it has left.
  void close() { run(store_->close(Deadline::never())); }
  void stop() {
    close();
    store_.reset();
  }
  // So does the machine, and takes what was not synced.
  void cut_power(PowerCut kind = {}) {
    store_.reset();
    calls->cut_power(kind);
    other_boot();
  }
  // The machine is started anew and has lost nothing.
  void other_boot() {
    boot_id += "'";
    start();
  }

  FileStore& store() { return *store_; }
  DurableKeeper& keeper() { return *store_->context().keeper; }
  std::filesystem::path path(const std::string& name) const { return options.directory / name; }
  std::string data(const std::string& name) const { return read_file(path(name)); }

  AppendOutcome append_body(Upload& upload, tus::testing::BodyScript script) {
    FaultySource source(std::move(script), *calls);
    AppendRequest request(upload.info().offset);
    return run(upload.append(FakeLease(), source, request, Deadline::never()));
  }
  AppendOutcome append_bytes(Upload& upload, std::string bytes) {
    return append_body(upload, tus::testing::BodyScript::whole(std::move(bytes)));
  }

  tus::testing::TemporaryDirectory directory;
  FileStoreOptions options;
  std::shared_ptr<FaultyCalls> calls = std::make_shared<FaultyCalls>(directory.path());
  std::shared_ptr<BlockingPool> pool = std::make_shared<tus::testing::InlinePool>();
  std::shared_ptr<tus::testing::ManualClock> clock = std::make_shared<tus::testing::ManualClock>();
  std::shared_ptr<Lines> logger = std::make_shared<Lines>();
  std::string boot_id = "boot";

 private:
  void start() {
    store_.reset();
    Machine machine;
    machine.calls = calls;
    machine.boot_id = boot_id;
    machine.background_thread = false;
    auto context = make_context(options, std::move(machine), pool, clock, logger);
    if (!context) throw std::runtime_error(context.error().detail());
    store_ = std::make_unique<FileStore>(*std::move(context));
    (void)calls->take_log();
  }

  std::unique_ptr<FileStore> store_;
};

// The durable mark in the record of an upload, as text.
inline std::string mark_of(const FileBench& bench, const std::string& id) {
  auto file = parse_info(bench.data(id + ".info"), *UploadId::parse(id));
  if (!file) return "damaged";
  if (!file->durable) return "none";
  return std::to_string(file->durable->offset) + (file->durable->strict ? " strict" : "");
}

// Whether anybody, in this process or another one, holds the guard of a record.
inline bool is_guarded(const FileBench& bench) {
  Fd fd(::open(bench.path(".tusd/records.lock").c_str(), O_RDWR | O_CLOEXEC));
  struct flock any = {};
  any.l_type = F_WRLCK;
  any.l_whence = SEEK_SET;
  EXPECT_EQ(::fcntl(fd.get(), F_OFD_GETLK, &any), 0);
  return any.l_type != F_UNLCK;
}

}  // namespace tus::file_store::test
