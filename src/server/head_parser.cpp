#include "server/head_parser.h"

#include "protocol/authority.h"
#include "server/http_syntax.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tus::server {

namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Refused = std::optional<Rejection>;

// Writes what Beast finds straight into our own types. Only heads are given to it.
class BeastHead final : public http::basic_parser<true> {
 public:
  explicit BeastHead(RequestHead& out) : out_(out) {}

  int version() const noexcept { return version_; }

 private:
  void on_request_impl(http::verb, boost::beast::string_view method,
                       boost::beast::string_view target, int version, error_code&) override {
    out_.method = method;
    out_.target = target;
    version_ = version;
  }
  void on_field_impl(http::field, boost::beast::string_view name, boost::beast::string_view value,
                     error_code&) override {
    out_.fields.add(std::string(name), std::string(value));
  }
  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, error_code&) override {
    return 0;
  }
  void on_finish_impl(error_code&) override {}

  RequestHead& out_;
  int version_ = 11;
};

Refused refuse(int status, std::string_view message) { return Rejection{status, message}; }
Refused refuse(ErrorCode code) { return rejection_of(code); }

// The members of a list, white space around them left out; an empty member is one, too.
std::vector<std::string_view> list_of(std::string_view value) {
  std::vector<std::string_view> members;
  for (auto comma = value.find(','); comma != std::string_view::npos; comma = value.find(',')) {
    members.push_back(trim_blanks(value.substr(0, comma)));
    value.remove_prefix(comma + 1);
  }
  members.push_back(trim_blanks(value));
  return members;
}

// ---- in front of Beast

Refused check_version(std::string_view version) {
  if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
  auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") &&
                           is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
  if (well_formed) return refuse(505, "HTTP version not supported");
  return refuse(400, "malformed request line");
}

Refused check_request_line(std::string_view line) {
  auto first = line.find(' ');
  auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse(400, "malformed request line");
  }
  auto target = line.substr(first + 1, last - first - 1);
  if (!is_token(line.substr(0, first))) return refuse(400, "invalid method");
  if (auto refused = check_version(line.substr(last + 1))) return refused;
  if (target.empty() || !is_visible(target)) return refuse(400, "invalid request target");
  if (target.contains('#')) return refuse(400, "invalid request target");
  return std::nullopt;
}

Refused check_lines(std::string_view head, const HeadLimits& limits) {
  auto line_end = head.find("\r\n");
  if (line_end > limits.request_line) return refuse(414, "request line too long");
  if (auto refused = check_request_line(head.substr(0, line_end))) return refused;
  std::size_t fields = 0;
  for (head.remove_prefix(line_end + 2); head != "\r\n"; head.remove_prefix(line_end + 2)) {
    line_end = head.find("\r\n");
    if (line_end == std::string_view::npos) return refuse(400, "malformed head");
    if (++fields > limits.fields) return refuse(431, "too many header fields");
    auto field = split_field_line(head.substr(0, line_end));
    if (!field) return refuse(400, field.error());
  }
  return std::nullopt;
}

// ---- behind Beast: what the fields mean together

Refused settle_host(RequestHead& head, bool http_1_0) {
  const auto count = head.fields.count("Host");
  if (count > 1) return refuse(400, "more than one Host");
  if (count == 0) return http_1_0 ? std::nullopt : refuse(400, "Host is missing");
  const auto* host = head.fields.find("Host");
  if (!protocol::parse_authority(*host)) return refuse(400, "invalid Host");
  head.host = *host;
  return std::nullopt;
}

// RFC 9112 section 3.2: the absolute form overrides Host.
Refused settle_target(RequestHead& head) {
  auto& target = head.target;
  if (target.starts_with('/')) return std::nullopt;
  if (target == "*") {
    return head.method == "OPTIONS" ? std::nullopt : refuse(400, "invalid request target");
  }
  auto scheme_end = target.find("://");
  if (scheme_end == std::string::npos) return refuse(400, "invalid request target");
  auto scheme = std::string_view(target).substr(0, scheme_end);
  if (!equals_lower(scheme, "http") && !equals_lower(scheme, "https")) {
    return refuse(400, "invalid request target");
  }
  auto path = target.find_first_of("/?", scheme_end + 3);
  auto host =
      target.substr(scheme_end + 3, path == std::string::npos ? path : path - scheme_end - 3);
  if (!protocol::parse_authority(host)) return refuse(400, "invalid request target");
  std::string origin_form = path == std::string::npos ? "/" : target.substr(path);
  if (origin_form.starts_with('?')) origin_form.insert(0, "/");
  target = std::move(origin_form);
  head.fields.set("Host", host);
  head.host = std::move(host);
  return std::nullopt;
}

