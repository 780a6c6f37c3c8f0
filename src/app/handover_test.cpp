#include "app/handover.h"

#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace tus::app {
namespace {

// A successor that is a shell script.
Program script(const std::string& text) {
  Program program;
  program.path = "/bin/sh";
  program.arguments = {"sh", "-c", text};
  return program;
}

Successor::Said wait_for(Successor& successor) {
  for (;;) {
    pollfd entry{successor.fd(), POLLIN, 0};
    if (::poll(&entry, 1, 10'000) != 1) return Successor::Said::nothing_yet;
    const auto said = successor.hear();
    if (said != Successor::Said::nothing_yet) return said;
  }
}

std::string failure_of(const Program& program) {
  auto successor = Successor::start(program, {});
  EXPECT_TRUE(successor) << successor.error();
  EXPECT_EQ(wait_for(*successor), Successor::Said::failed);
  return successor->reason();
}

TEST(Handover, GivesSocketsAndSaysWhichAreWhose) {  // [STOP-8]
  const testing::TemporaryDirectory directory;
  const auto out = (directory.path() / "out").string();
  ForSuccessor given;
  given.of_manager = {STDERR_FILENO};
  given.ours = {STDERR_FILENO, STDERR_FILENO};
  given.notify_socket = "@n";
  const auto program =
      script("echo $LISTEN_FDS $TUS_HANDOVER $NOTIFY_SOCKET $(($$ - $LISTEN_PID)) >" + out +
             "; ls /proc/$$/fd | tr '\\n' ' ' >>" + out + "; printf R >&6; read x <&6");
  auto successor = Successor::start(program, given);
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(wait_for(*successor), Successor::Said::ready);
  successor->give_up();
  std::stringstream text;
  text << std::ifstream(out).rdbuf();
  EXPECT_TRUE(text.str().starts_with("3 6:2 @n 0\n0 1 2 3 4 5 6 ")) << text.str();
}

TEST(Handover, SaysWhyASuccessorFailed) {  // [STOP-9]
  Program missing;
  missing.path = "/no/such/program";
  missing.arguments = {"program"};
  EXPECT_EQ(failure_of(missing), "it could not be executed: No such file or directory");
  EXPECT_EQ(failure_of(script("exit 7")), "it ended with exit code 7");
  EXPECT_EQ(failure_of(script("kill -11 $$")), "it was ended by signal 11");
  EXPECT_EQ(failure_of(script("printf 'Ethe disk is gone' >&3; exit 1")), "the disk is gone");
}

TEST(Handover, TheEndOfTheConnectionIsTheSignToGo) {  // [STOP-8]
  const testing::TemporaryDirectory directory;
  const auto out = (directory.path() / "went").string();
  auto successor = Successor::start(script("printf R >&3; cat <&3; mkdir " + out), {});
  ASSERT_TRUE(successor) << successor.error();
  EXPECT_EQ(wait_for(*successor), Successor::Said::ready);
  EXPECT_FALSE(std::filesystem::exists(out));
  successor->go();
  int status = -1;
  EXPECT_EQ(::waitpid(successor->pid(), &status, 0), successor->pid());
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(out));
}

TEST(Handover, FollowsALinkThatIsTurned) {  // [STOP-8]
  const testing::TemporaryDirectory directory;
  const auto link = (directory.path() / "program").string();
  std::filesystem::create_symlink(std::filesystem::read_symlink("/proc/self/exe"), link);
  std::string called = link;
  std::string argument = "-x";
  char* arguments[] = {called.data(), argument.data(), nullptr};
  const auto program = this_program(2, arguments);
  EXPECT_EQ(program.path, link);
  EXPECT_EQ(program.arguments, (std::vector<std::string>{link, "-x"}));
  called = "some-other-name";  // what a shell may say with exec -a
  arguments[0] = called.data();
  EXPECT_EQ(this_program(1, arguments).path, std::filesystem::read_symlink("/proc/self/exe"));
}

}  // namespace
}  // namespace tus::app
