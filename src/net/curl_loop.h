// libcurl's multi interface on an executor.
#pragma once

#include "net/curl_transfer.h"
#include "net/http_client.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <curl/curl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <unordered_map>

namespace tus::net {

// curl tells which descriptors and which time to wait for, in callbacks; Asio waits, and then curl does
// the work. Callbacks only take notes, since curl must not be called from within them. Everything but the
// constructor and the destructor runs on the strand.
class CurlLoop : public std::enable_shared_from_this<CurlLoop> {
 public:
  using Strand = asio::strand<asio::any_io_executor>;

  CurlLoop(const asio::any_io_executor& executor, HttpClientOptions options);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  const Strand& strand() const noexcept { return strand_; }

  void start(const std::shared_ptr<CurlTransfer>& transfer);
  // Before curl is done with it.
  void give_up(const std::shared_ptr<CurlTransfer>& transfer, const Error& why);
  // Its caller has taken bytes, or has some.
  void resume(const std::shared_ptr<CurlTransfer>& transfer);
  void refuse_new();
  void give_up_all(const Error& why);
  // Nothing runs any more, nothing will, and every connection is closed.
  Event& empty() noexcept { return empty_; }

 private:
  struct Socket;
  struct Running {
    std::shared_ptr<CurlTransfer> transfer;
    std::unique_ptr<asio::steady_timer> deadline;
    // Of one that may stall: when it is looked at next; what had moved by then, and since when no more has.
    std::unique_ptr<asio::steady_timer> look;
    curl_socket_t socket = CURL_SOCKET_BAD;
    std::optional<curl_off_t> moved;
    std::chrono::steady_clock::time_point since;
  };

  void watch_deadline(Running& running);
  void watch_stall(Running& running);
  void look_for_stall(const std::shared_ptr<CurlTransfer>& transfer);
  void end(CURL* easy, Result<HttpReply> result);
  void shut_when_empty();

  void act(curl_socket_t fd, int events);
  void end_those_that_are_done();

  void want(curl_socket_t fd, int what);
  void forget(curl_socket_t fd) noexcept;
  void wait_for(const std::shared_ptr<Socket>& socket);
  void wait_for(const std::shared_ptr<Socket>& socket, int direction);
  void set_timer(long milliseconds);

  static int socket_from_curl(CURL* easy, curl_socket_t fd, int what, void* self, void* of_socket);
  static int timer_from_curl(CURLM* multi, long milliseconds, void* self);
  static curl_socket_t open_from_curl(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close_from_curl(void* self, curl_socket_t fd);

  Strand strand_;
  HttpClientOptions options_;
  CURLM* multi_;
  asio::steady_timer timer_;
  std::unordered_map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
  std::unordered_map<CURL*, Running> running_;
  bool closed_ = false;
  Event empty_;
};

}  // namespace tus::net
