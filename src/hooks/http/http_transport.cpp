#include "hooks/http/http_transport.h"

#include "async/event.h"
#include "async/task_group.h"
#include "base/ascii.h"
#include "hooks/http/signature.h"
#include "hooks/http/verdict.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::hooks {

namespace {

using std::chrono::steady_clock;

// As many as Go's client follows.
constexpr int max_redirects = 10;

// Ours to say, or about a connection that is not this one; Go's client leaves them out, too.
bool is_forwardable(std::string_view name) {
  constexpr auto never = std::to_array<std::string_view>(
      {"Connection", "Content-Length", "Content-Type", "Expect", "Hook-Name", "Host", "Keep-Alive",
       "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding",
       "Tus-Event-Id", "Tus-Signature", "Upgrade"});
  return std::ranges::none_of(never,
                              [&](auto other) { return base::equals_ignoring_case(other, name); });
}

net::HttpClientOptions client_options(const HttpHookOptions& options) {
  net::HttpClientOptions client;
  client.tls = options.tls;
  client.proxies = options.proxies;
  client.connections_per_host = options.connections;
  client.connections = options.connections;
  // All of a crowd that has waited comes back: a connection for each call would be most of its cost.
  client.idle_connections = options.connections;
  return client;
}

class HttpTransport final : public Transport {
 public:
  HttpTransport(HttpHookOptions options, const asio::any_io_executor& executor,
                std::shared_ptr<Logger> logger)
      : options_(std::move(options)),
        logger_(std::move(logger)),
        client_(executor, client_options(options_)) {
    if (!options_.clock) options_.clock = std::make_shared<SystemClock>();
    std::erase_if(options_.forward_headers, [](const auto& name) { return !is_forwardable(name); });
  }

  HookTransport kind() const noexcept override { return HookTransport::http; }
  Awaitable<Result<TransportReply>> call(Envelope envelope, Deadline deadline) override {
    deadline = deadline.sooner(Deadline::after(steady_clock::now(), options_.timeout));
    const auto request = request_of(envelope);
    for (int attempt = 1;; ++attempt) {
      if (closing_.is_set()) co_return fail(ErrorCode::server_shutdown, "HTTP hooks are closed");
      auto reply = co_await client_.send(with_signature(request), deadline);
      auto verdict = judge_or_failure(envelope, std::move(reply));
      if (!verdict) co_return fail(verdict.error());
      if (verdict->outcome == Outcome::answered) {
        if (!verdict->complaint.empty())
          log(LogLevel::warn, "HookReplyIgnored", envelope, attempt, *verdict);
        co_return std::move(verdict->reply);
      }
      const auto next = Deadline::after(steady_clock::now(), options_.backoff);
      const bool is_last = verdict->outcome == Outcome::failed || attempt >= options_.attempts ||
                           next.when() >= deadline.when();
      if (is_last && verdict->stands) co_return std::move(verdict->reply);
      if (is_last)
        co_return fail(ErrorCode::store_unavailable, verdict->complaint + " (attempt " +
                                                         std::to_string(attempt) + " of " +
                                                         std::to_string(options_.attempts) + ")");
      log(LogLevel::info, "HookAttemptFailed", envelope, attempt, *verdict);
      co_await closing_.wait(next);
    }
  }

  Awaitable<void> close(Deadline deadline) override {
    closing_.set();
    co_await client_.close(deadline.sooner(Deadline::at(steady_clock::now())));
  }

 private:
  net::HttpRequest request_of(const Envelope& envelope) const {
    net::HttpRequest request;
    request.method = "POST";
    request.url = options_.url;
    request.body = envelope.body;
    request.reply_limit = options_.size_limit;
    request.overlong = net::Overlong::is_cut;
    request.max_redirects = max_redirects;
    for (const auto& name : options_.forward_headers) {
      for (const auto& field : envelope.request_fields) {
        if (base::equals_ignoring_case(field.name, name)) request.fields.add(name, field.value);
      }
    }
    request.fields.add("Content-Type", "application/json");
    request.fields.add("Tus-Event-Id", envelope.event_id);
    if (options_.format == Format::legacy) request.fields.add("Hook-Name", envelope.event_name);
    return request;
  }

  // Of this moment: receivers refuse what is old, and an attempt may come long after the first.
  net::HttpRequest with_signature(net::HttpRequest request) const {
    if (!options_.secret.empty())
      request.fields.add("Tus-Signature",
                         signature(options_.secret, options_.clock->wall(), request.body));
    return request;
  }

  // No reply at all is worth another attempt, unless there will be none.
  Result<Verdict> judge_or_failure(const Envelope& envelope, Result<net::HttpReply> reply) const {
    if (reply) return judge(options_.format, envelope.event_name, std::move(*reply));
    if (reply.error().code() != ErrorCode::store_unavailable) return fail(std::move(reply.error()));
    Verdict verdict;
    verdict.outcome = Outcome::retried;
    verdict.complaint = reply.error().detail();
    return verdict;
  }

  void log(LogLevel level, std::string_view event, const Envelope& envelope, int attempt,
           const Verdict& verdict) const {
    if (!logger_->enabled(level)) return;
    logger_->log(level, event,
                 {{"type", envelope.event_name},
                  {"id", envelope.upload_id},
                  {"eventId", envelope.event_id},
                  {"attempt", std::to_string(attempt), LogKind::number},
                  {"error", verdict.complaint}});
  }

  HttpHookOptions options_;
  std::shared_ptr<Logger> logger_;
  Event closing_;
  net::HttpClient client_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(HttpHookOptions options,
                                               const asio::any_io_executor& executor,
                                               std::shared_ptr<Logger> logger) {
  return std::make_unique<HttpTransport>(std::move(options), executor, std::move(logger));
}

}  // namespace tus::hooks
