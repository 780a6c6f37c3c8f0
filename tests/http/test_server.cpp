#include "tests/http/test_server.h"

#include "async/run_blocking.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace tus::http_tests {

namespace {

class TestFile {
 public:
  explicit TestFile(const std::string& name)
      : fd_(name.empty() ? ::memfd_create("body", MFD_CLOEXEC)
                         : ::open(name.c_str(), O_WRONLY | O_CLOEXEC)) {}
  ~TestFile() { ::close(fd_); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  int fd() const { return fd_; }
  std::string content(std::size_t size) const {
    std::string out(size, '\0');
    auto n = ::pread(fd_, out.data(), size, 0);
    out.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return out;
  }

 private:
  int fd_;
};

// As a file store does it: one job moves what is here, and a little more while it comes quickly.
Awaitable<BodySource::Moved> receive_some(BlockingPool& pool, BodySource& body, int fd,
                                          std::uint64_t at) {
  auto work = [&body, &pool, fd, at](std::span<std::byte> scratch) {
    BodySource::Moved all;
    for (;;) {
      auto moved = body.move_to_file(fd, at + all.bytes, 1 << 20, scratch);
      all.bytes += moved.bytes;
      all.state = moved.state;
      all.file_error = moved.file_error;
      if (moved.state != BodyState::open || moved.file_error != 0) return all;
      if (pool.is_crowded()) return all;
      if (moved.bytes > 0) continue;
      if (!body.wait_briefly(std::chrono::microseconds(500))) return all;
    }
  };
  co_return co_await run_blocking(pool, std::move(work));
}

Awaitable<void> receive_on_pool(BlockingPool& pool, BodySource& body, std::string file,
                                Records& records, Received& out) {
  TestFile sink(file);
  std::uint64_t at = 0;
  out.state = body.state();
  while (out.state == BodyState::open) {
    auto moved = co_await receive_some(pool, body, sink.fd(), at);
    at += moved.bytes;
    records.set_progress(at);
    out.state = moved.state;
    out.file_error = moved.file_error;
    if (out.state == BodyState::open) out.state = co_await body.wait();
  }
  if (file.empty()) out.body = sink.content(at);
}

Awaitable<void> receive_by_pull(BodySource& body, Records& records, Received& out) {
  std::array<std::byte, 700> piece;
  out.state = body.state();
  while (out.state == BodyState::open) {
    auto moved = body.pull(piece);
    out.body.append(reinterpret_cast<const char*>(piece.data()), moved.bytes);
    records.set_progress(out.body.size());
    out.state = moved.state;
    if (moved.bytes == 0 && out.state == BodyState::open) out.state = co_await body.wait();
  }
}

std::size_t number_at_end(std::string_view target) {
  std::size_t n = 0;
  auto digits = target.substr(target.rfind('/') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

}  // namespace

void Records::add(Received received) {
  std::lock_guard lock(mutex_);
  list_.push_back(std::move(received));
  changed_.notify_all();
}

std::optional<Received> Records::next() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return !list_.empty(); })) {
    return std::nullopt;
  }
  auto out = std::move(list_.front());
  list_.pop_front();
  return out;
}

void Records::set_progress(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  progress_ = bytes;
  changed_.notify_all();
}

bool Records::wait_for_progress(std::uint64_t bytes) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return progress_ >= bytes; });
}

void Records::set_current(BodySource* body) {
  std::lock_guard lock(mutex_);
  current_ = body;
  progress_ = 0;
  changed_.notify_all();
}

bool Records::interrupt_current(BodyState reason) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(10), [&] { return current_ != nullptr; })) {
    return false;
  }
  current_->interrupt(reason);
  return true;
}

RawClient TestServer::connect() const {
  if (port_ == 0) return RawClient((directory_.path() / "socket").string());
  return RawClient(port_);
}

TestServer::TestServer(Options options) : loops_(options.loops) {
  options.http.zero_copy = options.zero_copy;
  // UBSan looks at an object's type through a pipe the first time, which must not be when there are no
  // descriptors left: so what the server then uses is used here.
  auto logger = options.logger ? options.logger : std::make_shared<NoLogger>();
  const boost::system::error_code shortage(EMFILE, boost::system::system_category());
  logger->log(LogLevel::debug, "TestServerStarts", {{"error", shortage.message()}});
  server_ = std::make_unique<server::Server>(options.http, loops_.executors(), logger,
                                             options.metrics, pool_);
  for (const char* path : {"/files/", "/pull/", "/early/", "/part/", "/full/", "/big/", "/throw/",
                           "/silent/", "/interim/", "/late/", "/content/"}) {
    server_->mount(path, [this](Exchange& exchange) { return handle(exchange); });
  }
  server_->mount_plain("/metrics", [](const RequestHead&) {
    Response response(200);
    response.body = "metrics\n";
    return response;
  });
  server_->mount_plain("/files/exact", [](const RequestHead&) {
    Response response(200);
    response.body = "exact\n";
    return response;
  });
  auto socket = options.socket == SocketKind::tcp
                    ? server::listen_on_tcp("127.0.0.1", 0)
                    : server::listen_on_unix(directory_.path() / "socket", std::nullopt);
  if (!socket) throw std::runtime_error(socket.error().detail());
  port_ = server::port_of(socket->fd());
  server_->listen(*std::move(socket));
}

TestServer::~TestServer() { stop(std::chrono::milliseconds(0)); }

bool TestServer::wait_for_connections(std::size_t left) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (server_->running() > left) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

bool TestServer::wait_for_running(std::size_t connections) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (server_->running() < connections) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

