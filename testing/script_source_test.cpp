#include <tus/testing/script_source.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace tus::testing {
namespace {

BodyState wait(ScriptSource& source) {
  asio::io_context loop;
  auto state = asio::co_spawn(loop, source.wait(), asio::use_future);
  loop.run();
  return state.get();
}

std::string buffered(const ScriptSource& source) {
  std::string text;
  for (const auto byte : source.buffered()) text.push_back(static_cast<char>(byte));
  return text;
}

std::pair<std::string, BodyState> pull(ScriptSource& source, std::size_t max) {
  std::array<std::byte, 64> into;
  const auto moved = source.pull(std::span(into).first(max));
  std::string text;
  for (std::size_t i = 0; i < moved.bytes; ++i) text.push_back(static_cast<char>(into[i]));
  return {text, moved.state};
}

TEST(script_source, a_whole_body_ends_with_its_last_byte) {
  ScriptSource source(BodyScript::whole("hello"));
  EXPECT_EQ(source.remaining(), 5u);
  EXPECT_EQ(buffered(source), "");
  EXPECT_EQ(wait(source), BodyState::open);
  EXPECT_EQ(buffered(source), "hello");
  EXPECT_EQ(pull(source, 3), (std::pair<std::string, BodyState>("hel", BodyState::open)));
  EXPECT_EQ(source.remaining(), 2u);
  EXPECT_EQ(pull(source, 9), (std::pair<std::string, BodyState>("lo", BodyState::complete)));
  EXPECT_EQ(source.state(), BodyState::complete);
}

TEST(script_source, chunks_come_one_by_one_and_end_later) {
  ScriptSource source(BodyScript::chunked("abcde", 2));
  EXPECT_EQ(source.remaining(), std::nullopt);
  for (const char* piece : {"ab", "cd", "e"}) {
    EXPECT_EQ(wait(source), BodyState::open);
    EXPECT_EQ(pull(source, 9), (std::pair<std::string, BodyState>(piece, BodyState::open)));
  }
  EXPECT_EQ(wait(source), BodyState::complete);
}

TEST(script_source, no_body_is_complete_from_the_beginning) {
  EXPECT_EQ(ScriptSource(BodyScript::whole("")).state(), BodyState::complete);
}

TEST(script_source, bytes_may_have_come_with_the_head) {
  auto script = BodyScript::whole("hello");
  script.arrived = 1;
  ScriptSource source(script);
  EXPECT_EQ(buffered(source), "hello");
  EXPECT_FALSE(source.asked_for());
}

TEST(script_source, a_cut_body_ends_as_the_script_says) {
  auto script = BodyScript::whole("hello");
  script.announced = 10;
  script.end = BodyState::peer_closed;
  ScriptSource source(script);
  EXPECT_EQ(wait(source), BodyState::open);
  EXPECT_EQ(pull(source, 9), (std::pair<std::string, BodyState>("hello", BodyState::open)));
  EXPECT_EQ(wait(source), BodyState::peer_closed);
  EXPECT_EQ(source.remaining(), 5u);
}

TEST(script_source, the_first_reason_to_end_stays_and_ends_a_hold) {
  auto script = BodyScript::chunked("abcd", 2);
  script.hold_before = 1;
  ScriptSource source(script);
  EXPECT_EQ(wait(source), BodyState::open);
  EXPECT_EQ(pull(source, 9).first, "ab");
  asio::io_context loop;
  auto state = asio::co_spawn(loop, source.wait(), asio::use_future);
  auto held = asio::co_spawn(loop, source.held(Deadline::never()), asio::use_future);
  loop.poll();
  EXPECT_TRUE(held.get());
  source.interrupt(BodyState::interrupted);
  source.interrupt(BodyState::stopping);
  loop.run();
  EXPECT_EQ(state.get(), BodyState::interrupted);
}

TEST(script_source, a_released_hold_goes_on) {
  auto script = BodyScript::chunked("abcd", 2);
  script.hold_before = 0;
  ScriptSource source(script);
  asio::io_context loop;
  auto state = asio::co_spawn(loop, source.wait(), asio::use_future);
  loop.poll();
  EXPECT_EQ(buffered(source), "");
  source.release();
  loop.run();
  EXPECT_EQ(state.get(), BodyState::open);
  EXPECT_EQ(buffered(source), "ab");
}

}  // namespace
}  // namespace tus::testing
