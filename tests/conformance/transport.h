// The two ways a request reaches a handler here: as an exchange without a socket, and over HTTP.
#pragma once

#include <tus/handler.h>
#include <tus/http_server.h>
#include <tus/message.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tus::conformance {

struct Body {
  enum class Framing : std::uint8_t {
    none,     // no body
    length,   // Content-Length and all of it
    chunked,  // no announced length
    cut,      // Content-Length says more than what comes; then the client is gone
  };
  Body() = default;
  Body(Framing f, std::string b) : framing(f), bytes(std::move(b)) {}

  Framing framing = Framing::none;
  std::string bytes;
  std::string trailer;  // of a chunked body: "Name: value"
};

// What a cut body announces beyond what it brings.
inline constexpr std::size_t cut_rest = 10;

struct Ask {
  Ask() = default;

  std::string method;
  std::string target;
  std::string host;
  Fields fields;  // all but Host and those of the framing
  Body body;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual Response answer(const Ask& ask) = 0;
};

enum class Kind : std::uint8_t {
  core,           // the body arrives piece by piece, when it is waited for
  core_buffered,  // the body is there together with the head
  http,           // over a socket
  http_file,      // over a socket into files, without copying where that is possible
};

std::unique_ptr<Transport> make_core_transport(HandlerOptions options, HandlerParts parts,
                                               Kind kind);
std::unique_ptr<Transport> make_http_transport(HandlerOptions options, HandlerParts parts,
                                               ZeroCopy zero_copy);

}  // namespace tus::conformance
