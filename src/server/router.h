// Which part of the program answers a path.
#pragma once

#include <tus/exchange.h>
#include <tus/http_server.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::server {

using RequestFunction = std::function<Awaitable<void>(Exchange&)>;

class Router {
 public:
  // An exact path wins, then the longest base path; "/files/" also answers "/files".
  void mount(std::string base_path, RequestFunction function);
  void mount_plain(std::string path, PlainResponder responder);
  void mount_waiting(std::string path, WaitingResponder responder);

  // Whether a target is one of the exact paths, which are about the server and not about uploads.
  bool is_exact(std::string_view target) const noexcept;

  // The exchange must live until the returned coroutine has run.
  Awaitable<void> route(Exchange& exchange) const;

 private:
  struct Mount {
    std::string base_path;
    RequestFunction function;
  };
  struct PlainMount {
    std::string path;
    RequestFunction function;
  };

  std::vector<Mount> mounts_;  // longest first
  std::vector<PlainMount> plain_;
};

}  // namespace tus::server
