#include "app/notifier.h"

#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tus::app {
namespace {

// The service manager's end.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::string heard() const {
    std::array<char, 256> text{};
    const auto n = ::recv(fd_, text.data(), text.size(), MSG_DONTWAIT);
    return n < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  int fd_;
};

void hears_all(const std::string& name) {
  const Manager manager(name);
  const Notifier notifier(name);
  EXPECT_EQ(manager.heard(), "nothing");
  notifier.ready();
  EXPECT_EQ(manager.heard(), "READY=1");
  notifier.stopping();
  EXPECT_EQ(manager.heard(), "STOPPING=1");
  notifier.main_process_is(77);
  EXPECT_EQ(manager.heard(), "MAINPID=77");
  notifier.reloading();
  const auto reloading = manager.heard();
  EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << reloading;
  EXPECT_GT(std::stoull(reloading.substr(reloading.rfind('=') + 1)), 0u);
}

TEST(Notifier, TellsTheManager) {  // [SOCK-7]
  const testing::TemporaryDirectory directory;
  hears_all((directory.path() / "notify").string());
  hears_all("@tus-notifier-test-" + std::to_string(::getpid()));
}

TEST(Notifier, IsSilentWhenThereIsNobody) {  // [SOCK-7]
  for (const std::string name : {"", "/no/such/socket", "relative", "vsock:2:1"}) {
    Notifier(name).ready();
  }
  Notifier("/" + std::string(200, 'x')).ready();
}

}  // namespace
}  // namespace tus::app
