#include "stores/s3/client/request_faults_test_kit.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/evp.h>

#include <array>
#include <chrono>
#include <optional>
#include <stdexcept>

namespace tus::s3::test {

namespace {

// What a fault says in place of an answer.
std::optional<Failure> failure_of(Fault fault, const std::string& what) {
  switch (fault) {
    case Fault::fails:
      return Failure(Trouble::unavailable, what + ": 503 SlowDown");
    case Fault::breaks_off:
    case Fault::answer_lost:
      return Failure(Trouble::unavailable, what + ": connection reset");
    case Fault::hangs:
    case Fault::hangs_done:
      return Failure(Trouble::unavailable, what + ": timed out");
    case Fault::missing:
      return Failure(Trouble::missing, what + ": 404 NoSuchKey");
    case Fault::refused:
      return Failure(Trouble::refused, what + ": 403 AccessDenied");
    case Fault::none:
    case Fault::held:
    case Fault::done_twice:
      break;
  }
  return std::nullopt;
}

bool is_done(Fault fault) {
  return fault == Fault::none || fault == Fault::answer_lost || fault == Fault::hangs_done ||
         fault == Fault::held || fault == Fault::done_twice;
}

std::string whole(const Request& request) {
  return std::string(name_of(request.operation)) + " " + request.what;
}

}  // namespace

std::string text_of(const ObjectName& name) { return name.bucket + "/" + name.key; }
std::string text_of(const MultipartName& upload) {
  return text_of(upload.name) + "+" + upload.upload;
}
std::string text_of(const MultipartName& upload, std::uint32_t number) {
  return text_of(upload) + "#" + std::to_string(number);
}

std::string etag_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) != 1) {
    throw std::runtime_error("there is no MD5");
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string etag = "\"";
  for (unsigned i = 0; i < size; ++i) {
    etag += digits[digest[i] >> 4];
    etag += digits[digest[i] & 15];
  }
  return etag + '"';
}

std::string_view bare(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') {
    etag.remove_prefix(1);
    etag.remove_suffix(1);
  }
  return etag;
}

std::string bytes_of(const Payload& payload) {
  std::string bytes;
  bytes.reserve(static_cast<std::size_t>(payload.size()));
  for (const auto& piece : payload.pieces) {
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  return bytes;
}

Awaitable<void> travel() {
  auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

// Real time, however the clock of the test is moved: the deadline is in the time of that clock.
Awaitable<bool> RequestWay::wait(Deadline deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  auto hold = faults_.begin_hold();
  while (!faults_.is_let_go(hold) && !deadline.passed(clock_.now())) {
    timer.expires_after(std::chrono::milliseconds(1));
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  faults_.end_hold();
  co_return !deadline.passed(clock_.now());
}

Awaitable<Answer<void>> RequestWay::there(const Request& request, Fault fault, Deadline deadline) {
  if (deadline.passed(clock_.now())) fault = Fault::hangs;
  if (fault == Fault::hangs) (void)co_await wait(deadline);
  if (fault == Fault::held && !co_await wait(deadline)) fault = Fault::hangs;
  if (is_done(fault)) co_return Answer<void>();
  co_await travel();
  co_return std::unexpected(*failure_of(fault, whole(request)));
}

Awaitable<Answer<void>> RequestWay::back(const Request& request, Fault fault, Deadline deadline) {
  if (fault == Fault::hangs_done) (void)co_await wait(deadline);
  co_await travel();
  if (auto lost = failure_of(fault, whole(request))) co_return std::unexpected(*std::move(lost));
  co_return Answer<void>();
}

}  // namespace tus::s3::test
