#include "core/limited_source.h"

#include <tus/testing/script_source.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <unistd.h>

namespace tus::core {
namespace {

using testing::BodyScript;
using testing::ScriptSource;

struct Taken {
  std::string bytes;
  BodyState end = BodyState::open;
};

// As a store does it: take what is here, wait for more, until the body has ended.
Awaitable<Taken> take_all(BodySource& source) {
  Taken taken;
  std::array<std::byte, 3> buffer{};
  for (;;) {
    const auto moved = source.pull(buffer);
    taken.bytes.append(reinterpret_cast<const char*>(buffer.data()), moved.bytes);
    taken.end = moved.state;
    if (moved.state != BodyState::open) co_return taken;
    if (moved.bytes == 0) co_await source.wait();
  }
}

Awaitable<Taken> move_all(BodySource& source, int fd) {
  Taken taken;
  std::array<std::byte, 64> scratch{};
  std::uint64_t at = 0;
  for (;;) {
    const auto moved = source.move_to_file(fd, at, 5, scratch);
    at += moved.bytes;
    taken.end = moved.state;
    if (moved.state != BodyState::open) break;
    if (moved.bytes == 0) co_await source.wait();
  }
  taken.bytes.resize(at);
  EXPECT_EQ(::pread(fd, taken.bytes.data(), at, 0), static_cast<ssize_t>(at));
  co_return taken;
}

template <class T>
T run(Awaitable<T> task) {
  asio::io_context context;
  auto result = asio::co_spawn(context, std::move(task), asio::use_future);
  context.run();
  return result.get();
}

Taken limited(BodyScript script, std::uint64_t allowance) {
  ScriptSource inner(std::move(script));
  LimitedSource source(inner, allowance);
  return run(take_all(source));
}

class EveryPieceSize : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(LimitedSource, EveryPieceSize, ::testing::Values(1, 2, 3, 7, 100));

TEST_P(EveryPieceSize, GivesABodyThatFitsWhole) {
  const auto taken = limited(BodyScript::chunked("hello world", GetParam()), 11);
  EXPECT_EQ(taken.bytes, "hello world");
  EXPECT_EQ(taken.end, BodyState::complete);
  EXPECT_EQ(limited(BodyScript::chunked("hello", GetParam()), 11).bytes, "hello");
}

TEST_P(EveryPieceSize, NeverGivesTheLastByteOfABodyThatIsTooLong) {  // [CORE-28]
  const auto taken = limited(BodyScript::chunked("hello world!", GetParam()), 11);
  EXPECT_EQ(taken.bytes, "hello worl");
  EXPECT_EQ(taken.end, BodyState::limit);
}

TEST_P(EveryPieceSize, TheSameStraightIntoAFile) {  // [CORE-28]
  for (const auto& [body, expected, end] :
       {std::tuple("hello world", "hello world", BodyState::complete),
        std::tuple("hello world!", "hello worl", BodyState::limit)}) {
    ScriptSource inner(BodyScript::chunked(body, GetParam()));
    LimitedSource source(inner, 11);
    std::FILE* file = std::tmpfile();
    const auto taken = run(move_all(source, ::fileno(file)));
    std::fclose(file);
    EXPECT_EQ(taken.bytes, expected);
    EXPECT_EQ(taken.end, end);
  }
}

TEST_P(EveryPieceSize, WithoutRoomOnlyAnEmptyBodyIsFine) {
  EXPECT_EQ(limited(BodyScript::chunked("", GetParam()), 0).end, BodyState::complete);
  const auto taken = limited(BodyScript::chunked("x", GetParam()), 0);
  EXPECT_EQ(taken.bytes, "");
  EXPECT_EQ(taken.end, BodyState::limit);
}

TEST_P(EveryPieceSize, ABrokenBodyKeepsItsReasonAndMayLackTheLastByte) {  // [CORE-22]
  for (const auto end : {BodyState::peer_closed, BodyState::timed_out, BodyState::stopping}) {
    auto script = BodyScript::chunked("hello", GetParam());
    script.end = end;
    const auto roomy = limited(script, 100);
    EXPECT_EQ(roomy.bytes, "hello");
    EXPECT_EQ(roomy.end, end);
    const auto exact = limited(script, 5);
    EXPECT_EQ(exact.bytes, "hell") << "all bytes would mean complete, and the body never ended";
    EXPECT_EQ(exact.end, end);
  }
}

}  // namespace
}  // namespace tus::core
