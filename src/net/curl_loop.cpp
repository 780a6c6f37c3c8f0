#include "net/curl_loop.h"

#include "net/broken_pipe_guard.h"

#include <linux/sockios.h>
#include <new>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace tus::net {

using boost::system::error_code;

// A descriptor of curl's that Asio waits for. It stays curl's: Asio lets go of it before curl closes it.
struct CurlLoop::Socket {
  explicit Socket(const Strand& strand) : descriptor(strand) {}

  asio::posix::stream_descriptor descriptor;
  int wanted = 0;   // CURL_POLL_IN, CURL_POLL_OUT
  int awaited = 0;  // what Asio waits for; that may be more
  bool gone = false;
};

namespace {

// libcurl wants to be initialised once in a process, before its first use; it has no other place for that.
void initialise_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw std::runtime_error("libcurl cannot be initialised");
}

// Bytes that curl has sent and the peer has not acknowledged: on a slow line they are many, and still move.
curl_off_t on_the_way(curl_socket_t fd) noexcept {
  int bytes = 0;
  if (fd == CURL_SOCKET_BAD || ::ioctl(fd, SIOCOUTQ, &bytes) != 0) return 0;
  return bytes;
}

CURLM* make_multi() {
  initialise_curl();
  auto* multi = curl_multi_init();
  if (multi == nullptr) throw std::bad_alloc();
  return multi;
}

}  // namespace

CurlLoop::CurlLoop(const asio::any_io_executor& executor, HttpClientOptions options)
    : strand_(executor), options_(std::move(options)), multi_(make_multi()), timer_(strand_) {
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlLoop::socket_from_curl);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlLoop::timer_from_curl);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, options_.connections_per_host);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, options_.connections);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, options_.idle_connections);
}

CurlLoop::~CurlLoop() {
  for (auto& [easy, running] : running_) curl_multi_remove_handle(multi_, easy);
  const BrokenPipeGuard guard;
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

void CurlLoop::start(const std::shared_ptr<CurlTransfer>& transfer) {
  if (transfer->finished()) return;
  if (closed_) {
    transfer->finish(fail(ErrorCode::server_shutdown, "the HTTP client is closed"));
    return;
  }
  if (auto status = transfer->prepare(options_); !status) {
    transfer->finish(fail(status.error()));
    return;
  }
  auto* easy = transfer->easy();
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &CurlLoop::open_from_curl);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &CurlLoop::close_from_curl);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  auto& running = running_[easy];
  running.transfer = transfer;
  watch_deadline(running);
  if (transfer->stall().count() > 0) {
    running.look = std::make_unique<asio::steady_timer>(strand_);
    watch_stall(running);
  }
  const auto code = curl_multi_add_handle(multi_, easy);
  if (code != CURLM_OK) end(easy, fail(ErrorCode::store_unavailable, curl_multi_strerror(code)));
}

// curl's own timeout does not run while a transfer waits for a connection to be free.
void CurlLoop::watch_deadline(Running& running) {
  const auto deadline = running.transfer->deadline();
  if (deadline.is_never()) return;
  running.deadline = std::make_unique<asio::steady_timer>(strand_, deadline.when());
  running.deadline->async_wait(
      [self = shared_from_this(), transfer = running.transfer](error_code ec) {
        if (ec || transfer->finished()) return;
        self->give_up(transfer, Error(ErrorCode::store_unavailable,
                                      "timeout: " + std::string(transfer->stage())));
      });
}

// It is noticed a quarter later at the most.
void CurlLoop::watch_stall(Running& running) {
  running.look->expires_after(std::chrono::milliseconds(running.transfer->stall()) / 4);
  running.look->async_wait([self = shared_from_this(), transfer = running.transfer](error_code ec) {
    if (!ec && !transfer->finished()) self->look_for_stall(transfer);
  });
}

void CurlLoop::look_for_stall(const std::shared_ptr<CurlTransfer>& transfer) {
  auto found = running_.find(transfer->easy());
  if (found == running_.end()) return;
  auto& running = found->second;
  const auto now = std::chrono::steady_clock::now();
  auto moved = transfer->moved();
  if (moved) *moved -= on_the_way(running.socket);
  if (!moved || moved != running.moved) {
    running.moved = moved;
    running.since = now;
  } else if (now - running.since >= transfer->stall()) {
    give_up(transfer,
            Error(ErrorCode::store_unavailable, "timeout: nothing moved for " +
                                                    std::to_string(transfer->stall().count()) +
                                                    " s, and " + std::string(transfer->stage())));
    return;
  }
  watch_stall(running);
}

void CurlLoop::give_up(const std::shared_ptr<CurlTransfer>& transfer, const Error& why) {
  if (transfer->finished()) return;
  if (transfer->easy() != nullptr && running_.contains(transfer->easy()))
    end(transfer->easy(), fail(why));
  else
    transfer->finish(fail(why));
}

void CurlLoop::resume(const std::shared_ptr<CurlTransfer>& transfer) {
  if (transfer->finished() || !running_.contains(transfer->easy())) return;
  {
    const BrokenPipeGuard guard;
    // What fails here ends the transfer, and curl tells so.
    curl_easy_pause(transfer->easy(), CURLPAUSE_CONT);
  }
  end_those_that_are_done();
}

