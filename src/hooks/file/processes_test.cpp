// What programs leave behind, get from us, and cannot escape from.
#include "hooks/file/program_test_kit.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <latch>
#include <memory>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tus::hooks::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool lives(const std::string& pid) {
  // A killed process whose new parent has not reaped it yet is dead enough.
  std::ifstream stat("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  return line.substr(line.rfind(')')).find(" Z") == std::string::npos;
}

bool has_children() {
  siginfo_t state{};
  return ::waitid(P_ALL, 0, &state, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

std::size_t open_descriptors() {
  std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::string first_word(const std::string& text) { return text.substr(0, text.find('\n')); }

TEST_F(FileHooksTest, ThatTakeTooLongAreKilledWithAllTheirChildren) {  // [HOOK-137]
  options_.timeout = milliseconds(1000);
  scripts_.script("pre-finish", "trap '' TERM; sleep 1000 & echo $! >child; echo $$ >self; wait");
  const auto begin = std::chrono::steady_clock::now();
  expect_error(call("pre-finish"), ErrorCode::internal, "time was over");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(1000));
  for (auto file : {"child", "self"}) {
    const auto pid = first_word(scripts_.read(file));
    ASSERT_FALSE(pid.empty());
    EXPECT_TRUE(comes_true([&pid] { return !lives(pid); })) << file;
  }
}

TEST_F(FileHooksTest, EndAtTheDeadlineOfTheCall) {  // [HOOK-137]
  scripts_.script("pre-finish", "exec sleep 1000");
  expect_error(call(envelope_of("pre-finish"), within(milliseconds(300))), ErrorCode::internal,
               "time was over");
}

TEST_F(FileHooksTest, MayLeaveAProcessBehindThatKeepsTheirStreams) {  // [HOOK-137]
  scripts_.script("post-finish", "sleep 1000 & echo $! >child; echo done");
  const auto reply = call("post-finish");
  EXPECT_EQ(body_of(reply), "done\n");
  const auto pid = first_word(scripts_.read("child"));
  EXPECT_TRUE(lives(pid)) << "it is not ours to end";
  ::kill(std::stoi(pid), SIGKILL);
}

TEST_F(FileHooksTest, ThatRunWhenWeStopAreKilledAtTheDeadline) {  // [HOOK-139]
  options_.concurrency = 1;
  scripts_.script("post-finish", "echo $$ >self; exec sleep 1000");
  auto running = begin(envelope_of("post-finish"));
  ASSERT_TRUE(comes_true([this] { return scripts_.read("self").ends_with("\n"); }));
  auto waiting = begin(envelope_of("post-finish"));
  close(within(milliseconds(50)));
  expect_error(running.get(), ErrorCode::server_shutdown, "because we stop");
  EXPECT_FALSE(waiting.get()) << "and nobody takes its place";
  EXPECT_FALSE(lives(first_word(scripts_.read("self"))));
  EXPECT_FALSE(has_children());
}

TEST_F(FileHooksTest, LeaveNoProcessAndNoDescriptorBehind) {  // [HOOK-138]
  scripts_.script("post-create", "cat >/dev/null; echo ok");
  scripts_.script("post-finish", "exit 1");
  scripts_.write("post-terminate", "#!/no/such/shell\n");
  call("post-create");
  const auto before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    std::vector<std::future<Reply>> replies;
    for (auto name : {"post-create", "post-finish", "post-terminate", "post-create"}) {
      replies.push_back(begin(envelope_of(name)));
    }
    for (auto& reply : replies) reply.wait();
    EXPECT_EQ(body_of(replies[0].get()), "ok\n");
  }
  EXPECT_TRUE(comes_true([before] { return open_descriptors() <= before; })) << before;
  EXPECT_FALSE(has_children());
}

TEST_F(FileHooksTest, SeeNoDescriptorOfOurs) {       // [HOOK-138]
  const int leaked = ::open("/dev/null", O_RDONLY);  // NOLINT: without O_CLOEXEC on purpose
  ASSERT_GE(::fcntl(leaked, F_DUPFD, 100), 100);
  scripts_.script("pre-create", "exec ls /proc/self/fd");
  EXPECT_EQ(body_of(call("pre-create")), "0\n1\n2\n3\n") << "3 is what ls reads";
  ::close(100);
  ::close(leaked);
}

std::string field_of(const std::string& status, const std::string& name) {
  const auto begin = status.find(name + ":\t");
  return first_word(status.substr(begin + name.size() + 2));
}

TEST_F(FileHooksTest, HaveTheirSignalsAsANewProcessHasThem) {  // [HOOK-138]
  sigset_t set;
  sigset_t old;
  ::sigfillset(&set);
  ::pthread_sigmask(SIG_SETMASK, &set, &old);
  EventLoops loops(2);  // whose threads have all signals blocked, as those of our server have
  executors_ = loops.executors();
  pool_ = make_blocking_pool(1);
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  auto* const old_hangup = ::signal(SIGHUP, SIG_IGN);
  scripts_.script("pre-create", "exec cat /proc/self/status");
  const auto status = body_of(call("pre-create"));
  EXPECT_EQ(field_of(status, "SigBlk"), "0000000000000000");
  // But for the two that glibc keeps for itself (32 and 33), which it ignores on behalf of whom it starts.
  EXPECT_EQ(std::stoull(field_of(status, "SigIgn"), nullptr, 16) & ~0x180000000ull, 0u);
  ::signal(SIGHUP, old_hangup);
  close(within(seconds(1)));
  executors_ = loops_->executors();
}

TEST_F(FileHooksTest, LeadAGroupOfTheirOwn) {  // [HOOK-137]
  scripts_.script("pre-create", "ps -o pgid= -p $$ | tr -d ' '; echo $$");
  const auto body = body_of(call("pre-create"));
  const auto group = first_word(body);
  EXPECT_EQ(body, group + "\n" + group + "\n");
  EXPECT_NE(group, std::to_string(::getpgrp()));
}

// No descriptors left: the call fails, may be repeated, and nothing stays behind.
TEST_F(FileHooksTest, ThatCannotBeStartedForLackOfDescriptorsMayBeTriedAgain) {  // [HOOK-132]
  scripts_.script("pre-create", "echo ok");
  EXPECT_EQ(body_of(call("pre-create")), "ok\n");
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  for (rlim_t room = 0; room < 10; ++room) {
    // The next free one: a limit counts numbers, not descriptors.
    const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(lowest);
    rlimit tight = old;
    tight.rlim_cur = static_cast<rlim_t>(lowest) + room;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    const auto reply = call("pre-create");
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
    if (reply) {
      EXPECT_GE(room, 6u);
      EXPECT_EQ(reply->body, "ok\n");
    } else {
      EXPECT_TRUE(is_retryable(reply.error().code())) << reply.error().detail();
    }
  }
  EXPECT_EQ(body_of(call("pre-create")), "ok\n");
  EXPECT_FALSE(has_children());
}

// Loops that end first, as when a host program stops without closing: the program goes with them.
TEST_F(FileHooksTest, DieWithTheLoopsThatLookAfterThem) {  // [HOOK-138]
  scripts_.script("post-finish", "echo $$ >self; exec sleep 1000");
  const auto running = begin(envelope_of("post-finish"));
  ASSERT_TRUE(comes_true([this] { return scripts_.read("self").ends_with("\n"); }));
  ASSERT_TRUE(running.valid());
  // A worker that has started the program may still be on its way out of post(), on a loop that is to go.
  const auto both_workers = std::make_shared<std::latch>(3);
  for (int i = 0; i < 2; ++i) {
    pool_->submit([both_workers](std::span<std::byte>) { both_workers->arrive_and_wait(); });
  }
  both_workers->arrive_and_wait();
  loops_->stop();
  executors_.clear();
  loops_.reset();
  EXPECT_TRUE(comes_true([this] { return !lives(first_word(scripts_.read("self"))); }));
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace tus::hooks::test
