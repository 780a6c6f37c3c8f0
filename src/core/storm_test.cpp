// Everything at once, on several threads: take-overs, stalled bodies, finishes that fail, restarts. What
// must hold at every moment is checked at every answer.
#include "async/event.h"
#include "digest/hasher.h"
#include "protocol/header_values.h"

#include <tus/handler.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/testing/fake_exchange.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <charconv>
#include <random>
#include <stdexcept>
#include <thread>

namespace tus::core {
namespace {

using namespace std::chrono_literals;
using testing::BodyScript;
using testing::FakeExchange;

constexpr int uploads = 5;
constexpr std::uint64_t length = 40'000;

Deadline in(std::chrono::milliseconds wait) {
  return Deadline::after(std::chrono::steady_clock::now(), wait);
}

char byte_at(std::uint64_t position) { return static_cast<char>(position * 7 + position / 256); }

struct Upload {
  std::string path;
  std::atomic<std::uint64_t> told = 0;  // the largest offset that a client knows
  std::atomic<int> finishes = 0;

  void tell(std::uint64_t offset) {
    auto known = told.load();
    while (known < offset && !told.compare_exchange_weak(known, offset)) {
    }
  }
};

using Uploads = std::array<Upload, uploads>;

// Fails, throws and dawdles before it agrees.
class MoodyHooks final : public Hooks {
 public:
  explicit MoodyHooks(Uploads& all) : uploads_(all) {}

  bool wants(HookEvent event) const noexcept override { return event == HookEvent::pre_finish; }
  Awaitable<Result<HookReply>> ask(HookMessage message, Deadline) override {
    const auto mood = moods_.fetch_add(1) % 7;
    if (mood == 1 || mood == 3) co_return fail(ErrorCode::internal, "not now");
    if (mood == 2) throw std::runtime_error("not at all");
    Event never;
    co_await never.wait(in(std::chrono::milliseconds(mood)));
    for (auto& upload : uploads_) {
      if (upload.path.ends_with(message.upload.id.str())) ++upload.finishes;
    }
    co_return HookReply();
  }
  Awaitable<Result<HookTicket>> promise(HookMessage, Deadline) override { co_return HookTicket(); }
  void happened(HookTicket) noexcept override {}
  void withdraw(HookTicket) noexcept override {}

