#include "core/access.h"

#include "base/ascii.h"
#include "protocol/tus_v1.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::core {

namespace {

constexpr std::size_t most_cached = 10'000;

// Of the pieces of one upload, or of no meaning for who somebody is.
constexpr std::array<std::string_view, 18> other_every_time{
    "content-length",    "content-type",    "date",          "expect",
    "if-match",          "if-none-match",   "if-range",      "range",
    "tracestate",        "traceparent",     "trailer",       "te",
    "upload-offset",     "upload-checksum", "upload-length", "x-request-id",
    "transfer-encoding", "connection"};

bool tells_who(std::string_view name) {
  return std::ranges::none_of(other_every_time, [name](std::string_view other) {
    return base::equals_ignoring_case(name, other);
  });
}

void add_part(std::string& key, std::string_view part) {
  key.append(std::to_string(part.size())).append(":").append(part);
}

std::vector<UploadId> uploads_of(const Command& command) {
  if (const auto* append = std::get_if<AppendCommand>(&command)) return {append->id};
  if (const auto* inspect = std::get_if<InspectCommand>(&command)) return {inspect->id};
  if (const auto* end = std::get_if<TerminateCommand>(&command)) return {end->id};
  if (const auto* read = std::get_if<ReadCommand>(&command)) return {read->id};
  if (const auto* create = std::get_if<CreateCommand>(&command)) return create->parts;
  return {};
}

}  // namespace

bool AccessCache::has(const std::string& key, Deadline::Point now) {
  std::lock_guard lock(mutex_);
  const auto found = until_.find(key);
  if (found == until_.end()) return false;
  if (found->second > now) return true;
  until_.erase(found);
  return false;
}

void AccessCache::add(std::string key, Deadline::Point now, Deadline::Point until) {
  std::lock_guard lock(mutex_);
  if (until_.size() >= most_) {
    std::erase_if(until_, [now](const auto& entry) { return entry.second <= now; });
  }
  if (until_.size() >= most_) until_.erase(until_.begin());
  until_.insert_or_assign(std::move(key), until);
}

std::string access_key(const UploadId& id, const RequestHead& head) {
  std::string key;
  add_part(key, id.str());
  add_part(key, protocol::effective_method(head));
  add_part(key, head.target);
  add_part(key, head.host);
  // Without the port, which is another one for every connection.
  add_part(key, std::string_view(head.remote_address).substr(0, head.remote_address.rfind(':')));
  for (const auto& [name, value] : head.fields) {
    if (!tells_who(name)) continue;
    add_part(key, name);
    add_part(key, value);
  }
  return key;
}

Access::Access(const HandlerOptions& options, const HandlerParts& parts)
    : context_{parts, options}, cache_(most_cached) {}

Awaitable<std::optional<Outcome>> Access::refusal(const Command& command, const RequestHead& head) {
  for (auto& id : uploads_of(command)) {
    auto refused = co_await refusal_for(std::move(id), head);
    if (refused) co_return refused;
  }
  co_return std::nullopt;
}

Awaitable<std::optional<Outcome>> Access::refusal_for(UploadId id, const RequestHead& head) {
  const auto lifetime = context_.options.access_cache;
  auto key = lifetime.count() > 0 ? access_key(id, head) : std::string();
  auto& clock = *context_.parts.clock;
  if (!key.empty() && cache_.has(key, clock.now())) co_return std::nullopt;

  const auto deadline = Deadline::after(clock.now(), context_.options.store_timeout);
  auto info = co_await context_.parts.store->inspect(std::move(id), deadline);
  if (!info) co_return Outcome(std::move(info.error()));
  auto reply = co_await ask_hook(context_, HookEvent::pre_access, *info, head);
  if (!reply) co_return Outcome(std::move(reply.error()));
  if (!reply->reject) {
    if (!key.empty())
      cache_.add(std::move(key), clock.now(), Deadline::after(clock.now(), lifetime).when());
    co_return std::nullopt;
  }
  Outcome refused{Error(ErrorCode::access_rejected)};
  refused.hook_response = shared(std::move(reply->response));
  co_return refused;
}

}  // namespace tus::core
