#include "core/access.h"
#include "core/reads.h"
#include "core/request_log.h"
#include "core/upload_service.h"
#include "protocol/cors.h"
#include "protocol/tus_v1.h"

#include <tus/handler.h>

#include <exception>
#include <expected>
#include <stdexcept>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace {

class NoHooks final : public Hooks {
 public:
  bool wants(HookEvent) const noexcept override { return false; }
  Awaitable<Result<HookReply>> ask(HookMessage, Deadline) override { co_return HookReply(); }
  Awaitable<Result<HookTicket>> promise(HookMessage, Deadline) override { co_return HookTicket(); }
  void happened(HookTicket) noexcept override {}
  void withdraw(HookTicket) noexcept override {}
};

// Of the upload that a request was about, as far as there is one.
std::string_view id_of(const Command& command, const Outcome& outcome) {
  if (outcome.upload) return outcome.upload->id.str();
  if (auto* append = std::get_if<AppendCommand>(&command)) return append->id.str();
  if (auto* inspect = std::get_if<InspectCommand>(&command)) return inspect->id.str();
  if (auto* end = std::get_if<TerminateCommand>(&command)) return end->id.str();
  if (auto* read = std::get_if<ReadCommand>(&command)) return read->id.str();
  return {};
}

Awaitable<Outcome> nothing_to_do() { co_return Outcome(); }

HandlerOptions checked(HandlerOptions options) {
  const auto& path = options.base_path;
  if (path.empty() || path.front() != '/' || path.back() != '/') {
    throw std::invalid_argument("base_path must begin and end with '/'");
  }
  if (options.expire_after.count() < 0) {
    throw std::invalid_argument("expire_after must not be negative");
  }
  if (options.location.origin.ends_with('/'))
    throw std::invalid_argument("the origin of locations ends before the path");
  if (options.finish_attempts == 0)
    throw std::invalid_argument("finish_attempts must be at least 1");
  if (!options.live) {
    options.live = std::make_shared<LiveSettings>();
    options.live->max_size = options.max_size;
    options.live->acquire_lock_timeout = options.acquire_lock_timeout;
  }
  return options;
}

HandlerParts completed(HandlerParts parts) {
  if (!parts.store || !parts.locker)
    throw std::invalid_argument("a handler needs a store and a locker");
  if (!parts.hooks) parts.hooks = std::make_shared<NoHooks>();
  if (!parts.clock) parts.clock = std::make_shared<SystemClock>();
  if (!parts.logger) parts.logger = std::make_shared<NoLogger>();
  if (!parts.metrics) parts.metrics = std::make_shared<NoMetrics>();
  return parts;
}

protocol::TusOptions protocol_options(const HandlerOptions& options, const Store& store) {
  protocol::TusOptions result;
  result.base_path = options.base_path;
  result.location = options.location;
  result.can_defer_length = store.capabilities().defer_length;
  result.can_terminate = store.capabilities().terminate && options.allow_termination;
  result.can_download = options.allow_download;
  result.can_check = store.capabilities().staged_append;
  result.expire_after = options.expire_after;
  result.can_concatenate = store.capabilities().concatenate && options.concatenation;
  return result;
}

}  // namespace

class Handler::Impl {
 public:
  Impl(HandlerOptions options, HandlerParts parts, asio::any_io_executor background)
      : options_(checked(std::move(options))),
        parts_(completed(std::move(parts))),
        protocol_(protocol_options(options_, *parts_.store)),
        cors_(options_.cors),
        access_(options_, parts_),
        service_(options_, parts_, std::move(background)) {}

  Awaitable<void> handle(Exchange& exchange);
  Awaitable<void> refuse(Exchange& exchange, ErrorCode why) const;

  core::UploadService& service() { return service_; }
  const protocol::TusV1& protocol() const { return protocol_; }

 private:
  Awaitable<Outcome> carry_out(const Command& command, Exchange& exchange);
  // Coroutines of their own: what they need is not kept for every upload that is stalled in carry_out().
  Awaitable<void> refuse(Response refusal, Exchange& exchange) const;
  Awaitable<void> tell(const Command& command, const Outcome& outcome, Exchange& exchange) const;
  // False: it was refused, and answered.
  Awaitable<bool> may(const Command& command, Exchange& exchange);
  // Commands whose answer is an upload's content.
  Awaitable<void> handle_read(const Command& command, Exchange& exchange);
  std::expected<Command, Response> plan(const RequestHead& head) const;
  // What is not found may be what has expired.
  void remember_departed(std::string_view id, Error& error) const;
  // Completes and reports an answer that is ready to be sent.
  Response made_ready(const RequestHead& head, std::string_view id, Response response,
                      const Error* cause) const;
  // `id` may be empty, `cause` nullptr.
  void report(const RequestHead& head, std::string_view id, const Response& response,
              const Error* cause) const;

  HandlerOptions options_;
  HandlerParts parts_;
  protocol::TusV1 protocol_;
  protocol::Cors cors_;
  core::Access access_;
  core::UploadService service_;
};

