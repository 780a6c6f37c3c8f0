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

}  // namespace

void Router::mount(std::string base_path, RequestFunction function) {
  auto place = std::ranges::find_if(
      mounts_, [&](const Mount& m) { return m.base_path.size() < base_path.size(); });
  mounts_.insert(place, {std::move(base_path), std::move(function)});
}

void Router::mount_plain(std::string path, PlainResponder responder) {
  plain_.push_back({std::move(path), std::move(responder)});
}

Awaitable<void> Router::route(Exchange& exchange) const {
  const auto& head = exchange.head();
  std::string_view path(head.target);
  path = path.substr(0, path.find('?'));
  // An exact path is the more special one: with uploads at "/" there still are metrics.
  for (const auto& mount : plain_) {
    if (path == mount.path) return exchange.send_final(mount.responder(head));
  }
  for (const auto& mount : mounts_) {
    if (is_below(path, mount.base_path)) return mount.function(exchange);
  }
  // OPTIONS * asks for the server as a whole.
  if (path == "*" && !mounts_.empty()) return mounts_.back().function(exchange);
  return exchange.send_final(plain_error(rejection_of(ErrorCode::upload_not_found)));
}

}  // namespace tus::server
