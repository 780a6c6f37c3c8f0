#include "protocol/public_url.h"

#include "base/ascii.h"
#include "protocol/authority.h"
#include "protocol/forwarded.h"

#include <algorithm>

namespace tus::protocol {

namespace {

constexpr std::size_t longest_prefix = 1024;

// The first of what may be a list, from the first field of this name.
std::string_view first_value(const Fields& fields, std::string_view name) {
  const auto* field = fields.find(name);
  if (field == nullptr) return {};
  const std::string_view value = *field;
  return base::trim(value.substr(0, value.find(',')));
}

bool is_prefix_character(char c) noexcept {
  return base::is_alpha(c) || base::is_digit(c) || std::string_view("-._~!$&'()*+=:@/").contains(c);
}

// "//host" is no path for who resolves it, and dots move about.
bool is_prefix(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, is_prefix_character) &&
         !text.contains("//") && !text.contains("/.");
}

bool is_allowed_by(const Authority& rule, const Authority& asked) {
  if (!rule.port.empty() && rule.port != asked.port) return false;
  if (!rule.host.starts_with("*.")) return base::equals_ignoring_case(rule.host, asked.host);
  const auto domain = rule.host.substr(1);
  return asked.host.size() > domain.size() &&
         base::equals_ignoring_case(asked.host.substr(asked.host.size() - domain.size()), domain);
}

bool may_be_told(std::string_view host, const LocationOptions& options) {
  const auto asked = parse_authority(host);
  if (!asked) return false;
  const auto allows = [&](const std::string& text) {
    const auto rule = parse_authority(text);
    return rule && is_allowed_by(*rule, *asked);
  };
  return options.allowed_hosts.empty() || std::ranges::any_of(options.allowed_hosts, allows);
}

std::string_view without_default_port(std::string_view host, std::string_view scheme) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(port)) host.remove_suffix(port.size());
  return host;
}

// As Go's tusd: Forwarded counts more than X-Forwarded-*, and that more than the request itself.
std::string forwarded_origin(const RequestHead& head, const LocationOptions& options) {
  const auto hop = first_hop(head.fields).value_or(ForwardedHop());
  std::string_view scheme = hop.scheme;
  if (scheme.empty()) scheme = known_scheme(first_value(head.fields, "X-Forwarded-Proto"));
  if (scheme.empty()) scheme = head.scheme;
  for (const std::string_view host :
       {std::string_view(hop.host), first_value(head.fields, "X-Forwarded-Host"),
        std::string_view(head.host)}) {
    if (!may_be_told(host, options)) continue;
    return std::string(scheme) + "://" + std::string(without_default_port(host, scheme));
  }
  return {};
}

std::string origin_of(const RequestHead& head, const LocationOptions& options) {
  if (options.relative) return {};
  if (!options.origin.empty()) return options.origin;
  if (options.behind_proxy) return forwarded_origin(head, options);
  if (!may_be_told(head.host, options)) return {};
  return head.scheme + "://" + head.host;
}

}  // namespace

std::string public_prefix(const RequestHead& head, const LocationOptions& options) {
  std::string prefix;
  // Who knows the whole URL needs nobody to tell what it begins with.
  if (!options.behind_proxy || !options.origin.empty()) return prefix;
  for (const auto& field : head.fields) {
    if (!base::equals_ignoring_case(field.name, "X-Forwarded-Prefix")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto end = std::min(rest.find(','), rest.size());
      auto part = base::trim(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (part.empty()) continue;
      if (!is_prefix(part) || prefix.size() + part.size() > longest_prefix) return {};
      if (part.ends_with('/')) part.remove_suffix(1);
      prefix += part;
    }
  }
  return prefix;
}

std::string public_url(const RequestHead& head, const LocationOptions& options,
                       std::string_view base_path, const UploadId& id) {
  auto url = origin_of(head, options);
  url += public_prefix(head, options);
  url += base_path;
  url += id.str();
  return url;
}

}  // namespace tus::protocol