 private:
  Uploads& uploads_;
  std::atomic<int> moods_ = 0;
};

RequestHead head_of(std::string method, std::string path) {
  RequestHead head;
  head.method = std::move(method);
  head.target = std::move(path);
  head.host = "example.org";
  head.fields.add("Tus-Resumable", "1.0.0");
  return head;
}

Awaitable<void> handle(Handler& handler, FakeExchange& exchange, Event& done) {
  co_await handler.handle(exchange);
  done.set();
}

// A client that stalls gives up after some milliseconds, when nobody took the upload over.
Awaitable<Response> send(Handler& handler, FakeExchange& exchange) {
  Event done;
  asio::co_spawn(co_await asio::this_coro::executor, handle(handler, exchange, done),
                 [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
  if (!co_await done.wait(in(10ms))) exchange.body().release();
  EXPECT_TRUE(co_await done.wait(in(30s))) << exchange.head().method << " hangs";
  co_return exchange.final_response().value_or(Response(0));
}

std::optional<std::uint64_t> offset_of(const Response& response) {
  const auto* text = response.fields.find("Upload-Offset");
  if (text == nullptr) return std::nullopt;
  std::uint64_t offset = 0;
  std::from_chars(text->data(), text->data() + text->size(), offset);
  return offset;
}

void check(Upload& upload, std::uint64_t floor, const Response& response) {
  const auto offset = offset_of(response);
  if (!offset) return;
  EXPECT_GE(*offset, floor) << "what was told was taken back";
  EXPECT_LE(*offset, length);
  if (*offset == length) EXPECT_EQ(upload.finishes, 1) << "complete is told only when finished";
  upload.tell(*offset);
}

Awaitable<void> look(Handler& handler, Upload& upload) {
  const auto floor = upload.told.load();
  FakeExchange exchange(head_of("HEAD", upload.path), BodyScript());
  const auto response = co_await send(handler, exchange);
  EXPECT_TRUE(response.status == 200 || response.status == 423 || response.status == 503)
      << response.status;
  check(upload, floor, response);
}

BodyScript some_body(std::uint64_t from, std::minstd_rand& random) {
  BodyScript body;
  std::uint64_t at = from;
  const auto pieces = random() % 5;
  for (std::size_t i = 0; i < pieces && at < length; ++i) {
    std::string piece;
    for (auto left = 1 + random() % 200; left > 0 && at < length; --left) piece += byte_at(at++);
    body.pieces.push_back(std::move(piece));
  }
  if (random() % 2 == 0) body.announced = at - from;
  if (random() % 2 == 0 && !body.pieces.empty()) body.arrived = 1;
  if (random() % 3 == 0 && body.pieces.size() > 1) body.hold_before = body.pieces.size() - 1;
  return body;
}

// Of what belongs there; every second time the body is something else.
enum class Checked : std::uint8_t { no, right, wrong };

Checked check_body(Fields& fields, BodyScript& body, std::minstd_rand& random) {
  if (random() % 3 != 0) return Checked::no;
  std::string all;
  for (const auto& piece : body.pieces) all += piece;
  const auto digest = digest::digest_of(ChecksumAlgorithm::crc32, std::as_bytes(std::span(all)));
  fields.add("Upload-Checksum", "crc32 " + protocol::encode_base64(digest));
  if (all.empty() || random() % 2 == 0) return Checked::right;
  for (auto& piece : body.pieces) piece.assign(piece.size(), '!');
  return Checked::wrong;
}

Awaitable<void> write(Handler& handler, Upload& upload, std::minstd_rand& random) {
  const auto floor = upload.told.load();
  auto head = head_of("PATCH", upload.path);
  head.fields.add("Content-Type", "application/offset+octet-stream");
  head.fields.add("Upload-Offset", std::to_string(floor));
  auto body = some_body(floor, random);
  const auto checked = check_body(head.fields, body, random);
  FakeExchange exchange(std::move(head), std::move(body));
  const auto response = co_await send(handler, exchange);
  const std::array allowed{checked == Checked::wrong ? 460 : 204, 409, 423, 503};
  EXPECT_NE(std::ranges::find(allowed, response.status), allowed.end())
      << response.status << response.body;
  check(upload, floor, response);
}

Awaitable<void> work(Handler& handler, Uploads& all, unsigned seed) {
  std::minstd_rand random(seed);
  for (int i = 0; i < 40; ++i) {
    auto& upload = all.at(random() % uploads);
    if (random() % 3 == 0) {
      co_await look(handler, upload);
    } else {
      co_await write(handler, upload, random);
    }
  }
}

struct Loop {
  ~Loop() {
    guard.reset();
    thread.join();
  }
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard{context.get_executor()};
  std::thread thread{[this] { context.run(); }};
};

struct Storm : ::testing::Test {
  Uploads all;
  std::array<Loop, 3> loops;
  HandlerOptions options;
  HandlerParts parts;

  Storm() {
    options.finish_retry_delay = 40ms;  // so that stops and impatient clients come in between
    options.finish_wait = 20ms;
    options.finish_attempts = 1000;
    parts.store = make_memory_store();
    parts.locker = make_memory_locker();
    parts.hooks = std::make_shared<MoodyHooks>(all);
  }
  asio::any_io_executor loop(std::size_t i) { return loops.at(i % 3).context.get_executor(); }

  template <class T>
  T run(Awaitable<T> task) {
    return asio::co_spawn(loop(0), std::move(task), asio::use_future).get();
  }
  void create(Handler& handler) {
    for (auto& upload : all) {
      auto head = head_of("POST", "/files/");
      head.fields.add("Upload-Length", std::to_string(length));
      FakeExchange exchange(std::move(head), BodyScript());
      const auto made = run(send(handler, exchange));
      ASSERT_EQ(made.status, 201);
      upload.path = made.fields.find("Location")->substr(std::string("http://example.org").size());
    }
  }
  void rage(Handler& handler, unsigned seed) {
    std::vector<std::future<void>> workers;
    for (unsigned i = 0; i < 12; ++i) {
      workers.push_back(
          asio::co_spawn(loop(i), work(handler, all, seed * 100 + i), asio::use_future));
    }
    for (auto& worker : workers) worker.get();
  }
};

TEST_F(Storm,
       NothingIsTakenBackOrFinishedTwice) {  // [CORE-22] [FIN-4] [LOCK-1] [CHECK-58] [DIGEST-2]
  options.digest = WholeDigest::sha256;
  for (unsigned round = 0; round < 12; ++round) {
    Handler handler(options, parts, loop(0));
    if (round == 0) create(handler);
    handler.recover();
    rage(handler, round);
    handler.begin_close();
    run(handler.close(in(30s)));
  }
  Handler handler(options, parts, loop(0));
  std::minstd_rand random(1);
  for (auto& upload : all) {
    const auto until = in(60s);
    while (upload.told < length && !until.passed(std::chrono::steady_clock::now())) {
      run(look(handler, upload));
      run(write(handler, upload, random));
    }
    EXPECT_EQ(upload.told, length);
    EXPECT_EQ(upload.finishes, 1);
    const auto id = UploadId::parse(upload.path.substr(7));
    std::string bytes(length, '\0');
    auto stream = run(parts.store->read(*id, {0, length}, Deadline::never()));
    ASSERT_TRUE(stream);
    for (std::size_t have = 0; have < length;) {
      auto n = run((*stream)->read(std::as_writable_bytes(std::span(bytes)).subspan(have),
                                   Deadline::never()));
      ASSERT_TRUE(n && *n > 0);
      have += *n;
    }
    for (std::uint64_t i = 0; i < length; ++i) ASSERT_EQ(bytes[i], byte_at(i)) << i;
    const auto sha256 =
        digest::digest_of(ChecksumAlgorithm::sha256, std::as_bytes(std::span(bytes)));
    EXPECT_EQ(run(parts.store->inspect(*id, Deadline::never()))->digest.repr,
              "sha-256=:" + protocol::encode_base64(sha256) + ":");
  }
  run(handler.close(in(30s)));
}

}  // namespace
}  // namespace tus::core
