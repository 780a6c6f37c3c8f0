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
// Answers with an error that the server has found.
using RefusalFunction = std::function<Awaitable<void>(Exchange&, ErrorCode)>;

class Router {
 public:
  // An exact path wins, then the longest base path; "/files/" also answers "/files".
  void mount(std::string base_path, RequestFunction function, RefusalFunction refuse = {});
  void mount_plain(std::string path, PlainResponder responder);
  void mount_waiting(std::string path, WaitingResponder responder);

  // Whether a target is one of the exact paths, which are about the server and not about uploads.
  bool is_exact(std::string_view target) const noexcept;

  // The exchange must live until the returned coroutine has run.
  Awaitable<void> route(Exchange& exchange) const;
  // The same, with an error instead of what was asked for.
  Awaitable<void> refuse(Exchange& exchange, ErrorCode why) const;

 private:
  struct Mount {
    std::string base_path;
    RequestFunction function;
    RefusalFunction refuse;  // none: a plain answer
  };
  struct PlainMount {
    std::string path;
    RequestFunction function;
  };

  const Mount* find_mount(std::string_view path) const noexcept;

  std::vector<Mount> mounts_;  // longest first
  std::vector<PlainMount> plain_;
};

}  // namespace tus::server