Refused check_transfer_encoding(const RequestHead& head, bool http_1_0) {
  if (http_1_0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
  if (head.fields.count("Content-Length") > 0) {
    return refuse(400, "Content-Length beside Transfer-Encoding");
  }
  if (head.fields.count("Transfer-Encoding") > 1) return refuse(400, "invalid Transfer-Encoding");
  std::string_view value = *head.fields.find("Transfer-Encoding");
  const auto codings = list_of(value);
  if (!equals_lower(codings.back(), "chunked")) return refuse(400, "invalid Transfer-Encoding");
  for (auto coding : std::span(codings).first(codings.size() - 1)) {
    const auto name = trim_blanks(coding.substr(0, coding.find(';')));
    const bool other =
        is_token(name) && !equals_lower(name, "chunked") && !equals_lower(name, "identity");
    if (!other) return refuse(400, "invalid Transfer-Encoding");
  }
  return codings.size() == 1 ? std::nullopt : refuse(ErrorCode::not_implemented);
}

Refused settle_length(RequestHead& head) {
  if (head.fields.count("Content-Length") > 1) return refuse(400, "more than one Content-Length");
  const auto* text = head.fields.find("Content-Length");
  if (!text) return std::nullopt;
  std::uint64_t length = 0;
  const char* end = text->data() + text->size();
  auto parsed = std::from_chars(text->data(), end, length);
  if (parsed.ec != std::errc() || parsed.ptr != end || length > INT64_MAX) {
    return refuse(400, "invalid Content-Length");
  }
  head.content_length = length;
  head.has_body = length > 0;
  return std::nullopt;
}

Refused settle_framing(ParsedHead& parsed) {
  if (parsed.head.fields.count("Transfer-Encoding") == 0) return settle_length(parsed.head);
  if (auto refused = check_transfer_encoding(parsed.head, parsed.http_1_0)) return refused;
  parsed.chunked = true;
  parsed.head.has_body = true;
  return std::nullopt;
}

bool has_connection_option(const RequestHead& head, std::string_view wanted) {
  return std::ranges::any_of(head.fields, [wanted](const auto& field) {
    return equals_lower(field.name, "connection") &&
           std::ranges::any_of(list_of(field.value),
                               [wanted](auto option) { return equals_lower(option, wanted); });
  });
}

// RFC 9112 section 9.3: "close" wins, also over the "keep-alive" of HTTP/1.0. Beast would also believe
// Proxy-Connection, which a proxy may have passed on unread (appendix C.2.2).
bool wants_keep_alive(const RequestHead& head, bool http_1_0) {
  if (has_connection_option(head, "close")) return false;
  return !http_1_0 || has_connection_option(head, "keep-alive");
}

Refused settle_expect(ParsedHead& parsed) {
  if (parsed.http_1_0) return std::nullopt;
  for (const auto& field : parsed.head.fields) {
    if (!equals_lower(field.name, "expect")) continue;
    if (!equals_lower(field.value, "100-continue")) return refuse(417, "unknown expectation");
    parsed.expects_continue = true;
  }
  return std::nullopt;
}

}  // namespace

Rejection rejection_of(ErrorCode code) noexcept {
  const auto& description = describe(code);
  return {description.status, description.message, code};
}

HeadScanner::Found HeadScanner::scan(std::string_view data, const HeadLimits& limits) noexcept {
  if (scanned_ == 0 && data.starts_with('\r')) {
    // RFC 9112 section 2.2: one empty line before the request is forgiven.
    if (data.size() < 2) return Found::nothing_yet;
    if (data[1] != '\n') return reject(400, "malformed request line");
    begin_ = line_ = scanned_ = 2;
  }
  if (scanned_ == begin_ && data.size() > begin_ && !is_token_char(data[begin_])) {
    return reject(400, "malformed request line");
  }
  for (;;) {
    auto newline = data.find('\n', scanned_);
    if (newline == std::string_view::npos) break;
    auto found = end_line(data, newline, limits);
    if (found != Found::nothing_yet) return found;
  }
  scanned_ = data.size();
  return check_unfinished(data, limits);
}

HeadScanner::Found HeadScanner::end_line(std::string_view data, std::size_t newline,
                                         const HeadLimits& limits) noexcept {
  if (newline == line_ || data[newline - 1] != '\r') return reject(400, "bare LF");
  const auto length = newline - 1 - line_;
  if (lines_ == 0 && length > limits.request_line) return reject(414, "request line too long");
  if (newline + 1 - begin_ > limits.bytes) return reject(431, "request head too large");
  line_ = scanned_ = newline + 1;
  if (length == 0) return lines_ == 0 ? reject(400, "malformed request line") : Found::head;
  if (++lines_ > limits.fields + 1) return reject(431, "too many header fields");
  return Found::nothing_yet;
}

HeadScanner::Found HeadScanner::check_unfinished(std::string_view data,
                                                 const HeadLimits& limits) noexcept {
  if (lines_ == 0 && data.size() - line_ > limits.request_line + 1) {
    return reject(414, "request line too long");
  }
  if (data.size() - begin_ > limits.bytes) return reject(431, "request head too large");
  return Found::nothing_yet;
}

HeadScanner::Found HeadScanner::reject(int status, std::string_view message) noexcept {
  rejection_ = {status, message};
  return Found::rejected;
}

std::expected<ParsedHead, Rejection> parse_head(std::string_view head, const HeadLimits& limits) {
  if (auto refused = check_lines(head, limits)) return std::unexpected(*refused);
  ParsedHead parsed;
  parsed.head.fields.reserve(static_cast<std::size_t>(std::ranges::count(head, '\n')) - 2);
  BeastHead beast(parsed.head);
  beast.header_limit(static_cast<std::uint32_t>(
      std::min<std::size_t>(limits.bytes + 64, std::numeric_limits<std::uint32_t>::max())));
  beast.body_limit(boost::none);
  error_code ec;
  beast.put(boost::asio::buffer(head.data(), head.size()), ec);
  if (ec && ec != http::error::need_more) return std::unexpected(Rejection{400, "malformed head"});
  if (!beast.is_header_done()) return std::unexpected(Rejection{400, "malformed head"});
  parsed.http_1_0 = beast.version() == 10;
  parsed.keep_alive = wants_keep_alive(parsed.head, parsed.http_1_0);

  if (parsed.head.method == "CONNECT") {
    return std::unexpected(rejection_of(ErrorCode::not_implemented));
  }
  if (auto refused = settle_host(parsed.head, parsed.http_1_0)) return std::unexpected(*refused);
  if (auto refused = settle_target(parsed.head)) return std::unexpected(*refused);
  if (auto refused = settle_framing(parsed)) return std::unexpected(*refused);
  if (auto refused = settle_expect(parsed)) return std::unexpected(*refused);
  return parsed;
}

}  // namespace tus::server
