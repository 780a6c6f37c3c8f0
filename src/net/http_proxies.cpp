#include "net/http_client.h"

namespace tus::net {

namespace {

std::string either(const char* (*get)(const char*), const char* upper, const char* lower) {
  for (const auto* name : {upper, lower}) {
    const auto* value = get(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return {};
}

}  // namespace

HttpProxies HttpProxies::from_environment(const char* (*get)(const char* name)) {
  HttpProxies proxies;
  proxies.http = either(get, "HTTP_PROXY", "http_proxy");
  proxies.https = either(get, "HTTPS_PROXY", "https_proxy");
  proxies.without = either(get, "NO_PROXY", "no_proxy");
  if (proxies.without == "*") return {};
  if (!proxies.without.empty()) proxies.without += ",";
  proxies.without += "localhost,127.0.0.0/8,::1";
  return proxies;
}

}  // namespace tus::net
