// Any value of Forwarded, of X-Forwarded-Host and -Prefix, and of Host: whatever comes out of them must be fit to stand
// in a URL that clients are sent to.
#include "base/ascii.h"
#include "protocol/authority.h"
#include "protocol/forwarded.h"
#include "protocol/header_values.h"
#include "protocol/public_url.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace tus;

void require(bool condition) {
  if (!condition) std::abort();
}

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

}  // namespace

// One field a line, in turn: Forwarded, X-Forwarded-Host, X-Forwarded-Proto, X-Forwarded-Prefix, Host.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  RequestHead head;
  std::size_t number = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string line(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    static constexpr const char* names[] = {"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto",
                                            "X-Forwarded-Prefix"};
    if (number % 5 == 4) {
      head.host = line;
    } else {
      head.fields.add(names[number % 5], line);
    }
    ++number;
  }
  check_hop(head.fields);
  check_urls(head);
  return 0;
}
