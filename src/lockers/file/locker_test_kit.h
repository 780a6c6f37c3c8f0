// Lock files of processes that a test makes up.
#pragma once

#include "lockers/file/lock_files.h"

#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace tus::file_locker {

// The real machine, but for what a test has set.
class FakeCalls final : public LockCalls {
 public:
  int linkat(int from_dir, const char* from, int to_dir, const char* to) override {
    if (failing_links_ > 0 && --failing_links_ == 0) return failed(link_error_);
    if (link_error_ != 0 && failing_links_ < 0) return failed(link_error_);
    if (links_are_copies_) return copy(from_dir, from, to_dir, to);
    return LockCalls::linkat(from_dir, from, to_dir, to);
  }
  int flock(int fd, int operation) override {
    if (before_flock_ > 0 && --before_flock_ == 0) std::exchange(action_, nullptr)();
    return flock_error_ != 0 ? failed(flock_error_) : LockCalls::flock(fd, operation);
  }
  int inotify_init() override { return has_inotify_ ? LockCalls::inotify_init() : failed(EMFILE); }
  pid_t getpid() override { return pid_ != 0 ? pid_ : LockCalls::getpid(); }
  std::string start_time(pid_t pid) override {
    return start_time_ ? *start_time_ : LockCalls::start_time(pid);
  }
  std::string boot_id() override { return boot_id_; }

  FakeCalls& with_pid(pid_t pid) { return pid_ = pid, *this; }
  FakeCalls& with_start_time(std::string time) { return start_time_ = std::move(time), *this; }
  FakeCalls& with_boot(std::string id) { return boot_id_ = std::move(id), *this; }
  FakeCalls& without_links(int code = EPERM) {
    return link_error_ = code, failing_links_ = -1, *this;
  }
  FakeCalls& with_links() { return without_links(0); }
  // As file systems in user space have them: each name is a file of its own.
  FakeCalls& with_copies_for_links() { return links_are_copies_ = true, *this; }
  FakeCalls& without_flock() { return flock_error_ = ENOLCK, *this; }
  FakeCalls& without_inotify() { return has_inotify_ = false, *this; }
  // Something that another process does right before the n-th flock from now on.
  void before_flock(int n, std::function<void()> action) {
    before_flock_ = n;
    action_ = std::move(action);
  }
  // The n-th link from now on.
  void fail_link(int n, int code) { link_error_ = code, failing_links_ = n; }

 private:
  static int failed(int code) {
    errno = code;
    return -1;
  }

  static int copy(int from_dir, const char* from, int to_dir, const char* to) {
    const auto name = [](int dir, const char* leaf) {
      return "/proc/self/fd/" + std::to_string(dir) + "/" + leaf;
    };
    std::error_code error;
    std::filesystem::copy_file(name(from_dir, from), name(to_dir, to), error);
    return error ? failed(error.value()) : 0;
  }

  pid_t pid_ = 0;
  std::optional<std::string> start_time_;
  std::string boot_id_ = "this-boot";
  std::atomic<int> link_error_{0};
  std::atomic<int> failing_links_{0};
  bool links_are_copies_ = false;
  int flock_error_ = 0;
  int before_flock_ = 0;
  std::function<void()> action_;
  bool has_inotify_ = true;
};

inline UploadId id_of(std::string_view text) { return *UploadId::parse(text); }

class LockDirectory {
 public:
  std::filesystem::path path() const { return directory_.path(); }
  std::filesystem::path path(std::string_view name) const { return directory_.path() / name; }
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::string read(std::string_view name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool has(std::string_view name) const { return std::filesystem::exists(path(name)); }
  // How many files `.tusd` has that stand for a process.
  int process_files() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path(".tusd"))) {
      if (entry.path().filename().string().starts_with("pid-")) ++count;
    }
    return count;
  }

 private:
  testing::TemporaryDirectory directory_;
};

// A process that does nothing until it is killed.
class OtherProcess {
 public:
  OtherProcess() : pid_(::fork()) {
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  ~OtherProcess() { kill(); }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  void kill() {
    if (pid_ <= 0 || dead_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    dead_ = true;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
  bool dead_ = false;
};

}  // namespace tus::file_locker
