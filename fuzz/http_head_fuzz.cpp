// Request heads: the same bytes mean the same however they arrive, and what is accepted leaves no doubt
// about where the body ends.
#include "server/head_parser.h"
#include "server/http_syntax.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace {

using tus::server::HeadScanner;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Read {
  HeadScanner::Found found = HeadScanner::Found::nothing_yet;
  std::size_t begin = 0;
  std::size_t end = 0;
};

Read read(std::string_view wire, std::size_t step, const tus::server::HeadLimits& limits) {
  HeadScanner scanner;
  Read out;
  for (std::size_t here = 0; here < wire.size() && out.found == HeadScanner::Found::nothing_yet;) {
    here = std::min(here + step, wire.size());
    out.found = scanner.scan(wire.substr(0, here), limits);
  }
  out.begin = scanner.begin();
  out.end = scanner.end();
  return out;
}

void check(const tus::server::ParsedHead& parsed) {
  const auto& head = parsed.head;
  const auto lengths = head.fields.count("Content-Length");
  const auto codings = head.fields.count("Transfer-Encoding");
  require(lengths + codings <= 1);
  require(parsed.chunked == (codings == 1));
  require(head.content_length.has_value() == (lengths == 1));
  require(head.has_body == (parsed.chunked || head.content_length.value_or(0) > 0));
  require(head.target == "*" || head.target.starts_with('/'));
  require(parsed.http_1_0 || !head.host.empty());
  for (const auto& field : head.fields) {
    require(tus::server::is_token(field.name));
    require(tus::server::is_field_value(field.value));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view wire(reinterpret_cast<const char*>(data), size);
  const tus::server::HeadLimits limits{.request_line = 200, .bytes = 1000, .fields = 10};
  const auto whole = read(wire, size, limits);
  for (std::size_t step : {1u, 3u}) {
    const auto pieces = read(wire, step, limits);
    require((pieces.found == HeadScanner::Found::head) ==
            (whole.found == HeadScanner::Found::head));
    if (whole.found == HeadScanner::Found::head) require(pieces.end == whole.end);
  }
  if (whole.found != HeadScanner::Found::head) return 0;
  require(whole.begin < whole.end && whole.end <= size);
  auto parsed = tus::server::parse_head(wire.substr(whole.begin, whole.end - whole.begin), limits);
  if (parsed) check(*parsed);
  return 0;
}
