// HTTP/1.1 as it comes in and goes out: the same bytes mean the same however they arrive, what is accepted leaves no
// doubt about where it ends, and no value breaks out of its line.
// [FUZZ-1] [FUZZ-2]
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "server/chunk_decoder.h"
#include "server/head_parser.h"
#include "server/http_syntax.h"
#include "server/response_writer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tus::fuzz {

namespace {

using server::ChunkDecoder;
using server::HeadScanner;

// ---- request heads

struct Read {
  HeadScanner::Found found = HeadScanner::Found::nothing_yet;
  std::size_t begin = 0;
  std::size_t end = 0;
};

Read read(std::string_view wire, std::size_t step, const server::HeadLimits& limits) {
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

void check_head(const server::ParsedHead& parsed) {
  const auto& head = parsed.head;
  const auto lengths = head.fields.count("Content-Length");
  const auto codings = head.fields.count("Transfer-Encoding");
  require(lengths + codings <= 1);
  require(parsed.chunked == (codings == 1));
  require(head.content_length.has_value() == (lengths == 1));
  require(head.content_length.value_or(0) <= INT64_MAX);
  require(head.has_body == (parsed.chunked || head.content_length.value_or(0) > 0));
  require(head.target == "*" || head.target.starts_with('/'));
  require(fits_a_header(head.target) && !head.target.contains(' '));
  require(parsed.http_1_0 || !head.host.empty());
  require(!(parsed.http_1_0 && (parsed.chunked || parsed.expects_continue)));
  require(head.fields.count("Host") <= 1);
  for (const auto& field : head.fields) {
    require(server::is_token(field.name));
    require(fits_a_header(field.value));
  }
}

// ---- chunked bodies

struct Decoded {
  ChunkDecoder::State state = ChunkDecoder::State::framing;
  std::string body;
  std::size_t used = 0;
  std::string trailers;
  bool operator==(const Decoded&) const = default;
};

bool is_over(const ChunkDecoder& decoder) {
  return decoder.state() == ChunkDecoder::State::done ||
         decoder.state() == ChunkDecoder::State::malformed;
}

std::size_t step_over(ChunkDecoder& decoder, std::span<const std::byte> here, Decoded& out) {
  if (decoder.data_left() == 0) return decoder.read_framing(here);
  const auto n =
      static_cast<std::size_t>(std::min<std::uint64_t>(decoder.data_left(), here.size()));
  out.body.append(reinterpret_cast<const char*>(here.data()), n);
  decoder.took(n);
  return n;
}

Decoded decode(std::span<const std::byte> wire, std::size_t step) {
  ChunkDecoder decoder;
  Decoded out;
  while (out.used < wire.size() && !is_over(decoder)) {
    auto piece = wire.subspan(out.used, std::min(step, wire.size() - out.used));
    const auto used = step_over(decoder, piece, out);
    require(used > 0);
    out.used += used;
  }
  require(decoder.data_taken() == out.body.size());
  out.state = decoder.state();
  for (const auto& field : decoder.trailers()) {
    require(server::is_token(field.name) && fits_a_header(field.value));
    out.trailers.append(field.name).append(":").append(field.value).append("\n");
  }
  return out;
}

// The payload in chunks of one size.
std::string encode(std::string_view body, std::size_t step) {
  std::string wire;
  while (!body.empty()) {
    const auto piece = body.substr(0, step);
    body.remove_prefix(piece.size());
    char size[32];
    std::snprintf(size, sizeof size, "%zX\r\n", piece.size());
    wire.append(size).append(piece).append("\r\n");
  }
  return wire + "0\r\n\r\n";
}

}  // namespace

void http_head(std::string_view input) {
  const server::HeadLimits limits{.request_line = 200, .bytes = 1000, .fields = 10};
  const auto whole = read(input, input.size(), limits);
  for (std::size_t step : {1u, 3u}) {
    const auto pieces = read(input, step, limits);
    require((pieces.found == HeadScanner::Found::head) ==
            (whole.found == HeadScanner::Found::head));
    if (whole.found == HeadScanner::Found::head) require(pieces.end == whole.end);
  }
  if (whole.found != HeadScanner::Found::head) return;
  require(whole.begin < whole.end && whole.end <= input.size());
  require(whole.end - whole.begin <= limits.bytes);
  const std::string head(input.substr(whole.begin, whole.end - whole.begin));
  const auto parsed = server::parse_head(head, limits);
  if (parsed) check_head(*parsed);
  if (!parsed) require(parsed.error().status >= 400 && parsed.error().status < 600);
}

void chunked(std::string_view input) {
  const auto wire = std::as_bytes(std::span(input));
  const auto whole = decode(wire, wire.size());
  for (std::size_t step : {1u, 2u, 5u}) require(decode(wire, step) == whole);
  const auto again = encode(whole.body, 1 + input.size() % 7);
  const auto once_more = decode(std::as_bytes(std::span(again)), again.size());
  require(once_more.state == ChunkDecoder::State::done && once_more.body == whole.body &&
          once_more.used == again.size());
}

// First line: the status; then "Name: value" lines, as a hook might answer them; the body behind an empty one.
void response_head(std::string_view input) {
  const auto lines = lines_of(input);
  Response response(200 + static_cast<int>(line_of(lines, 0).size()) % 400);
  std::size_t number = 1;
  for (; number < lines.size() && !lines[number].empty(); ++number) {
    const auto colon = std::min(lines[number].find(": "), lines[number].size());
    auto value = lines[number].substr(std::min(colon + 2, lines[number].size()));
    response.fields.add(lines[number].substr(0, colon), std::move(value));
  }
  response.body = line_of(lines, number + 1);
  const server::ResponseContext context{.date = "Sun, 06 Nov 1994 08:49:37 GMT",
                                        .to_head = input.size() % 2 == 0,
                                        .close = input.size() % 3 == 0};
  std::string out;
  server::write_head(out, response, context);
  require(out.ends_with("\r\n\r\n") && out.find("\r\n\r\n") == out.size() - 4);
  std::size_t lengths = 0;
  for (auto& line : lines_of(out)) {
    require(line.ends_with('\r'));
    line.pop_back();
    require(fits_a_header(line));
    const auto name = line.substr(0, line.find(':'));
    require(!server::equals_lower(name, "transfer-encoding"));
    if (server::equals_lower(name, "content-length")) ++lengths;
  }
  require(lengths <= 1 && (server::may_have_body(response.status) || lengths == 0));
}

}  // namespace tus::fuzz
