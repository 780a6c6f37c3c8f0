// How clients are told where an upload is (the header Location).
#pragma once

#include <tus/export.h>

#include <string>
#include <vector>

TUS_NAMESPACE_BEGIN

// Without any of these: the scheme the request came by, its Host, and the base path.
struct LocationOptions {
  LocationOptions() = default;

  // "https://uploads.example.org": what URLs begin with, whatever a request says. No path, no '/' at its end.
  std::string origin;
  // Only the path is told. Clients resolve it against the URL they asked; a proxy cannot get it wrong.
  bool relative = false;
  // X-Forwarded-Host, -Proto and -Prefix and Forwarded are believed. Only where every request has passed a
  // proxy that sets or removes all four of them: who sends them decides where a client goes on.
  bool behind_proxy = false;
  // Hosts that may be told: "a.example", "a.example:8443", "*.example". Without a port any port is meant, and
  // "*." stands for one label or more. A request for another host is told the path only. Empty: any host.
  std::vector<std::string> allowed_hosts;
};

TUS_NAMESPACE_END