Awaitable<void> Handler::Impl::handle(Exchange& exchange) {
  const auto& head = exchange.head();
  parts_.metrics->request(protocol::effective_method(head));
  core::log_request(parts_, head);
  auto planned = plan(head);
  if (!planned) co_return co_await refuse(std::move(planned.error()), exchange);
  if (auto* describe = std::get_if<DescribeCommand>(&*planned)) {
    describe->max_size = options_.live->max_size;
  }
  if (access_.is_asked() && !co_await may(*planned, exchange)) co_return;
  if (std::holds_alternative<ReadCommand>(*planned)) {
    co_return co_await handle_read(*planned, exchange);
  }
  Outcome outcome;
  try {
    outcome = co_await carry_out(*planned, exchange);
  } catch (const std::exception& error) {
    outcome = Outcome(Error(ErrorCode::internal, error.what()));
  }
  if (outcome.error) remember_departed(id_of(*planned, outcome), *outcome.error);
  co_await tell(*planned, outcome, exchange);
}

Awaitable<bool> Handler::Impl::may(const Command& command, Exchange& exchange) {
  std::optional<Outcome> refusal;
  try {
    refusal = co_await access_.refusal(command, exchange.head());
  } catch (const std::exception& error) {
    refusal = Outcome(Error(ErrorCode::internal, error.what()));
  }
  if (!refusal) co_return true;
  if (refusal->error) remember_departed(id_of(command, *refusal), *refusal->error);
  co_await tell(command, *refusal, exchange);
  co_return false;
}

Awaitable<void> Handler::Impl::refuse(Exchange& exchange, ErrorCode why) const {
  const auto& head = exchange.head();
  parts_.metrics->request(protocol::effective_method(head));
  core::log_request(parts_, head);
  const Error cause(why);
  co_await exchange.send_final(made_ready(head, "", protocol_.render_error(head, why), &cause));
}

std::expected<Command, Response> Handler::Impl::plan(const RequestHead& head) const {
  if (!cors_.refuses(head)) return protocol_.plan(head);
  return std::unexpected(protocol_.render_error(head, ErrorCode::origin_not_allowed));
}

Awaitable<void> Handler::Impl::refuse(Response refusal, Exchange& exchange) const {
  co_await exchange.send_final(made_ready(exchange.head(), "", std::move(refusal), nullptr));
}

Awaitable<void> Handler::Impl::tell(const Command& command, const Outcome& outcome,
                                    Exchange& exchange) const {
  const auto& head = exchange.head();
  auto response =
      made_ready(head, id_of(command, outcome), protocol_.render(head, command, outcome),
                 outcome.error ? &*outcome.error : nullptr);
  co_await exchange.send_final(std::move(response));
}

Awaitable<void> Handler::Impl::handle_read(const Command& command, Exchange& exchange) {
  const auto& head = exchange.head();
  const auto& id = std::get<ReadCommand>(command).id;
  Result<core::Download> opened = core::Download();
  try {
    opened = co_await core::open_download(options_, parts_, id, head);
  } catch (const std::exception& error) {
    opened = fail(ErrorCode::internal, error.what());
  }
  if (!opened) {
    remember_departed(id.str(), opened.error());
    auto refusal = protocol_.render(head, command, Outcome(opened.error()));
    co_return co_await exchange.send_final(
        made_ready(head, id.str(), std::move(refusal), &opened.error()));
  }
  auto response = made_ready(head, id.str(), std::move(opened->head), nullptr);
  if (!opened->content) co_return co_await exchange.send_final(std::move(response));
  co_await exchange.send_content(std::move(response), *std::move(opened->content));
}

void Handler::Impl::remember_departed(std::string_view id, Error& error) const {
  const bool was_here = error == ErrorCode::upload_not_found && service_.has_departed(id);
  if (was_here) error = Error(ErrorCode::upload_gone);
}

Response Handler::Impl::made_ready(const RequestHead& head, std::string_view id, Response response,
                                   const Error* cause) const {
  cors_.complete(head, response);
  report(head, id, response, cause);
  return response;
}

Awaitable<Outcome> Handler::Impl::carry_out(const Command& command, Exchange& exchange) {
  const core::Request request{exchange.head(), exchange.body(), exchange};
  if (auto* append = std::get_if<AppendCommand>(&command)) return service_.append(*append, request);
  if (auto* create = std::get_if<CreateCommand>(&command)) return service_.create(*create, request);
  if (auto* inspect = std::get_if<InspectCommand>(&command))
    return service_.inspect(*inspect, request);
  if (auto* end = std::get_if<TerminateCommand>(&command)) return service_.terminate(*end, request);
  return nothing_to_do();
}

void Handler::Impl::report(const RequestHead& head, std::string_view id, const Response& response,
                           const Error* cause) const {
  if (response.error) {
    parts_.metrics->error(*response.error);
    core::log_error(parts_, head, id, response, cause);
  }
  core::log_response(parts_, head, id, response);
}

Handler::Handler(HandlerOptions options, HandlerParts parts, asio::any_io_executor background)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(parts), std::move(background))) {}

Handler::~Handler() = default;

Awaitable<void> Handler::handle(Exchange& exchange) { return impl_->handle(exchange); }
Awaitable<void> Handler::refuse(Exchange& exchange, ErrorCode why) {
  return impl_->refuse(exchange, why);
}
void Handler::recover() { impl_->service().start_recovery(); }
Awaitable<Result<SweepReport>> Handler::sweep() {
  return impl_->service().sweep(core::UploadService::SweepPace::fast);
}
void Handler::begin_close() noexcept { impl_->service().begin_close(); }
Awaitable<void> Handler::close(Deadline deadline) { return impl_->service().close(deadline); }
std::string Handler::extensions() const { return impl_->protocol().extensions(); }

TUS_NAMESPACE_END
