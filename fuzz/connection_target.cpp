// Everything that a client sends on one connection, to the real session, service and store: what comes back is HTTP, one
// answer to each request at the most, and what is stored in the end is what was acknowledged.
// [FUZZ-3] [FUZZ-4]
#include "fuzz/check.h"
#include "fuzz/http_reader.h"
#include "fuzz/targets.h"
#include "fuzz/upload_model.h"
#include "server/h1_session.h"

#include <tus/handler.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tus::fuzz {

namespace {

// Names that an input can know beforehand: u1, u2, ...
class CountingHooks final : public Hooks {
 public:
  bool wants(HookEvent event) const noexcept override { return event == HookEvent::pre_create; }
  Awaitable<Result<HookReply>> ask(HookMessage, Deadline) override {
    HookReply reply;
    reply.id = "u" + std::to_string(++created_);
    co_return reply;
  }
  Awaitable<Result<HookTicket>> promise(HookMessage, Deadline) override { co_return HookTicket(); }
  void happened(HookTicket) noexcept override {}
  void withdraw(HookTicket) noexcept override {}

  int created() const noexcept { return created_; }

 private:
  int created_ = 0;
};

// Nothing here may wait for time to pass: when the client is gone, everything has to end.
HttpServerOptions without_timeouts() {
  HttpServerOptions options;
  options.network_timeout = options.header_timeout = options.idle_timeout =
      std::chrono::milliseconds(0);
  options.max_request_line = 300;
  options.max_header_bytes = 1500;
  options.max_header_fields = 20;
  return options;
}

HandlerOptions small_uploads() {
  HandlerOptions options;
  options.max_size = 100'000;
  options.cors = CorsOptions();
  return options;
}

template <class T>
Awaitable<void> keep(Awaitable<T> task, std::optional<T>& result) {
  result.emplace(co_await std::move(task));
}

// A server with one event loop, which runs only when it is told to.
class Server {
 public:
  Server()
      : context_(std::make_shared<server::Context>(without_timeouts(), nullptr, nullptr, nullptr)),
        loop_(std::make_shared<server::Loop>(io_.get_executor())),
        hooks_(std::make_shared<CountingHooks>()),
        store_(make_memory_store({.max_bytes = 10'000'000})),
        handler_(std::make_unique<Handler>(small_uploads(), parts(), io_.get_executor())) {
    context_->router.mount("/files/",
                           [this](Exchange& exchange) { return handler_->handle(exchange); });
  }
  ~Server() {
    spawn(handler_->close(Deadline::never()));
    run();
    require(running_ == 0);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void spawn(Awaitable<void> task) {
    ++running_;
    asio::co_spawn(io_, std::move(task), [this](const std::exception_ptr& thrown) {
      --running_;
      require(thrown == nullptr);
    });
  }

  void accept(int fd) {
    server::AcceptedSocket socket;
    socket.fd = fd;
    socket.peer = "127.0.0.1:1";
    socket.place = context_->admission->take_place();
    spawn(server::H1Session::run(
        std::make_unique<server::H1Session>(std::move(socket), loop_, context_)));
  }

  // All that can be done without anybody outside doing anything. Whether there was something to do.
  bool run() {
    std::size_t steps = 0;
    io_.restart();
    while (io_.poll_one() > 0) require(++steps < 100'000);
    return steps > 0;
  }

  int running() const noexcept { return running_; }

  std::map<std::string, StoredUpload> stored() {
    std::map<std::string, StoredUpload> all;
    for (int i = 1; i <= hooks_->created(); ++i) {
      const auto id = *UploadId::parse("u" + std::to_string(i));
      auto info = wait(store_->inspect(id, Deadline::never()));
      if (!info) continue;
      StoredUpload upload;
      upload.info = *info;
      upload.bytes = read(*info);
      all.emplace(id.str(), std::move(upload));
    }
    const auto usage = wait(store_->usage(Deadline::never()));
    require(usage && usage->uploads == all.size());
    return all;
  }

 private:
  HandlerParts parts() {
    HandlerParts parts;
    parts.store = store_;
    parts.locker = make_memory_locker();
    parts.hooks = hooks_;
    return parts;
  }

  template <class T>
  T wait(Awaitable<T> task) {
    std::optional<T> result;
    spawn(keep(std::move(task), result));
    run();
    require(result.has_value());
    return *std::move(result);
  }

  std::string read(const UploadInfo& info) {
    if (info.offset == 0) return {};
    auto stream =
        wait(store_->read(info.id, {.first = 0, .count = info.offset}, Deadline::never()));
    require(stream.has_value());
    std::string bytes(static_cast<std::size_t>(info.offset), '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto into = std::as_writable_bytes(std::span(bytes).subspan(done));
      const auto n = wait((*stream)->read(into, Deadline::never()));
      require(n && *n > 0);
      done += *n;
    }
    return bytes;
  }

  asio::io_context io_{1};
  std::shared_ptr<server::Context> context_;
  std::shared_ptr<server::Loop> loop_;
  std::shared_ptr<CountingHooks> hooks_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Handler> handler_;
  int running_ = 0;
};

// The client's end of a connection.
class Client {
 public:
  explicit Client(Server& server) : server_(server) {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    fd_ = ends[0];
    server_.accept(ends[1]);
    settle();
  }
  ~Client() { hang_up(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) break;  // it has hung up
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    settle();
  }
  void end_output() {
    ::shutdown(fd_, SHUT_WR);
    settle();
  }
  void hang_up() {
    if (fd_ < 0) return;
    ::close(std::exchange(fd_, -1));
    server_.run();
  }
  const std::string& received() const noexcept { return received_; }

 private:
  bool receive() {
    std::array<char, 16 * 1024> buffer;
    bool any = false;
    for (;;) {
      const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (n <= 0) return any;
      received_.append(buffer.data(), static_cast<std::size_t>(n));
      any = true;
    }
  }
  // Until nobody has anything to say. A server that goes on without an end is one that hangs.
  void settle() {
    std::size_t rounds = 0;
    for (bool busy = true; busy;) {
      busy = server_.run();
      busy = receive() || busy;
      require(++rounds < 10'000);
    }
  }

  Server& server_;
  int fd_ = -1;
  std::string received_;
};

// Another half of the same bits each time.
class Splits {
 public:
  explicit Splits(std::string_view input) {
    for (const char c : input) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  std::size_t up_to(std::size_t most) noexcept {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return 1 + static_cast<std::size_t>(state_ >> 33) % most;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

enum class Sending : std::uint8_t { whole, in_pieces };

struct Seen {
  std::vector<int> statuses;
  bool closed = false;  // the server wanted no more
  std::map<std::string, StoredUpload> stored;
};

std::string converse(Server& server, std::string_view input, Sending how) {
  Client client(server);
  Splits splits(input);
  constexpr std::size_t most_pieces = 12;
  for (std::size_t pieces = 1; !input.empty(); ++pieces) {
    const bool rest = how == Sending::whole || pieces == most_pieces;
    const auto size = rest ? input.size() : splits.up_to(input.size());
    client.send(input.substr(0, size));
    input.remove_prefix(size);
  }
  // Some only say that nothing more comes, others are gone.
  if (splits.up_to(2) == 1) client.end_output();
  client.hang_up();
  return client.received();
}

// The answers to what was asked; the model hears of all of them.
Seen compare(const SentRequests& sent, std::string_view wire, UploadModel& model) {
  Seen seen;
  const auto& requests = sent.requests;
  while (!wire.empty() && seen.statuses.size() < requests.size()) {
    require(!seen.closed);
    const auto& request = requests[seen.statuses.size()];
    const auto answer = take_answer(wire, request.method == "HEAD" ? ToHead::yes : ToHead::no);
    model.answered(request, answer);
    seen.statuses.push_back(answer.status);
    seen.closed = answer.closes;
  }
  // Nobody answers what was not asked.
  require(wire.empty() || (sent.oddity && !seen.closed));
  if (seen.closed) return seen;
  if (sent.oddity) model.lose_track();
  if (seen.statuses.size() == requests.size()) return seen;
  // Only who hangs up in the middle gets no answer.
  require(seen.statuses.size() + 1 == requests.size() && !requests.back().whole);
  model.unanswered(requests.back());
  return seen;
}

// Whoever comes next is served as if nothing had been.
void check_next_client(Server& server, const std::map<std::string, StoredUpload>& stored) {
  Client client(server);
  std::string_view wire;
  std::size_t done = 0;
  const auto ask = [&](const std::string& request) {
    client.send(request);
    wire = std::string_view(client.received()).substr(done);
    const auto answer = take_answer(wire, ToHead::no);
    require(wire.empty());
    done = client.received().size();
    return answer.status;
  };
  const std::string fields =
      " HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\n"
      "Content-Type: application/offset+octet-stream\r\n";
  for (const auto& [id, upload] : stored) {
    if (upload.info.finished() || upload.info.is_final) continue;
    // A lock that was left behind would be waited for.
    require(ask("PATCH /files/" + id + fields + "Content-Length: 0\r\nUpload-Offset: " +
                std::to_string(upload.info.offset) + "\r\n\r\n") == 204);
  }
  require(ask("POST /files/" + fields + "Upload-Length: 3\r\nContent-Length: 3\r\n\r\nabc") == 201);
}

Seen run(std::string_view input, Sending how) {
  Server server;
  const auto wire = converse(server, input, how);
  require(server.running() == 0);
  UploadModel model;
  const auto sent = read_requests(input);
  auto seen = compare(sent, wire, model);
  seen.stored = server.stored();
  model.check(seen.stored);
  if (how == Sending::in_pieces) check_next_client(server, seen.stored);
  return seen;
}

}  // namespace

void connection(std::string_view input) {
  if (input.size() > 20'000) return;
  const auto whole = run(input, Sending::whole);
  const auto pieces = run(input, Sending::in_pieces);
  // How the bytes arrive decides whether a connection is worth keeping, and nothing else.
  const auto both = std::min(whole.statuses.size(), pieces.statuses.size());
  require(std::equal(whole.statuses.begin(),
                     whole.statuses.begin() + static_cast<std::ptrdiff_t>(both),
                     pieces.statuses.begin()));
}

}  // namespace tus::fuzz
