#include "core/hashing_source.h"

#include "core/limited_source.h"

#include <tus/testing/script_source.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <memory>
#include <string>
#include <unistd.h>

namespace tus::core {
namespace {

using testing::BodyScript;
using testing::ScriptSource;

class Written final : public ByteObserver {
 public:
  void saw(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
};

Awaitable<BodyState> pull_all(BodySource& source) {
  std::array<std::byte, 3> buffer{};
  for (;;) {
    const auto moved = source.pull(buffer);
    if (moved.state != BodyState::open) co_return moved.state;
    if (moved.bytes == 0) co_await source.wait();
  }
}

Awaitable<BodyState> move_all(BodySource& source, int fd) {
  std::array<std::byte, 4> scratch{};
  std::uint64_t at = 0;
  for (;;) {
    const auto moved = source.move_to_file(fd, at, 7, scratch);
    at += moved.bytes;
    if (moved.state != BodyState::open) co_return moved.state;
    if (moved.bytes == 0) co_await source.wait();
  }
}

BodyState run(Awaitable<BodyState> task) {
  asio::io_context loop;
  auto result = asio::co_spawn(loop, std::move(task), asio::use_future);
  loop.run();
  return result.get();
}

// [CHECK-57]
TEST(hashing_source, shows_what_is_pulled) {
  ScriptSource body(BodyScript::chunked("hello world", 4));
  Written seen;
  HashingSource source(body, seen);
  EXPECT_EQ(run(pull_all(source)), BodyState::complete);
  EXPECT_EQ(seen.text, "hello world");
}

// [CHECK-57]
TEST(hashing_source, shows_what_a_file_has_got) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  auto script = BodyScript::chunked("hello, world", 5);
  script.arrived = 2;
  ScriptSource body(script);
  Written seen;
  HashingSource source(body, seen);
  EXPECT_EQ(run(move_all(source, ::fileno(file.get()))), BodyState::complete);
  std::string stored(20, '\0');
  stored.resize(static_cast<std::size_t>(::pread(::fileno(file.get()), stored.data(), 20, 0)));
  EXPECT_EQ(stored, "hello, world");
  EXPECT_EQ(seen.text, "hello, world");
}

// [CHECK-60] Nothing is shown that did not count: of a body that is too long, and behind a broken file.
TEST(hashing_source, shows_no_byte_that_was_refused) {
  ScriptSource body(BodyScript::chunked("hello world", 2));
  LimitedSource limited(body, 5);
  Written seen;
  HashingSource source(limited, seen);
  EXPECT_EQ(run(pull_all(source)), BodyState::limit);
  EXPECT_EQ(seen.text, "hell");

  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  auto script = BodyScript::whole("hello");
  script.arrived = 1;
  ScriptSource other(script);
  Written nothing;
  HashingSource to_full(other, nothing);
  std::array<std::byte, 16> scratch{};
  const auto moved = to_full.move_to_file(full, 0, 16, scratch);
  EXPECT_EQ(moved.file_error, ENOSPC);
  EXPECT_EQ(moved.bytes, 0u);
  EXPECT_NE(moved.state, BodyState::open);
  EXPECT_EQ(nothing.text, "");
  ::close(full);
}

}  // namespace
}  // namespace tus::core
