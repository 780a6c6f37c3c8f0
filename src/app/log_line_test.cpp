#include "app/log_line.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tus::app {
namespace {

using namespace std::string_view_literals;

std::string line(LogFormat format, std::initializer_list<LogField> fields) {
  std::string text;
  LogTime(format).append(
      text, std::chrono::system_clock::time_point{} + std::chrono::microseconds(1'000'000'123'456));
  append_log_fields(text, format, LogLevel::warn, "Event", {fields.begin(), fields.size()});
  return text;
}

std::string text_of(std::string_view value) {
  const auto whole = line(LogFormat::text, {{"key", value}});
  return whole.substr(whole.find("key="));
}

std::string text_at(const boost::json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

boost::json::object json_of(std::initializer_list<LogField> fields) {
  return boost::json::parse(line(LogFormat::json, fields)).as_object();
}

TEST(LogLine, TextIsKeyAndValueBehindGosDate) {  // [LOG-1]
  const auto text =
      line(LogFormat::text, {{"id", "a1"}, {"empty", ""}, {"n", "5", LogKind::number}});
  // The time zone of the machine decides about the date.
  EXPECT_EQ(text.size(), std::string_view("2006/01/02 15:04:05.123456 ").size() +
                             std::string_view("level=WARN event=Event id=a1 n=5").size());
  EXPECT_EQ(text.substr(19), ".123456 level=WARN event=Event id=a1 n=5");
}

TEST(LogLine, JsonIsOneObject) {  // [LOG-1]
  const auto object = json_of({{"id", "12"}, {"empty", ""}, {"n", "5", LogKind::number}});
  EXPECT_EQ(text_at(object, "level"), "WARN");
  EXPECT_EQ(text_at(object, "msg"), "Event");
  EXPECT_EQ(text_at(object, "id"), "12") << "an id of digits stays a text";
  EXPECT_EQ(object.at("n").as_int64(), 5);
  EXPECT_FALSE(object.contains("empty"));
  const auto time = text_at(object, "time");
  EXPECT_EQ(time.size(), std::string_view("2006-01-02T15:04:05.123456+00:00").size());
  EXPECT_EQ(time.substr(19, 7), ".123456");
}

TEST(LogLine, ANumberThatIsNoneIsAText) {
  for (std::string_view odd : {"deferred", "-1", "007", "1e3", "99999999999999999999"}) {
    EXPECT_EQ(text_at(json_of({{"n", odd, LogKind::number}}), "n"), odd);
  }
}

TEST(LogLine, TextIsQuotedWhereItCouldMislead) {  // [LOG-2]
  EXPECT_EQ(text_of("plain/path?x"), "key=plain/path?x");
  EXPECT_EQ(text_of("a b"), "key=\"a b\"");
  EXPECT_EQ(text_of("a=b"), "key=\"a=b\"");
  EXPECT_EQ(text_of("a\nlevel=ERROR"), "key=\"a\\x0alevel=ERROR\"");
  EXPECT_EQ(text_of("\"\\"), "key=\"\\\"\\\\\"");
  EXPECT_EQ(text_of("\x1b[31m"), "key=\"\\x1b[31m\"");
  EXPECT_EQ(text_of("\xc2\x9b"), "key=\"\\xc2\\x9b\"") << "a control character of terminals";
}

TEST(LogLine, JsonKeepsUnicodeAndMarksWhatIsNone) {  // [LOG-2]
  EXPECT_EQ(text_at(json_of({{"k", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"}}), "k"),
            "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  for (std::string_view broken :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    const auto shown = text_at(json_of({{"k", broken}}), "k");
    EXPECT_TRUE(shown.starts_with("\xef\xbf\xbd")) << shown;
  }
}

// Whatever bytes a client sends: one line, printable, and the fields are those that were given. [LOG-2]
TEST(LogLine, NoValueEndsItsLineOrItsField) {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::string value(1 + random() % 12, '\0');
    for (auto& c : value) {
      constexpr auto nasty = "\n\r\"\\={},:\0\x1b\x7f\xc2\x9b\xe2\x80\xa8"sv;
      c = random() % 3 == 0 ? static_cast<char>(random()) : nasty[random() % nasty.size()];
    }
    for (const auto format : {LogFormat::text, LogFormat::json}) {
      const auto whole = line(format, {{"k", value}, {"last", "z"}});
      EXPECT_TRUE(std::ranges::all_of(whole, [](char c) { return c >= ' ' && c < 127; })) << whole;
    }
    const auto object = json_of({{"k", value}, {"last", "z"}});
    EXPECT_EQ(object.size(), 5u);
    EXPECT_EQ(text_at(object, "last"), "z");
    const auto text = text_of(value);
    EXPECT_TRUE(text.ends_with(" last=z") || !text.contains(" last=")) << text;
  }
}

TEST(LogTime, FollowsTheClock) {
  LogTime time(LogFormat::text);
  std::string first;
  std::string second;
  const std::chrono::system_clock::time_point then{std::chrono::seconds(1'700'000'000)};
  time.append(first, then + std::chrono::microseconds(7));
  time.append(second, then + std::chrono::seconds(1) + std::chrono::microseconds(999'999));
  EXPECT_EQ(first.substr(17), "20.000007 ");
  EXPECT_EQ(second.substr(17), "21.999999 ");
}

}  // namespace
}  // namespace tus::app