std::chrono::milliseconds TestServer::time_of(Awaitable<void> task) {
  const auto begun = std::chrono::steady_clock::now();
  asio::co_spawn(loops_.executors().front(), std::move(task), asio::use_future).get();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               begun);
}

std::chrono::milliseconds TestServer::end_requests(std::chrono::milliseconds patience) {
  const auto deadline = Deadline::after(std::chrono::steady_clock::now(), patience);
  return time_of(server_->end_requests(deadline, Unaccepted::answer));
}

std::chrono::milliseconds TestServer::stop(std::chrono::milliseconds patience) {
  if (std::exchange(stopped_, true)) return {};
  return time_of(server_->stop(Deadline::after(std::chrono::steady_clock::now(), patience)));
}

Awaitable<void> TestServer::handle(Exchange& exchange) {
  const std::string& target = exchange.head().target;
  if (target.starts_with("/throw")) throw std::runtime_error("secret of the inside");
  if (target.starts_with("/silent")) co_return;
  if (target.starts_with("/files")) co_return co_await receive(exchange, true, "");
  if (target.starts_with("/full")) co_return co_await receive(exchange, true, "/dev/full");
  if (target.starts_with("/pull")) co_return co_await receive(exchange, false, "");
  if (target.starts_with("/part")) co_return co_await take_part(exchange, number_at_end(target));
  if (target.starts_with("/interim")) {
    Fields fields;
    fields.add("Upload-Offset", "7");
    co_await exchange.send_interim(104, std::move(fields));
    co_return co_await receive(exchange, true, "");
  }
  if (target.starts_with("/content")) {
    co_return co_await exchange.send_content(Response(200), content_(target));
  }
  if (target.starts_with("/late")) exchange.body().interrupt(BodyState::interrupted);
  Response response(200);
  if (target.starts_with("/early")) response.status = static_cast<int>(number_at_end(target));
  if (target.starts_with("/big")) response.body = pattern(number_at_end(target));
  co_await exchange.send_final(std::move(response));
}

Awaitable<void> TestServer::receive(Exchange& exchange, bool on_pool, std::string file) {
  Received received;
  received.target = exchange.head().target;
  records_.set_current(&exchange.body());
  if (on_pool) {
    co_await receive_on_pool(*pool_, exchange.body(), file, records_, received);
  } else {
    co_await receive_by_pull(exchange.body(), records_, received);
  }
  records_.set_current(nullptr);
  for (const auto& f : exchange.trailers()) received.trailers += f.name + "=" + f.value + ";";

  Response response(received.file_error != 0 ? 507 : 200);
  if (received.state != BodyState::complete) response.status = 500;
  response.fields.add("X-Target", received.target);
  response.fields.add("X-State", std::to_string(static_cast<int>(received.state)));
  response.fields.add("X-Trailers", received.trailers);
  response.fields.add("X-Request-ID", exchange.head().request_id);
  response.fields.add("X-Remote", exchange.head().remote_address);
  response.fields.add("X-Peer-Gone", exchange.peer_gone() ? "yes" : "no");
  response.body = received.body;
  records_.add(std::move(received));
  co_await exchange.send_final(std::move(response));
}

Awaitable<void> TestServer::take_part(Exchange& exchange, std::size_t count) {
  std::array<std::byte, 4096> sink;
  while (count > 0) {
    auto moved = exchange.body().pull(std::span(sink).first(std::min(count, sink.size())));
    count -= static_cast<std::size_t>(moved.bytes);
    if (moved.state != BodyState::open) break;
    if (moved.bytes == 0) co_await exchange.body().wait();
  }
  co_await exchange.send_final(Response(413));
}

std::string patch_head(std::string_view target, std::uint64_t length, std::string_view fields) {
  return "PATCH " + std::string(target) +
         " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n" +
         std::string(fields) + "\r\n";
}

std::string patch(std::string_view target, std::string_view body, std::string_view fields) {
  return patch_head(target, body.size(), fields) + std::string(body);
}

std::string chunked(std::string_view body, std::size_t chunk, std::string_view trailers) {
  std::string out;
  while (!body.empty()) {
    auto piece = body.substr(0, chunk);
    char size[20];
    out.append(size, std::to_chars(size, size + sizeof size, piece.size(), 16).ptr);
    out += "\r\n" + std::string(piece) + "\r\n";
    body.remove_prefix(piece.size());
  }
  return out + "0\r\n" + std::string(trailers) + "\r\n";
}

std::string pattern(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t x = 1;
  for (auto& c : out) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return out;
}

::testing::AssertionResult same_bytes(std::string_view got, std::string_view wanted) {
  if (got == wanted) return ::testing::AssertionSuccess();
  auto differs = std::ranges::mismatch(got, wanted).in1 - got.begin();
  return ::testing::AssertionFailure() << got.size() << " bytes instead of " << wanted.size()
                                       << ", the first difference at " << differs;
}

void PrintTo(const Way& way, std::ostream* out) {
  if (way.socket == SocketKind::unix_file) *out << "unix ";
  *out << "zero_copy=" << static_cast<int>(way.zero_copy) << " loops=" << way.loops;
}

TestServer& ServerTest::start(HttpServerOptions http) {
  TestServer::Options options;
  options.http = std::move(http);
  return start(std::move(options));
}

TestServer& ServerTest::start(TestServer::Options options) {
  options.zero_copy = GetParam().zero_copy;
  options.loops = GetParam().loops;
  options.socket = GetParam().socket;
  server_.emplace(std::move(options));
  return *server_;
}

}  // namespace tus::http_tests
