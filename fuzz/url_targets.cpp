// Where a request goes and what clients are told of it: whatever comes out must be fit to stand in a URL that clients
// are sent to, and no id leaves what an id may be.
// [FUZZ-1]
#include "base/ascii.h"
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "protocol/authority.h"
#include "protocol/forwarded.h"
#include "protocol/header_values.h"
#include "protocol/public_url.h"
#include "protocol/route.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace tus::fuzz {

namespace {

void check_hop(const Fields& fields) {
  const auto hop = protocol::first_hop(fields);
  if (!hop) return;
  require(hop->host.empty() || protocol::parse_authority(hop->host).has_value());
  require(hop->scheme.empty() || hop->scheme == "http" || hop->scheme == "https");
  require(hop->client.find_first_of(" \t,;\"\\\r\n") == std::string::npos);
}

// "scheme://host" and a path, or the path alone.
void check_url(std::string_view url) {
  require(protocol::is_field_value(url));
  require(url.ends_with("/files/a"));
  if (const auto mark = url.find("://"); mark != std::string_view::npos) {
    const auto scheme = url.substr(0, mark);
    require(scheme == "http" || scheme == "https");
    url.remove_prefix(mark + 3);
    const auto host = url.substr(0, url.find('/'));
    require(protocol::parse_authority(host).has_value());
    url.remove_prefix(host.size());
  }
  require(url.starts_with('/') && url.find("//") == std::string_view::npos);
  require(url.find_first_of(" \\?#\"<>%") == std::string_view::npos);
  require(url.find("/.") == std::string_view::npos);
}

std::string host_of(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  std::string host(url.substr(0, url.find('/')));
  for (auto& c : host) c = base::to_lower(c);
  return host;
}

bool is_allowed(const std::string& host) {
  return host == "a.example" || host.starts_with("a.example:") || host.ends_with(".b.example:81");
}

void check_urls(const RequestHead& head) {
  LocationOptions options;
  const auto id = *UploadId::parse("a");
  check_url(protocol::public_url(head, options, "/files/", id));
  options.behind_proxy = true;
  check_url(protocol::public_url(head, options, "/files/", id));
  options.relative = true;
  require(protocol::public_url(head, options, "/files/", id).starts_with('/'));
  options.relative = false;
  options.allowed_hosts = {"a.example", "*.b.example:81"};
  const auto url = protocol::public_url(head, options, "/files/", id);
  check_url(url);
  require(url.starts_with('/') || is_allowed(host_of(url)));
}

// What docs and the design promise of ids, once more in other words.
void check_id(const std::string& id) {
  require(!id.empty() && id.size() <= 1024);
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~+=@,-/";
  require(id.find_first_not_of(allowed) == std::string::npos);
  std::string_view rest = id;
  for (bool last = false; !last;) {
    const auto end = std::min(rest.find('/'), rest.size());
    const auto segment = rest.substr(0, end);
    require(!segment.empty() && segment.size() <= 200 && segment.front() != '.');
    for (const auto* suffix : {".info", ".lock", ".stop", ".part"}) {
      require(!segment.ends_with(suffix));
    }
    last = end == rest.size();
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void check_authority(std::string_view text) {
  const auto parsed = protocol::parse_authority(text);
  if (!parsed) return;
  require(!parsed->host.empty() && fits_a_header(text));
  require(text.find_first_of(" \t/?#@\\\"<>") == std::string_view::npos);
  require(std::ranges::all_of(parsed->port, base::is_digit));
  std::string again(parsed->host);
  if (text.size() > again.size()) again.append(":").append(parsed->port);
  require(again == text);
  const auto once_more = protocol::parse_authority(again);
  require(once_more && once_more->host == parsed->host && once_more->port == parsed->port);
}

}  // namespace

// Host.
void authority(std::string_view input) {
  const std::string text(input);
  check_authority(text);
  if (protocol::is_ipv4(text)) {
    require(std::ranges::count(text, '.') == 3 && protocol::parse_authority(text).has_value());
  }
  if (protocol::is_ipv6(text)) {
    require(text.contains(':') && protocol::parse_authority("[" + text + "]").has_value());
  }
}

// One field a line, in turn: Forwarded, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix, Host.
void forwarded(std::string_view input) {
  static constexpr const char* names[] = {"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto",
                                          "X-Forwarded-Prefix"};
  RequestHead head;
  std::size_t number = 0;
  for (auto& line : lines_of(input)) {
    if (number % 5 == 4) {
      head.host = line;
    } else {
      head.fields.add(names[number % 5], line);
    }
    ++number;
  }
  check_hop(head.fields);
  check_urls(head);
}

// A request target; a base path.
void route(std::string_view input) {
  const auto lines = lines_of(input);
  const auto target = line_of(lines, 0);
  const auto base_path = "/" + line_of(lines, 1) + "/";
  for (const std::string& base : {std::string("/files/"), std::string("/"), base_path}) {
    const auto found = protocol::find_route(target, base);
    require((found.resource == protocol::Resource::upload) == !found.id.empty());
    if (found.resource != protocol::Resource::upload) continue;
    check_id(found.id.str());
    // Every id has one URL that needs no encoding, and no query is part of it.
    const auto again = protocol::find_route(base + found.id.str(), base);
    require(again.resource == protocol::Resource::upload && again.id == found.id);
    const auto path = target.substr(0, target.find('?'));
    require(std::ranges::count(path, '/') ==
            std::ranges::count(base, '/') + std::ranges::count(found.id.str(), '/'));
  }
  if (const auto id = UploadId::parse(target)) {
    require(id->str() == target);
    check_id(target);
  }
}

}  // namespace tus::fuzz
