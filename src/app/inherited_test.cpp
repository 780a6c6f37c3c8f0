#include "app/inherited.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tus::app {
namespace {

// A function without state is asked, so the environment of a test is one of its own.
std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> all;
  return all;
}

Inherited read(std::map<std::string, std::string> given) {
  variables() = std::move(given);
  const GetVariable get = [](const char* name) -> const char* {
    const auto found = variables().find(name);
    return found == variables().end() ? nullptr : found->second.c_str();
  };
  return read_inherited(get, 42);
}

using Fds = std::vector<int>;

TEST(Inherited, NothingByDefault) {  // [SOCK-6]
  const auto found = read({});
  EXPECT_EQ(found.from_manager, Fds());
  EXPECT_EQ(found.from_predecessor, Fds());
  EXPECT_FALSE(found.handover);
  EXPECT_EQ(found.notify_socket, "");
  EXPECT_EQ(found.complaint, "");
}

TEST(Inherited, SocketsOfTheManager) {  // [SOCK-6]
  const auto found = read({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "2"}, {"NOTIFY_SOCKET", "@n"}});
  EXPECT_EQ(found.from_manager, (Fds{3, 4}));
  EXPECT_EQ(found.from_predecessor, Fds());
  EXPECT_EQ(found.notify_socket, "@n");
}

TEST(Inherited, SocketsForAnotherProcessAreNotOurs) {  // [SOCK-6]
  for (const char* pid : {"41", "", "042", "42x", " 42"}) {
    const auto found = read({{"LISTEN_PID", pid}, {"LISTEN_FDS", "2"}, {"TUS_HANDOVER", "5:1"}});
    EXPECT_EQ(found.from_manager, Fds()) << pid;
    EXPECT_FALSE(found.handover) << pid;
    EXPECT_EQ(found.complaint, "") << pid;
  }
}

TEST(Inherited, ACountThatIsNoneIsToldToTheOperator) {  // [SOCK-6] [SOCK-8]
  for (const char* count : {"", "x", "-1", "65", "1 ", "99999999999999999999"}) {
    const auto found = read({{"LISTEN_PID", "42"}, {"LISTEN_FDS", count}});
    EXPECT_TRUE(found.complaint.contains("LISTEN_FDS")) << count;
    EXPECT_EQ(found.from_manager, Fds());
  }
}

TEST(Inherited, SocketsOfThePredecessorComeLast) {  // [STOP-8]
  auto found = read({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "3"}, {"TUS_HANDOVER", "6:1"}});
  EXPECT_EQ(found.from_manager, (Fds{3, 4}));
  EXPECT_EQ(found.from_predecessor, (Fds{5}));
  EXPECT_EQ(found.handover, 6);
  found = read({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "1"}, {"TUS_HANDOVER", "4:9"}});
  EXPECT_EQ(found.from_predecessor, (Fds{3}));
  for (const char* odd : {"", "x", "4", "4:", ":1", "-1:1", "999:1", "4:999"}) {
    found = read({{"LISTEN_PID", "42"}, {"LISTEN_FDS", "1"}, {"TUS_HANDOVER", odd}});
    EXPECT_FALSE(found.handover) << odd;
    EXPECT_EQ(found.from_manager, (Fds{3})) << odd;
  }
}

}  // namespace
}  // namespace tus::app
