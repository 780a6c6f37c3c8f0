#include "server/h1_session.h"

#include "protocol/forwarded.h"
#include "server/http_syntax.h"
#include "server/response_writer.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <utility>

namespace tus::server {

namespace {

using std::chrono::steady_clock;

// A small first read leaves a large body in the socket, from where it can be spliced.
constexpr std::size_t head_read_bytes = 4 * 1024;
constexpr std::size_t max_request_id = 128;
// Between connecting and the first bytes of a request, when the server stops meanwhile.
constexpr std::chrono::milliseconds first_request_time{500};
constexpr std::chrono::seconds linger_time{2};
constexpr std::chrono::seconds drain_time{10};
constexpr std::size_t linger_bytes = 1024 * 1024;
constexpr unsigned most_without_waiting = 16;

void append_hex(std::string& out, std::uint64_t n) {
  char digits[16];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n, 16).ptr);
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_head_request(std::string_view data) {
  if (data.starts_with("\r\n")) data.remove_prefix(2);
  return data.starts_with("HEAD ");
}

// While it lives, others may have the place of a connection that has no request.
class Waiting {
 public:
  Waiting(Loop& loop, LoopMember& member, Deadline::Point since) noexcept
      : loop_(loop), member_(member) {
    loop_.begin_waiting(member_, since);
  }
  ~Waiting() { loop_.end_waiting(member_); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  Loop& loop_;
  LoopMember& member_;
};

// A coroutine of its own: what it needs is not kept for every stalled upload.
Awaitable<void> give_others_a_turn() { co_await asio::post(asio::use_awaitable); }

std::string what(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

}  // namespace

H1Session::H1Session(AcceptedSocket socket, std::shared_ptr<Loop> loop,
                     std::shared_ptr<Context> context)
    : connection_(std::make_shared<Connection>(socket.fd, std::move(socket.peer), std::move(loop),
                                               context->live())),
      context_(std::move(context)),
      place_(std::move(socket.place)),
      share_(std::move(socket.share)),
      number_(context_->connections.fetch_add(1, std::memory_order_relaxed)) {}

H1Session::~H1Session() {
  if (!registered_) return;
  connection_->loop().remove(*this);
  connection_->close();
  context_->metrics->connection_closed();
}

void H1Session::register_here() {
  connection_->loop().add(*this);
  registered_ = true;
  context_->metrics->connection_opened();
}

// One coroutine from the first byte to the last: while a body stands still its frame stays, so what is
// only needed in between has frames of its own.
Awaitable<void> H1Session::run(std::unique_ptr<H1Session> session) {
  session->register_here();
  unsigned without_waiting = 0;
  for (bool goes_on = true; goes_on;) {
    std::exception_ptr thrown;
    // Who pipelines without end must not have the loop for himself.
    without_waiting = session->connection_->input().empty() ? 0 : without_waiting + 1;
    if (without_waiting > most_without_waiting) {
      without_waiting = 0;
      co_await give_others_a_turn();
    }
    try {
      goes_on = co_await session->read_request();
      if (goes_on) co_await session->answer_request();
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) {
      // Nobody knows how much of the request was read, or of its answer sent.
      goes_on = false;
      session->log_failure(std::move(thrown));
      if (session->exchange_) session->exchange_->close_afterwards();
    }
    if (session->exchange_) goes_on = co_await session->finish_request();
  }
}

// ---- stopping

bool H1Session::soft_stop() {
  connection_->cancel_wait(Connection::Purpose::request);
  if (!exchange_) return false;
  if (exchange_->answered()) {
    connection_->cancel_wait(Connection::Purpose::linger);
    return false;
  }
  exchange_->body().interrupt(BodyState::stopping);
  return true;
}

void H1Session::hard_stop() {
  if (exchange_) exchange_->body().interrupt(BodyState::stopping);
  connection_->cut();
}

void H1Session::go_away() {
  place_.leave();
  connection_->cancel_wait(Connection::Purpose::request);
}

// ---- the head

// False when the connection is over.
Awaitable<bool> H1Session::read_request() {
  const auto next = co_await read_head();
  if (next == Next::rejected) co_await send_rejection();
  co_return next == Next::request;
}

Awaitable<H1Session::Next> H1Session::read_head() {
  auto& input = connection_->input();
  HeadScanner scanner;
  auto since = steady_clock::now();
  // A pipelined request may be here already.
  if (!input.empty() && !connection_->loop().stopping()) {
    if (auto next = scan_head(input.text(), scanner)) {
      input.consume(scanner.end());
      if (*next == Next::request) exchange_->begin();
      co_return *next;
    }
  }
  const Waiting waiting(connection_->loop(), *this, since);
  for (;;) {
    if (connection_->loop().stopping()) co_return co_await turn_away();
    if (place_.leaving()) co_return make_room(scanner);
    // An empty line that was forgiven is not the beginning of a request.
    const bool begun = input.size() > scanner.begin();
    const auto waited = co_await connection_->wait_readable(Connection::Purpose::request,
                                                            head_deadline(begun, since));
    if (connection_->loop().stopping() || place_.leaving()) continue;
    if (waited != Connection::Waited::ready) co_return head_not_received(waited, begun);
    if (auto next = receive_head(scanner)) co_return *next;
    if (!begun) since = steady_clock::now();
  }
}

Deadline H1Session::head_deadline(bool begun, Deadline::Point since) const {
  const auto& options = context_->options;
  const bool first = requests_ == 0;
  const auto for_head = context_->live().header_timeout.load(std::memory_order_relaxed);
  const auto patience = begun || first ? for_head : options.idle_timeout;
  return patience.count() == 0 ? Deadline::never() : Deadline::after(since, patience);
}

H1Session::Next H1Session::head_not_received(Connection::Waited why, bool begun) {
  if (!begun) return Next::hang_up;
  if (why != Connection::Waited::timed_out) return Next::hang_up;
  // Not 408: clients of uploads try again after 5xx, and take every 4xx as the end.
  return reject(rejection_of(ErrorCode::read_timeout), connection_->input().text());
}

// Others need the place. A request that has come in this moment is answered all the same.
H1Session::Next H1Session::make_room(HeadScanner& scanner) {
  if (auto next = receive_head(scanner); next && *next != Next::hang_up) {
    place_.stay();
    return *next;
  }
  context_->metrics->connection_shed();
  const auto& input = connection_->input();
  if (input.size() <= scanner.begin()) return Next::hang_up;
  return reject(rejection_of(ErrorCode::overloaded), input.text());
}

// The server is stopping. Whoever has just connected is about to send a request, and whoever has begun one
// waits for its answer: they are told to come again, instead of losing their connection.
Awaitable<H1Session::Next> H1Session::turn_away() {
  const auto stopping = rejection_of(ErrorCode::server_shutdown);
  const auto& input = connection_->input();
  if (!input.empty()) co_return reject(stopping, input.text());
  const auto into = connection_->loop().receive_buffer().first(head_read_bytes);
  auto n = connection_->receive(into);
  if (n == -EAGAIN && requests_ == 0) {
    const auto deadline = Deadline::after(steady_clock::now(), first_request_time);
    co_await connection_->wait_readable(Connection::Purpose::request, deadline);
    n = connection_->receive(into);
  }
  if (n <= 0) co_return Next::hang_up;
  co_return reject(stopping, as_text(into.first(static_cast<std::size_t>(n))));
}

// Nothing: more has to come.
std::optional<H1Session::Next> H1Session::receive_head(HeadScanner& scanner) {
  auto& input = connection_->input();
  auto into = connection_->loop().receive_buffer().first(head_read_bytes);
  const auto n = connection_->receive(into);
  if (n == -EAGAIN) return std::nullopt;
  if (n <= 0) return Next::hang_up;
  const auto piece = into.first(static_cast<std::size_t>(n));

  // A head that comes in one piece is read where it is, without a buffer of its own.
  const bool in_place = input.empty();
  if (!in_place) input.append(piece);
  const auto next = scan_head(in_place ? as_text(piece) : input.text(), scanner);
  if (!next) {
    if (in_place) input.append(piece);
    return std::nullopt;
  }
  if (*next != Next::request) return next;
  if (in_place) {
    input.append(piece.subspan(scanner.end()));
  } else {
    input.consume(scanner.end());
  }
  exchange_->begin();
  if (piece.size() == head_read_bytes) exchange_->body().fetch_small_rest();
  return next;
}

std::optional<H1Session::Next> H1Session::scan_head(std::string_view data, HeadScanner& scanner) {
  const auto found = scanner.scan(data, context_->limits);
  if (found == HeadScanner::Found::nothing_yet) return std::nullopt;
  if (found == HeadScanner::Found::rejected) return reject(scanner.rejection(), data);
  auto head = data.substr(scanner.begin(), scanner.end() - scanner.begin());
  auto parsed = parse_head(head, context_->limits);
  if (!parsed) return reject(parsed.error(), head);
  ++requests_;
  if (context_->options.behind_proxy) {
    parsed->head.remote_address = protocol::named_client(parsed->head.fields).value_or("");
  }
  parsed->head.peer_address = connection_->peer();
  if (parsed->head.remote_address.empty()) parsed->head.remote_address = connection_->peer();
  parsed->head.request_id = request_id(parsed->head);
  exchange_.emplace(*connection_, *context_, std::move(*parsed));
  return Next::request;
}

H1Session::Next H1Session::reject(Rejection rejection, std::string_view data) {
  rejection_ = rejection;
  rejects_head_ = is_head_request(data);
  return Next::rejected;
}

std::string H1Session::request_id(const RequestHead& head) {
  const auto* theirs = head.fields.find("X-Request-ID");
  if (theirs && !theirs->empty() && theirs->size() <= max_request_id && is_visible(*theirs)) {
    return *theirs;
  }
  std::string id = context_->request_id_prefix;
  append_hex(id, number_);
  id += '-';
  append_hex(id, requests_);
  return id;
}

// ---- the answer

Awaitable<void> H1Session::answer_request() {
  if (const auto refusal = exchange_->admit()) {
    return context_->router.refuse(*exchange_, *refusal);
  }
  return context_->router.route(*exchange_);
}

// False when the connection is over.
Awaitable<bool> H1Session::finish_request() {
  if (!exchange_->answered()) {
    exchange_->close_afterwards();
    co_await exchange_->send_final(plain_error(rejection_of(ErrorCode::internal)));
  }
  if (exchange_->rest() == H1Body::Rest::small && !exchange_->closes()) {
    const auto deadline = Deadline::after(steady_clock::now(), drain_time);
    if (!co_await exchange_->body().drain(deadline)) exchange_->close_afterwards();
  }
  const bool goes_on = !exchange_->closes();
  exchange_.reset();
  if (!goes_on) co_await linger();
  co_return goes_on;
}

Awaitable<void> H1Session::send_rejection() {
  log_rejection();
  context_->metrics->request_rejected(rejection_.status);
  const ResponseContext context{
      .date = connection_->loop().date(), .to_head = rejects_head_, .close = true};
  const auto response = plain_error(rejection_);
  auto& out = connection_->loop().send_buffer();
  out.clear();
  write_head(out, response, context);
  const std::string_view body = sends_body(response, context) ? response.body : std::string_view();
  const bool sent = co_await connection_->send(out, body);
  report_rejection(sent ? body.size() : 0, sent ? Delivery::whole : Delivery::broken);
  // Its place is wanted now.
  if (sent && !place_.leaving()) co_await linger();
}

// Nobody knows what it wanted.
void H1Session::report_rejection(std::uint64_t bytes, Delivery delivery) const noexcept {
  if (!context_->options.access_log) return;
  AccessLine line;
  line.remote = connection_->peer();
  line.status = rejection_.status;
  line.bytes_out = bytes;
  line.delivery = delivery;
  log_access(*context_->logger, line);
}

// Closing a socket with unread bytes in it makes the kernel send a reset, which destroys the answer on
// its way to the client (RFC 9112 section 9.6). So what still comes is read and thrown away, up to a
// bound; after that the client is held up until it reads the answer or the time is over.
Awaitable<void> H1Session::linger() {
  connection_->input().release();
  connection_->end_output();
  const auto deadline = Deadline::after(steady_clock::now(), linger_time);
  for (std::size_t discarded = 0; discarded < linger_bytes;) {
    const auto n = connection_->receive(connection_->loop().receive_buffer());
    if (n > 0) {
      discarded += static_cast<std::size_t>(n);
      continue;
    }
    if (n != -EAGAIN) co_return;
    auto waited = co_await connection_->wait_readable(Connection::Purpose::linger, deadline);
    if (waited != Connection::Waited::ready) co_return;
  }
  co_await connection_->wait_gone(deadline);
}

void H1Session::log_rejection() const {
  if (!context_->logger->enabled(LogLevel::debug)) return;
  const auto status = std::to_string(rejection_.status);
  context_->logger->log(LogLevel::debug, "RequestRejected",
                        {{"status", status, LogKind::number},
                         {"cause", rejection_.message},
                         {"remote", connection_->peer()}});
}

void H1Session::log_failure(std::exception_ptr thrown) const {
  const auto text = what(std::move(thrown));
  const RequestHead none;
  const auto& head = exchange_ ? exchange_->head() : none;
  context_->logger->log(LogLevel::error, exchange_ ? "RequestFailed" : "ConnectionFailed",
                        {{"cause", text},
                         {"method", head.method},
                         {"path", head.target},
                         {"remote", connection_->peer()},
                         {"requestId", head.request_id}});
}

}  // namespace tus::server
