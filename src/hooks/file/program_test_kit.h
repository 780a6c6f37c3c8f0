// Shell scripts as hooks, and threads that run them.
#pragma once

#include "hooks/file/file_transport.h"

#include <tus/runtime.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tus::hooks::test {

inline constexpr std::chrono::seconds patience{60};

// Keeps lines as "event key=value ...".
class LineLogger final : public Logger {
 public:
  bool enabled(LogLevel) const noexcept override { return true; }
  void log(LogLevel, std::string_view event,
           std::initializer_list<LogField> fields) noexcept override {
    std::string line(event);
    for (const auto& field : fields) {
      line.append(" ").append(field.key).append("=").append(field.value);
    }
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

// Where programs may be executed, which /dev/shm often forbids.
class ScriptDirectory {
 public:
  ScriptDirectory() {
    auto name = (std::filesystem::temp_directory_path() / "tus-hooks-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~ScriptDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScriptDirectory(const ScriptDirectory&) = delete;
  ScriptDirectory& operator=(const ScriptDirectory&) = delete;

  const std::filesystem::path& path() const { return path_; }

  void write(const std::string& name, std::string_view text,
             std::filesystem::perms perms = std::filesystem::perms(0755)) const {
    std::ofstream(path_ / name) << text;
    std::filesystem::permissions(path_ / name, perms);
  }
  // A script of sh.
  void script(const std::string& name, std::string_view text) const {
    write(name, "#!/bin/sh\n" + std::string(text) + "\n");
  }
  // Nothing while there is no such file.
  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path_ / name); }

 private:
  std::filesystem::path path_;
};

// The first time that a condition holds; false when it does not within a minute.
inline bool comes_true(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline Envelope envelope_of(std::string event_name, std::string body = "{}") {
  Envelope envelope;
  envelope.event_name = std::move(event_name);
  envelope.event_id = "event-1";
  envelope.upload_id = "upload-1";
  envelope.body = std::move(body);
  return envelope;
}

inline Deadline within(std::chrono::milliseconds time) {
  return Deadline::after(std::chrono::steady_clock::now(), time);
}

// A transport on loops of its own, closed at the end.
class FileHooksTest : public ::testing::Test {
 protected:
  using Reply = Result<TransportReply>;

  FileHooksTest() {
    options_.directory = scripts_.path();
    options_.concurrency = 4;
  }
  ~FileHooksTest() override {
    if (transport_ && loops_) close(Deadline::after(std::chrono::steady_clock::now(), patience));
  }

  Transport& transport() {
    if (!transport_) {
      transport_ = make_file_transport(options_, pool_, executors_[0], logger_);
    }
    return *transport_;
  }

  std::future<Reply> begin(Envelope envelope, Deadline deadline = within(patience)) {
    return asio::co_spawn(executors_[1], transport().call(std::move(envelope), deadline),
                          asio::use_future);
  }
  Reply call(Envelope envelope, Deadline deadline = within(patience)) {
    return begin(std::move(envelope), deadline).get();
  }
  Reply call(std::string event_name) { return call(envelope_of(std::move(event_name))); }

  void close(Deadline deadline) {
    asio::co_spawn(executors_[1], transport().close(deadline), asio::use_future).get();
  }

  static std::string body_of(const Reply& reply) {
    return reply ? reply->body : "error: " + reply.error().detail();
  }
  static void expect_error(const Reply& reply, ErrorCode code, std::string_view part_of_detail) {
    ASSERT_FALSE(reply) << reply->body;
    EXPECT_EQ(reply.error().code(), code) << reply.error().detail();
    EXPECT_NE(reply.error().detail().find(part_of_detail), std::string::npos)
        << reply.error().detail();
  }

  ScriptDirectory scripts_;
  FileHookOptions options_;
  std::shared_ptr<LineLogger> logger_ = std::make_shared<LineLogger>();
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
  std::unique_ptr<EventLoops> loops_ = std::make_unique<EventLoops>(2);
  std::vector<asio::any_io_executor> executors_ = loops_->executors();
  std::unique_ptr<Transport> transport_;
};

}  // namespace tus::hooks::test
