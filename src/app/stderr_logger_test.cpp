#include "app/stderr_logger.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace tus::app {
namespace {

using std::chrono::steady_clock;

// What somebody starts a server with as its stderr.
class Channel {
 public:
  enum class Kind : std::uint8_t { pipe, socket };

  explicit Channel(Kind kind) {
    if (kind == Kind::pipe) {
      EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    } else {
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0);
    }
  }
  ~Channel() {
    stop_reading();
    ::close(ends_[1]);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int write_end() const { return ends_[1]; }
  // Everything up to the end of the channel, which comes when its writers are gone.
  std::string read_until(std::string_view marker) const {
    std::string text;
    std::array<char, 65536> piece{};
    while (!text.contains(marker)) {
      const auto n = ::read(ends_[0], piece.data(), piece.size());
      if (n <= 0) break;
      text.append(piece.data(), static_cast<std::size_t>(n));
    }
    return text;
  }
  std::string read_what_is_there() const {
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    return read_until("\x01");
  }
  void stop_reading() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

struct Counted {
  std::size_t written = 0;
  std::size_t lost = 0;
};

Counted count(const std::string& text) {
  Counted counted;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    const auto line = text.substr(begin, end - begin);
    EXPECT_EQ(line[4], '/') << "a line begins with its date: " << line;
    if (const auto at = line.find("event=LogLinesLost count="); at != line.npos) {
      counted.lost += std::stoul(line.substr(at + 25));
    } else {
      EXPECT_TRUE(line.ends_with(" end=z")) << line;
      ++counted.written;
    }
  }
  return counted;
}

void log_lines(Logger& logger, std::size_t count) {
  const std::string filler(200, 'x');
  for (std::size_t i = 0; i < count; ++i)
    logger.log(LogLevel::info, "Line", {{"filler", filler}, {"end", "z"}});
}

class Unread : public testing::TestWithParam<Channel::Kind> {};

// Nobody reads: logging goes on at its own speed, memory stays bounded, and later it is said how many lines are missing.
TEST_P(Unread, HoldsNobodyUpAndWhatIsLostIsCounted) {  // [LOG-3]
  Channel channel(GetParam());
  constexpr std::size_t lines = 60'000;  // 14 MiB
  auto logger = make_stderr_logger({.fd = channel.write_end()});
  const auto begin = steady_clock::now();
  log_lines(*logger, lines);
  // A logger that waited for its reader would still be waiting.
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(20));
  std::thread later([&] { logger.reset(); });
  const auto text = channel.read_until("event=LogLinesLost");
  later.join();
  const auto counted = count(text + channel.read_what_is_there());
  EXPECT_GT(counted.lost, lines / 4);
  EXPECT_EQ(counted.written + counted.lost, lines);
}

TEST_P(Unread, DoesNotKeepTheEnd) {  // [LOG-3]
  Channel channel(GetParam());
  auto logger = make_stderr_logger({.fd = channel.write_end()});
  log_lines(*logger, 10'000);
  const auto begin = steady_clock::now();
  logger.reset();
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_P(Unread, TheDescriptorOfOthersStaysAsItWas) {
  Channel channel(GetParam());
  const auto before = ::fcntl(channel.write_end(), F_GETFL);
  auto logger = make_stderr_logger({.fd = channel.write_end()});
  log_lines(*logger, 1);
  EXPECT_TRUE(channel.read_until("end=z\n").ends_with("end=z\n"));
  EXPECT_EQ(::fcntl(channel.write_end(), F_GETFL), before) << "a shell shares it";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Unread,
                         testing::Values(Channel::Kind::pipe, Channel::Kind::socket));

TEST(StderrLogger, AReaderThatIsGoneIsNoTrouble) {  // [LOG-3]
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Channel channel(Channel::Kind::pipe);
  auto logger = make_stderr_logger({.fd = channel.write_end()});
  channel.stop_reading();
  log_lines(*logger, 10);
  logger.reset();
  std::signal(SIGPIPE, before);
}

TEST(StderrLogger, ItsThresholdCanBeMoved) {
  Channel channel(Channel::Kind::pipe);
  auto logger = make_stderr_logger({.fd = channel.write_end()});
  EXPECT_FALSE(logger->enabled(LogLevel::debug));
  logger->log(LogLevel::debug, "Hidden", {});
  logger->set_lowest(LogLevel::debug);
  EXPECT_TRUE(logger->enabled(LogLevel::debug));
  logger->log(LogLevel::debug, "Shown", {});
  logger.reset();
  const auto text = channel.read_what_is_there();
  EXPECT_FALSE(text.contains("Hidden"));
  EXPECT_TRUE(text.contains("level=DEBUG event=Shown\n"));
}

TEST(StderrLogger, AFileGetsEveryLine) {
  std::string path = testing::TempDir() + "tusd-log-XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  auto logger = make_stderr_logger({.fd = fd});
  log_lines(*logger, 5'000);
  logger.reset();
  std::string text(5'000 * 300, '\0');
  const auto n = ::pread(fd, text.data(), text.size(), 0);
  ASSERT_GT(n, 0);
  text.resize(static_cast<std::size_t>(n));
  EXPECT_EQ(count(text).written, 5'000u);
  ::close(fd);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace tus::app
