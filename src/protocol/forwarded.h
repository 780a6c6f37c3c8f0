// What a proxy in front says of the request that it passes on: Forwarded, by the grammar of RFC 7239.
#pragma once

#include <tus/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace tus::protocol {

// One hop. What it does not say, or says in a form that means nothing, is empty.
struct ForwardedHop {
  std::string client;  // "for": "192.0.2.60", "[2001:db8::1]:4711", "unknown", "_hidden"
  std::string host;    // a valid host[:port]
  std::string scheme;  // "http" or "https"
};

// The first hop: what the proxy next to the client has said. Nothing when there is none, or when it cannot be
// read for certain: a quote that does not end, a parameter that comes twice, no pair at all. Beyond the
// grammar ':', '[' and ']' may stand outside of quotes, because configurations write host=a:8080 and Go's
// tusd understands it; what a value may be is checked all the same.
std::optional<ForwardedHop> first_hop(const Fields& fields);

// Who the client is, as the proxy next to us has seen it: an address, perhaps with a port, or a name that hides one. From
// Forwarded, else X-Forwarded-For, else X-Real-IP, each the last that is said: proxies add their word at the end, so what
// stands before it may be the client's own. Nothing when nobody says it in a form that can be read for certain.
std::optional<std::string> named_client(const Fields& fields);

// "http" or "https" in any case, as lower case; nothing for any other scheme.
std::string_view known_scheme(std::string_view text) noexcept;

}  // namespace tus::protocol
