// An HTTP server on loopback that does what a test says, down to every byte. A thread a connection.
#pragma once

#include "async/file_descriptor.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace tus::net::test {

struct SeenRequest {
  SeenRequest() = default;

  std::string line;  // "POST /hook HTTP/1.1"
  std::string head;  // all of it, with the line
  std::string body;
  int connection = 0;  // from 1, in the order of accepting

  std::vector<std::string> values(std::string_view name) const;
  std::size_t count(std::string_view name) const { return values(name).size(); }
  // The values of all fields of this name, separated by "|".
  std::string field(std::string_view name) const;
};

// The connection that a request came over.
class Peer {
 public:
  Peer(int fd, ssl_st* tls) : fd_(fd), tls_(tls) {}

  bool send(std::string_view bytes);
  bool reply(int status, std::string_view body, std::string_view type = "application/json");
  void reset();        // an RST instead of an end
  void hold();         // until the other side, or the server, ends
  std::string read();  // what comes next; empty at the end

 private:
  int fd_;
  ssl_st* tls_;
};

enum class Then : std::uint8_t { keep, close };

enum class Bodies : std::uint8_t {
  are_read,
  are_left,  // the script is called when the head of a request is there
};

// A key and a certificate for 127.0.0.1 and localhost that nobody has signed but itself.
class TestCertificate {
 public:
  TestCertificate();
  ~TestCertificate();
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;

  ssl_ctx_st* context() const noexcept { return context_; }
  const std::string& pem() const noexcept { return pem_; }

 private:
  ssl_ctx_st* context_ = nullptr;
  std::string pem_;
};

class ScriptedServer {
 public:
  // Called on a thread of the connection, concurrently for different ones.
  using Script = std::function<Then(Peer&, const SeenRequest&)>;

  explicit ScriptedServer(Script script, const TestCertificate* certificate = nullptr,
                          Bodies bodies = Bodies::are_read);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string url(std::string_view path = "/") const;
  int accepted() const noexcept { return accepted_; }
  int requests() const noexcept { return requests_; }

  // From now on nobody listens, and every connection is cut.
  void stop();

 private:
  void accept_all();
  void serve(int fd, int number);
  void converse(int fd, int number, ssl_st* tls);

  Script script_;
  const TestCertificate* certificate_;
  const Bodies bodies_;
  std::uint16_t port_ = 0;
  Fd listening_;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> requests_ = 0;

  std::mutex mutex_;
  bool stopping_ = false;
  std::list<Fd> connections_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// A port of 127.0.0.1 where nobody listens, for as long as this lives.
class SilentPort {
 public:
  SilentPort();
  std::uint16_t port() const noexcept { return port_; }

 private:
  std::uint16_t port_ = 0;
  Fd bound_;
};

}  // namespace tus::net::test
