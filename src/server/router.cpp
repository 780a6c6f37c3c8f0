#include "server/router.h"

#include "server/response_writer.h"

#include <algorithm>
#include <utility>

namespace tus::server {

namespace {

bool is_below(std::string_view path, std::string_view base) {
  if (path.starts_with(base)) return true;
  return path.size() + 1 == base.size() && base.starts_with(path);
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

// Called with what the router keeps.
Awaitable<void> answer(const WaitingResponder& responder, Exchange& exchange) {
  auto response = co_await responder(exchange.head());
  co_await exchange.send_final(std::move(response));
}

}  // namespace

void Router::mount(std::string base_path, RequestFunction function, RefusalFunction refuse) {
  auto place = std::ranges::find_if(
      mounts_, [&](const Mount& m) { return m.base_path.size() < base_path.size(); });
  mounts_.insert(place, {std::move(base_path), std::move(function), std::move(refuse)});
}

void Router::mount_plain(std::string path, PlainResponder responder) {
  plain_.push_back({std::move(path), [responder = std::move(responder)](Exchange& exchange) {
                      return exchange.send_final(responder(exchange.head()));
                    }});
}

void Router::mount_waiting(std::string path, WaitingResponder responder) {
  plain_.push_back({std::move(path), [responder = std::move(responder)](Exchange& exchange) {
                      return answer(responder, exchange);
                    }});
}

bool Router::is_exact(std::string_view target) const noexcept {
  return std::ranges::any_of(
      plain_, [path = path_of(target)](const PlainMount& mount) { return mount.path == path; });
}

const Router::Mount* Router::find_mount(std::string_view path) const noexcept {
  for (const auto& mount : mounts_) {
    if (is_below(path, mount.base_path)) return &mount;
  }
  // OPTIONS * asks for the server as a whole.
  return path == "*" && !mounts_.empty() ? &mounts_.back() : nullptr;
}

Awaitable<void> Router::refuse(Exchange& exchange, ErrorCode why) const {
  const auto* mount = find_mount(path_of(exchange.head().target));
  if (mount != nullptr && mount->refuse) return mount->refuse(exchange, why);
  return exchange.send_final(plain_error(rejection_of(why)));
}

Awaitable<void> Router::route(Exchange& exchange) const {
  const auto path = path_of(exchange.head().target);
  // An exact path is the more special one: with uploads at "/" there still are metrics.
  for (const auto& mount : plain_) {
    if (path == mount.path) return mount.function(exchange);
  }
  if (const auto* mount = find_mount(path)) return mount->function(exchange);
  return exchange.send_final(plain_error(rejection_of(ErrorCode::upload_not_found)));
}

}  // namespace tus::server