void CurlLoop::end(CURL* easy, Result<HttpReply> result) {
  auto found = running_.find(easy);
  if (found == running_.end()) return;
  auto transfer = std::move(found->second.transfer);
  running_.erase(found);
  {
    const BrokenPipeGuard guard;
    curl_multi_remove_handle(multi_, easy);
  }
  transfer->finish(std::move(result));
  shut_when_empty();
}

void CurlLoop::refuse_new() {
  closed_ = true;
  shut_when_empty();
}

void CurlLoop::give_up_all(const Error& why) {
  while (!running_.empty()) end(running_.begin()->first, fail(why));
}

void CurlLoop::shut_when_empty() {
  if (!closed_ || !running_.empty() || multi_ == nullptr) return;
  const BrokenPipeGuard guard;
  curl_multi_cleanup(std::exchange(multi_, nullptr));
  timer_.cancel();
  empty_.set();
}

void CurlLoop::act(curl_socket_t fd, int events) {
  if (multi_ == nullptr) return;
  {
    const BrokenPipeGuard guard;
    int running = 0;
    curl_multi_socket_action(multi_, fd, events, &running);
  }
  end_those_that_are_done();
}

void CurlLoop::end_those_that_are_done() {
  int more = 0;
  while (multi_ != nullptr) {
    const auto* message = curl_multi_info_read(multi_, &more);
    if (message == nullptr) return;
    if (message->msg != CURLMSG_DONE) continue;
    // The message goes with its handle.
    auto* easy = message->easy_handle;
    const auto code = message->data.result;
    auto found = running_.find(easy);
    if (found != running_.end()) end(easy, found->second.transfer->outcome(code));
  }
}

// ---- descriptors ----

void CurlLoop::want(curl_socket_t fd, int what) {
  auto& socket = sockets_[fd];
  if (!socket) {
    socket = std::make_shared<Socket>(strand_);
    socket->descriptor.assign(fd);
  }
  socket->wanted = what;
  wait_for(socket);
}

void CurlLoop::forget(curl_socket_t fd) noexcept {
  auto found = sockets_.find(fd);
  if (found == sockets_.end()) return;
  found->second->gone = true;
  try {
    if (found->second->descriptor.is_open()) (void)found->second->descriptor.release();
  } catch (const std::exception&) {
    // There is nothing left to let go of.
  }
  sockets_.erase(found);
}

void CurlLoop::wait_for(const std::shared_ptr<Socket>& socket) {
  wait_for(socket, CURL_POLL_IN);
  wait_for(socket, CURL_POLL_OUT);
}

void CurlLoop::wait_for(const std::shared_ptr<Socket>& socket, int direction) {
  if ((socket->wanted & direction) == 0 || (socket->awaited & direction) != 0) return;
  socket->awaited |= direction;
  using Descriptor = asio::posix::stream_descriptor;
  socket->descriptor.async_wait(
      direction == CURL_POLL_IN ? Descriptor::wait_read : Descriptor::wait_write,
      [self = shared_from_this(), socket, direction](error_code ec) {
        socket->awaited &= ~direction;
        // Another socket may have the same number by now.
        if (ec || socket->gone) return;
        if ((socket->wanted & direction) != 0)
          self->act(socket->descriptor.native_handle(),
                    direction == CURL_POLL_IN ? CURL_CSELECT_IN : CURL_CSELECT_OUT);
        if (!socket->gone) self->wait_for(socket);
      });
}

void CurlLoop::set_timer(long milliseconds) {
  if (milliseconds < 0) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::chrono::milliseconds(milliseconds));
  timer_.async_wait([self = shared_from_this()](error_code ec) {
    if (!ec) self->act(CURL_SOCKET_TIMEOUT, 0);
  });
}

// ---- what curl calls; exceptions must not go through it, and -1 fails what it does ----

int CurlLoop::socket_from_curl(CURL* easy, curl_socket_t fd, int what, void* self, void*) try {
  auto& loop = *static_cast<CurlLoop*>(self);
  const auto user = loop.running_.find(easy);
  if (user != loop.running_.end())
    user->second.socket = what == CURL_POLL_REMOVE ? CURL_SOCKET_BAD : fd;
  if (what == CURL_POLL_REMOVE) {
    loop.forget(fd);
  } else {
    loop.want(fd, what);
  }
  return 0;
} catch (const std::exception&) {
  return -1;
}

int CurlLoop::timer_from_curl(CURLM*, long milliseconds, void* self) try {
  static_cast<CurlLoop*>(self)->set_timer(milliseconds);
  return 0;
} catch (const std::exception&) {
  return -1;
}

// Programs that the process starts (hooks, its own successor) must not inherit it.
curl_socket_t CurlLoop::open_from_curl(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                  address->protocol);
}

int CurlLoop::close_from_curl(void* self, curl_socket_t fd) {
  // curl has said CURL_POLL_REMOVE; should it ever not, Asio must not wait for a number of somebody else's.
  static_cast<CurlLoop*>(self)->forget(fd);
  return ::close(fd);
}

}  // namespace tus::net
