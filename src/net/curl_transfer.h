// One request and its reply, as curl sees it.
#pragma once

#include "async/event.h"
#include "net/call_flow.h"
#include "net/http_client.h"
#include "net/sent_pieces.h"

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

namespace tus::net {

struct CurlFree {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

// Belongs to the strand of its loop, but for `forget_body()`, `done()` and, once that is set, `take_result()`.
class CurlTransfer {
 public:
  CurlTransfer(HttpRequest request, Deadline deadline)
      : request_(std::move(request)), pieces_(std::move(request_.pieces)), deadline_(deadline) {}

  // Its bytes go through `flow`; nobody waits for `done()`.
  CurlTransfer(HttpRequest request, std::shared_ptr<CallFlow> flow,
               std::optional<std::uint64_t> body_size)
      : request_(std::move(request)),
        pieces_(std::move(request_.pieces)),
        flow_(std::move(flow)),
        flow_size_(body_size),
        deadline_(Deadline::never()) {}

  // Makes the handle; an error when the request is unfit.
  Status prepare(const HttpClientOptions& options);
  CURL* easy() const noexcept { return easy_.get(); }
  Deadline deadline() const noexcept { return deadline_; }

  // What came of it when curl says that it is over.
  Result<HttpReply> outcome(CURLcode code);
  std::chrono::seconds stall() const noexcept { return request_.stall; }
  // Bytes that curl has sent and received for it; none: it has no connection yet.
  std::optional<curl_off_t> moved() const noexcept;
  // How far it is, for the error of a call that takes too long.
  std::string_view stage() const noexcept;

  // The handle must not be curl's any more.
  void finish(Result<HttpReply> result);
  bool finished() const noexcept { return result_.has_value(); }

  // Once this has returned, nothing looks at the pieces of the body any more.
  void forget_body() noexcept { pieces_.forget(); }

  Event& done() noexcept { return done_; }
  Result<HttpReply> take_result() { return std::move(*result_); }

 private:
  template <class T>
  void set(CURLoption option, T value);
  Status set_fields();
  void set_method();
  void set_body();
  void set_flow();
  void tell_head();
  void set_connection(const HttpClientOptions& options);
  void on_header(std::string_view line);
  bool on_body(std::string_view bytes);
  static std::size_t header_from_curl(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t body_from_curl(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t body_to_curl(char* into, std::size_t size, std::size_t count, void* self);
  static std::size_t flow_to_curl(char* into, std::size_t size, std::size_t count, void* self);
  static std::size_t flow_from_curl(char* data, std::size_t size, std::size_t count, void* self);
  static int seek_from_curl(void* self, curl_off_t offset, int origin);

  HttpRequest request_;
  SentPieces pieces_;
  std::shared_ptr<CallFlow> flow_;          // null: request and reply are held whole
  std::optional<std::uint64_t> flow_size_;  // of a body that comes through it
  Deadline deadline_;
  std::unique_ptr<CURL, CurlFree> easy_;
  std::unique_ptr<curl_slist, CurlFree> fields_;
  std::array<char, CURL_ERROR_SIZE> why_{};
  CURLcode refused_option_ = CURLE_OK;

  HttpReply reply_;
  bool head_is_complete_ = false;
  std::size_t head_size_ = 0;  // of all heads, with those of interim replies and redirects
  bool overlong_ = false;

  std::optional<Result<HttpReply>> result_;
  Event done_;
};

}  // namespace tus::net
