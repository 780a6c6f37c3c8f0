#include "server/response_writer.h"

#include "server/http_syntax.h"

#include <boost/beast/http/status.hpp>

#include <charconv>

namespace tus::server {

namespace {

void append_number(std::string& out, std::uint64_t n) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  out.append(digits, end);
}

std::string_view reason_of(int status) noexcept {
  if (status == 460) return "Checksum Mismatch";  // tus
  if (status == 104) return "Upload Resumption Supported";
  auto known = boost::beast::http::int_to_status(static_cast<unsigned>(status));
  if (known == boost::beast::http::status::unknown) return "";
  return boost::beast::http::obsolete_reason(known);
}

void append_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::uint64_t>(status));
  out += ' ';
  out += reason_of(status);
  out += "\r\n";
}

// Ours to say, whatever a handler or a hook puts into a response.
bool is_of_the_server(std::string_view name) noexcept {
  return equals_lower(name, "date") || equals_lower(name, "content-length") ||
         equals_lower(name, "connection") || equals_lower(name, "transfer-encoding");
}

void append_fields(std::string& out, const Fields& fields) {
  for (const auto& field : fields) {
    if (is_of_the_server(field.name)) continue;
    if (!is_token(field.name) || !is_field_value(field.value)) continue;
    out += field.name;
    out += ": ";
    out += field.value;
    out += "\r\n";
  }
}

}  // namespace

bool may_have_body(int status) noexcept { return status >= 200 && status != 204 && status != 304; }

bool sends_body(const Response& response, const ResponseContext& context) noexcept {
  return !context.to_head && may_have_body(response.status) && !response.body.empty();
}

void write_head(std::string& out, const Response& response, const ResponseContext& context) {
  append_status_line(out, response.status);
  append_fields(out, response.fields);
  if (!response.fields.find("X-Content-Type-Options")) out += "X-Content-Type-Options: nosniff\r\n";
  if (context.to_head && !response.fields.find("Cache-Control")) {
    out += "Cache-Control: no-store\r\n";
  }
  out += "Date: ";
  out += context.date;
  out += "\r\n";
  // A HEAD answer without a body of its own says nothing about the length that GET would have.
  const bool tells_length = context.content_length || !context.to_head || !response.body.empty();
  if (may_have_body(response.status) && tells_length) {
    out += "Content-Length: ";
    append_number(out, context.content_length.value_or(response.body.size()));
    out += "\r\n";
  }
  if (context.close) {
    out += "Connection: close\r\n";
  } else if (context.confirm_keep_alive) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

void write_interim(std::string& out, int status, const Fields& fields) {
  append_status_line(out, status);
  append_fields(out, fields);
  out += "\r\n";
}

Response plain_error(const Rejection& rejection) {
  Response response(rejection.status);
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.fields.add("Tus-Resumable", "1.0.0");
  if (rejection.status == 503) response.fields.add("Retry-After", "5");
  response.body = describe(rejection.code).code;
  response.body += ": ";
  response.body += rejection.message;
  response.body += '\n';
  return response;
}

}  // namespace tus::server
