// Heads that are refused, and those that look as if they should be.
#include "tests/http/wire_case.h"

namespace tus::http_tests {
namespace {

using namespace std::string_literals;

const std::string start = "PATCH /files/u0000000 HTTP/1.1\r\n";
// All that a PATCH needs but its framing.
const std::string rest = tus_version + content_type + "Upload-Offset: 0\r\n";

WireCase refused_field(std::string name, const std::string& line, std::string status = "400") {
  return refused(std::move(name), start + host + rest + line + crlf, std::move(status));
}

WireCase refused_length(const std::string& value) {
  return refused("[HTTP-3] Content-Length:" + value,
                 start + host + rest + "Content-Length:" + value + "\r\n\r\nhello");
}

WireCase refused_coding(const std::string& line, std::string status = "400") {
  return refused("[HTTP-4] [HTTP-5] " + line, start + host + rest + line + "\r\n\r\n",
                 std::move(status));
}

WireCase refused_line(const std::string& line, std::string status = "400") {
  return refused("[HTTP-8] " + line, line + crlf + host + rest + crlf, std::move(status));
}

WireCase taken(std::string name, std::string wire) {
  return {.name = std::move(name), .wire = std::move(wire), .answers = "204", .stored = "hello"};
}

WireCase taken_length(const std::string& line) {
  return taken("[HTTP-3] " + line, patch_upload(line + crlf, "hello"));
}

// ---- Host

std::vector<WireCase> host_cases() {
  std::vector<WireCase> cases{
      refused("[HTTP-1] none", start + rest + crlf),
      refused("[HTTP-1] two", start + host + "Host: i\r\n" + rest + crlf),
      refused("[HTTP-1] twice the same", start + host + host + rest + crlf),
      refused("[HTTP-1] two, in other letters", start + host + rest + "hOST: h\r\n\r\n"),
      {.name = "[HTTP-1] [HTTP-33] the absolute form counts",
       .wire = "POST http://real.example:81/files/ HTTP/1.1\r\n" + host + tus_version +
               "Upload-Length: 3\r\n\r\n",
       .answers = "201",
       .created = 1,
       .has = {"Location: http://real.example:81/files/"}},
      refused("[HTTP-1] none, beside the absolute form",
              "HEAD http://h/files/u0000000 HTTP/1.1\r\n" + rest + crlf, "400h"),
      {.name = "[HTTP-1] [HTTP-16] HTTP/1.0 needs none",
       .wire = "HEAD /files/u0000000 HTTP/1.0\r\n\r\n",
       .answers = "200h",
       .ends = Ends::closed},
  };
  for (std::string value :
       {"", "a b", "a/b", "a@b", "a?b", "a#b", "h:99999", "h:8o", "[::1", "[::1]x", "[h]", "h%zz",
        "h\\", "h\"", "<h>", "h:80:80", "\xc3\xa4", "a\tb"}) {
    cases.push_back(
        refused("[HTTP-1] Host: " + value, start + "Host: " + value + crlf + rest + crlf));
  }
  return cases;
}

// ---- how long the body is

std::vector<WireCase> length_cases() {
  std::vector<WireCase> cases{
      refused("[HTTP-3] twice the same",
              start + host + rest + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
      refused("[HTTP-3] two",
              start + host + rest + "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello"),
      refused("[HTTP-3] one, and an empty one",
              start + host + rest + "Content-Length: 5\r\nContent-Length:\r\n\r\nhello"),
      refused("[HTTP-3] in a folded line",
              start + host + rest + "Content-Length:\r\n 5\r\n\r\nhello"),
      {.name = "[HTTP-3] [HTTP-27] 2^63-1 is a length",
       .wire = patch_upload("Content-Length: 9223372036854775807\r\n", ""),
       .answers = "413",
       .ends = Ends::closed},
      taken_length("Content-Length:5"),
      taken_length("content-LENGTH: \t 5 \t"),
      taken_length("Content-Length: 00000000000000000000005"),
      // Not the name of the field: the body has no length, so there is none.
      {.name = "[HTTP-3] Content_Length",
       .wire = patch_upload("Content_Length: 5\r\n", "hello\r\n" + deletes_victim),
       .answers = "204 400",
       .ends = Ends::closed},
  };
  for (std::string value : {"",
                            " ",
                            " +5",
                            " -5",
                            " -0",
                            " 0x5",
                            " 5h",
                            " 5 5",
                            " 5, 5",
                            " 5,5",
                            " 5,",
                            " ,5",
                            " 5, 6",
                            " 5.0",
                            " 5e0",
                            " \"5\"",
                            " '5'",
                            " 5;",
                            " 5_0",
                            " 0b101",
                            " five",
                            " 5\xa0",
                            " \xd9\xa5",
                            " 9223372036854775808",
                            " 18446744073709551615",
                            " 18446744073709551616",
                            " 18446744073709551621",
                            " 99999999999999999999999999999999999999",
                            " -18446744073709551611"}) {
    cases.push_back(refused_length(value));
  }
  return cases;
}

std::vector<WireCase> coding_cases() {
  const std::string both[] = {"Content-Length: 5\r\nTransfer-Encoding: chunked",
                              "Transfer-Encoding: chunked\r\nContent-Length: 5",
                              "Content-Length: 0\r\nTransfer-Encoding: chunked",
                              "Content-Length: 5\r\nTransfer-Encoding: identity",
                              "Content-Length: 5\r\nTransfer-Encoding: x",
                              "Content-Length: 5\r\nTransfer-Encoding:"};
  std::vector<WireCase> cases;
  for (const auto& lines : both) cases.push_back(refused_field("[HTTP-2] " + lines, lines + crlf));
  for (std::string line : {"Transfer-Encoding:",
                           "Transfer-Encoding: x",
                           "Transfer-Encoding : chunked",
                           "Transfer-Encoding\t: chunked",
                           "\tTransfer-Encoding: chunked",
                           " Transfer-Encoding: chunked",
                           "Transfer-Encoding: chunked, chunked",
                           "Transfer-Encoding: chunked,",
                           "Transfer-Encoding: ,chunked",
                           "Transfer-Encoding: xchunked",
                           "Transfer-Encoding: chunkedx",
                           "Transfer-Encoding: \"chunked\"",
                           "Transfer-Encoding: 'chunked'",
                           "Transfer-Encoding: chunked;q=1",
                           "Transfer-Encoding: identity",
                           "Transfer-Encoding: chunked, identity",
                           "Transfer-Encoding: identity, chunked",
                           "Transfer-Encoding: gzip",
                           "Transfer-Encoding: chunked gzip",
                           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                           "Transfer-Encoding: chunked\r\ntransfer-encoding: x",
                           "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
                           "Transfer-Encoding: chunked\r\nTransfer-Encoding:",
                           "Transfer-Encoding:\r\n chunked",
                           "Transfer-Encoding: \x0b"
                           "chunked",
                           "Transfer-Encoding: chunked\x0c",
                           "Transfer-Encoding: chunked\xa0",
                           "Transfer-Encoding: chun\xc4\xb7"
                           "ed",
                           "X: y\rTransfer-Encoding: chunked",
                           "X: y\nTransfer-Encoding: chunked"}) {
    cases.push_back(refused_coding(line));
  }
  cases.push_back(refused_coding("Transfer-Encoding: gzip, chunked", "501"));
  cases.push_back(refused_coding("Transfer-Encoding: x;y=z, chunked", "501"));
  cases.push_back(refused("[HTTP-4] in HTTP/1.0", "PATCH /files/u0000000 HTTP/1.0\r\n" + host +
                                                      rest + chunked_coding + crlf));
  cases.push_back(refused("[HTTP-4] in HTTP/1.0 that stays",
                          "PATCH /files/u0000000 HTTP/1.0\r\nConnection: keep-alive\r\n" + host +
                              rest + chunked_coding + crlf));
  cases.push_back(
      taken("[HTTP-4] in other letters",
            patch_upload("tRANSFER-eNCODING:\t ChunkeD \r\n", chunk("hello") + last_chunk)));
  // Not the name of the field, but what somebody's gateway makes it of.
  cases.push_back({.name = "[HTTP-5] Transfer_Encoding",
                   .wire = patch_upload("Transfer_Encoding: chunked\r\n",
                                        chunk("hello") + last_chunk + deletes_victim),
                   .answers = "204 400",
                   .ends = Ends::closed});
  return cases;
}

// ---- fields

// Every byte that may be nowhere in a head, everywhere in one.
std::vector<WireCase> byte_cases() {
  const std::pair<std::string, std::string> places[] = {
      {start + host + "X: a", "b\r\n" + rest + crlf},
      {start + host + "X", "Y: b\r\n" + rest + crlf},
      {start + host + "X: b", "\r\n" + rest + crlf},
      {start + "Host: h", "\r\n" + rest + crlf},
      {"PATCH /files/u00", "00000 HTTP/1.1\r\n" + host + rest + crlf},
      {"PAT", "CH /files/u0000000 HTTP/1.1\r\n" + host + rest + crlf},
      {"PATCH /files/u0000000 HTTP/1.1", "\r\n" + host + rest + crlf},
      {start + host + rest, crlf},
      {"", start + host + rest + crlf},
  };
  std::vector<WireCase> cases;
  for (int byte = 0; byte < 0x80; ++byte) {
    if ((byte >= 0x20 && byte < 0x7f) || byte == '\t') continue;
    for (std::size_t place = 0; place < std::size(places); ++place) {
      const auto& [before, behind] = places[place];
      auto row =
          refused("[HTTP-7] byte " + std::to_string(byte) + " at place " + std::to_string(place),
                  before + static_cast<char>(byte) + behind);
      row.cuts = Cuts::few;
      cases.push_back(std::move(row));
    }
  }
  for (char c : "\"(),/;<=>?@[\\]{} \t\x80\xff"s) {
    auto row = refused_field("[HTTP-7] in a name: "s + c, "X"s + c + "Y: b\r\n");
    row.cuts = Cuts::few;
    cases.push_back(std::move(row));
  }
  return cases;
}

std::vector<WireCase> field_cases() {
  return {
      refused_field("[HTTP-6] a blank before the colon", "Upload-Length : 5\r\n"),
      refused_field("[HTTP-6] a tab before the colon", "Upload-Length\t: 5\r\n"),
      refused_field("[HTTP-6] a folded line", "X: a\r\n b\r\n"),
      refused_field("[HTTP-6] a folded line, with a tab", "X: a\r\n\tb\r\n"),
      refused_field("[HTTP-6] a folded line that is empty", "X: a\r\n \r\n"),
      refused_field("[HTTP-6] a folded line that looks like a field",
                    "X: a\r\n Content-Length: 5\r\n"),
      refused("[HTTP-6] a blank before the first field", start + " " + host + rest + crlf),
      refused("[HTTP-6] a line of blanks before the first field",
              start + " \r\n" + host + rest + crlf),
      refused("[HTTP-6] a blank before Host's colon", start + "Host : h\r\n" + rest + crlf),
      refused_field("[HTTP-7] no colon", "Upload-Length\r\n"),
      refused_field("[HTTP-7] no name", ": 5\r\n"),
      refused("[HTTP-7] every line ends with LF", "GET /files/u0000000 HTTP/1.1\nHost: h\n\n"),
      refused("[HTTP-7] the last line ends with LF", start + host + rest + "\n"),
      refused("[HTTP-7] LF CR", start + host + rest + "\n\r"),
      taken("[HTTP-7] what is not ASCII may be in a value",
            patch_upload("X: \xc3\xa4\xff\x80\r\nContent-Length: 5\r\n", "hello")),
      taken("[HTTP-7] a tab may be in a value",
            patch_upload("X: a\tb\r\nContent-Length: 5\r\n", "hello")),
      taken("[HTTP-7] an empty value", patch_upload("X:\r\nContent-Length: 5\r\n", "hello")),
  };
}

// ---- the request line

std::vector<WireCase> line_cases() {
  std::vector<WireCase> cases{
      taken("[HTTP-8] an empty line before", crlf + patch_with_length("hello")),
      {.name = "[HTTP-8] an empty line between",
       .wire = inspects_victim + crlf + inspects_victim + crlf + patch_with_length("hello") + crlf,
       .answers = "200h 200h 204",
       .stored = "hello"},
      refused("[HTTP-8] two empty lines", crlf + crlf + patch_with_length("hello")),
      refused("[HTTP-8] an empty line that ends with LF", "\n" + patch_with_length("hello")),
      refused("[HTTP-8] TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s),
      refused("[HTTP-8] SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
      refused("[HTTP-8] HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
      refused("[HTTP-8] HTTP/0.9", "GET /files/v0000000\r\n"),
      refused_line("PATCH /files/u0000000 HTTP/0.9", "505"),
      refused_line("PATCH /files/u0000000 HTTP/1.2", "505"),
      refused_line("PATCH /files/u0000000 HTTP/2.0", "505"),
      refused_line("PATCH /files/u0000000 HTTP/9.9", "505"),
      refused("[HTTP-12] CONNECT", "CONNECT h:80 HTTP/1.1\r\n" + host + crlf, "501"),
      refused("[HTTP-12] CONNECT of a path", "CONNECT /files/u0000000 HTTP/1.1\r\n" + host + crlf,
              "501"),
  };
  for (std::string line : {"PATCH /files/u0000000 HTTP/1",
                           "PATCH /files/u0000000 HTTP/1.10",
                           "PATCH /files/u0000000 HTTP/01.1",
                           "PATCH /files/u0000000 HTTP/1.1x",
                           "PATCH /files/u0000000 http/1.1",
                           "PATCH /files/u0000000 HTTP/1,1",
                           "PATCH /files/u0000000 HTTPS/1.1",
                           "PATCH /files/u0000000 HTTP /1.1",
                           "PATCH /files/u0000000 HTTP/1.1 ",
                           "PATCH /files/u0000000  HTTP/1.1",
                           "PATCH  /files/u0000000 HTTP/1.1",
                           " PATCH /files/u0000000 HTTP/1.1",
                           "PATCH /files/u00 00000 HTTP/1.1",
                           "PATCH\t/files/u0000000\tHTTP/1.1",
                           "PATCH /files/u0000000 ICY/1.1",
                           "PATCH HTTP/1.1",
                           "/files/u0000000 HTTP/1.1",
                           "PATCH",
                           "HTTP/1.1 200 OK",
                           "(PATCH) /files/u0000000 HTTP/1.1",
                           "PATCH: /files/u0000000 HTTP/1.1",
                           "PATCH /files/u0000000#a HTTP/1.1",
                           "PATCH /files/\xc3\xa4 HTTP/1.1"}) {
    cases.push_back(refused_line(line));
  }
  return cases;
}

std::vector<WireCase> method_cases() {
  const auto answer = [](std::string name, std::string wire, std::string status,
                         std::vector<std::string> has = {}) {
    return WireCase{.name = std::move(name),
                    .wire = std::move(wire),
                    .answers = std::move(status),
                    .has = std::move(has)};
  };
  const std::string of_upload = "Allow: OPTIONS, HEAD, GET, PATCH, DELETE\r\n";
  const std::string of_collection = "Allow: OPTIONS, POST\r\n";
  std::vector<WireCase> cases{
      answer("[HTTP-12] TRACE", request("TRACE", to_upload), "405", {of_upload}),
      answer("[HTTP-12] PUT", request("PUT", to_upload), "405", {of_upload}),
      answer("[HTTP-12] POST of an upload", request("POST", to_upload), "405", {of_upload}),
      answer("[HTTP-12] GET of all", request("GET", "/files/"), "405", {of_collection}),
      answer("[HTTP-12] DELETE of all", request("DELETE", "/files/"), "405", {of_collection}),
      answer("[HTTP-12] DELETE of all, without the slash", request("DELETE", "/files"), "405",
             {of_collection}),
      answer("[HTTP-12] h2c",
             request("HEAD", to_upload,
                     "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                     "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
             "200h"),
      answer("[HTTP-12] websocket",
             request("GET", to_victim,
                     "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
             "200", {"victim"}),
      answer("[HTTP-12] a method of X-HTTP-Method-Override",
             request("POST", to_upload, "X-HTTP-Method-Override: BREW\r\n"), "501"),
      answer("[HTTP-12] CONNECT by X-HTTP-Method-Override",
             request("POST", to_upload, "X-HTTP-Method-Override: CONNECT\r\n"), "405", {of_upload}),
  };
  for (std::string method :
       {"BREW", "PROPFIND", "patch", "Delete", "PATCHX", "XDELETE", "!#$%&'*+-.^_`|~", "M"}) {
    cases.push_back(answer("[HTTP-12] " + method, request(method, to_victim), "501"));
  }
  for (std::string field :
       {"Tus-Resumable: 1.0.0", "Upload-Offset: 0", "Upload-Length: 300", "Upload-Defer-Length: 1",
        "Upload-Concat: partial", "Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
        "Content-Type: application/offset+octet-stream", "X-HTTP-Method-Override: PATCH"}) {
    cases.push_back(answer(
        "[HTTP-13] twice " + field,
        patch_upload(field + crlf + field + crlf + "Content-Length: 5\r\n", "hello"), "400"));
  }
  cases.push_back(
      {.name = "[HTTP-13] Upload-Metadata twice",
       .wire =
           request("POST", "/files/",
                   "Upload-Length: 3\r\nUpload-Metadata: a YQ==\r\nUpload-Metadata: b Yg==\r\n"),
       .answers = "201",
       .created = 1});
  return cases;
}

// ---- limits

std::string line_of(std::size_t size) {
  const std::string frame = "HEAD /files/ HTTP/1.1";
  return "HEAD /files/" + std::string(size - frame.size(), 'x') + " HTTP/1.1\r\n";
}

std::string head_of(std::size_t size) {
  const auto before = "HEAD /files/u0000000 HTTP/1.1\r\n" + host + "X: ";
  return before + std::string(size - before.size() - 4, 'x') + crlf + crlf;
}

std::string fields_of(std::size_t count) {
  auto wire = "HEAD /files/u0000000 HTTP/1.1\r\n" + host;
  for (std::size_t i = 1; i < count; ++i) wire += "X: y\r\n";
  return wire + crlf;
}

std::vector<WireCase> limit_cases() {
  const auto fits = [](std::string name, std::string wire, std::string status) {
    return WireCase{.name = std::move(name), .wire = std::move(wire), .answers = std::move(status)};
  };
  return {
      fits("[HTTP-11] a request line of 8 KiB", line_of(8192) + host + crlf, "404h"),
      refused("[HTTP-11] a request line of 8 KiB and 1", line_of(8193) + host + crlf, "414h"),
      refused("[HTTP-11] a request line without an end", "GET /" + std::string(9000, 'x'), "414"),
      refused("[HTTP-11] a method without an end", std::string(20000, 'x'), "414"),
      fits("[HTTP-11] a head of 32 KiB", head_of(32768), "200h"),
      refused("[HTTP-11] a head of 32 KiB and 1", head_of(32769), "431h"),
      refused("[HTTP-11] a field without an end", start + host + "X: " + std::string(40000, 'x'),
              "431"),
      refused("[HTTP-11] a name without an end", start + host + std::string(40000, 'x'), "431"),
      fits("[HTTP-11] 100 fields", fields_of(100), "200h"),
      refused("[HTTP-11] 101 fields", fields_of(101), "431h"),
      refused("[HTTP-11] fields without an end", fields_of(5000), "431h"),
      refused("[HTTP-11] a head that is followed by megabytes",
              head_of(40000) + std::string(3 << 20, 'x'), "431h"),
  };
}

// ---- the life of a connection

std::vector<WireCase> version_cases() {
  const std::string old = "PATCH /files/u0000000 HTTP/1.0\r\n" + rest;
  return {
      {.name = "[HTTP-16] [HTTP-17] HTTP/1.0 closes",
       .wire = old + "Content-Length: 5\r\n\r\nhello" + deletes_victim,
       .answers = "204",
       .ends = Ends::closed,
       .stored = "hello"},
      {.name = "[HTTP-16] HTTP/1.0 that stays",
       .wire = old + "Connection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello",
       .answers = "204",
       .stored = "hello",
       .has = {"Connection: keep-alive\r\n"}},
      {.name = "[HTTP-16] HTTP/1.0 that wants both",
       .wire =
           old + "Connection: keep-alive, close\r\nContent-Length: 5\r\n\r\nhello" + deletes_victim,
       .answers = "204",
       .ends = Ends::closed,
       .stored = "hello"},
      {.name = "[HTTP-16] [HTTP-21] HTTP/1.0 gets no 100",
       .wire =
           old + "Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
       .answers = "204",
       .stored = "hello",
       .lacks = {"100 Continue"}},
      {.name = "[HTTP-16] [HTTP-21] an expectation of HTTP/1.0",
       .wire = old + "Expect: tea\r\nContent-Length: 5\r\n\r\nhello",
       .answers = "204",
       .ends = Ends::closed,
       .stored = "hello"},
      {.name = "[HTTP-16] a download by HTTP/1.0",
       .wire = "GET /files/v0000000 HTTP/1.0\r\n\r\n" + deletes_victim,
       .answers = "200",
       .ends = Ends::closed,
       .has = {"Content-Length: 6\r\n", "\r\n\r\nvictim"}},
      {.name = "[HTTP-17] close",
       .wire = request("HEAD", to_victim, "Connection: close\r\n") + deletes_victim,
       .answers = "200h",
       .ends = Ends::closed},
      {.name = "[HTTP-17] Close, in a list",
       .wire = request("HEAD", to_victim, "Connection: keep-alive , Close\r\n") + deletes_victim,
       .answers = "200h",
       .ends = Ends::closed},
      {.name = "[HTTP-17] close, in another line",
       .wire =
           request("HEAD", to_victim, "Connection: x\r\nConnection: close\r\n") + deletes_victim,
       .answers = "200h",
       .ends = Ends::closed},
      {.name = "[HTTP-17] close, of an error",
       .wire = request("DELETE", "/files/none", "Connection: close\r\n") + deletes_victim,
       .answers = "404",
       .ends = Ends::closed},
      {.name = "[HTTP-17] something else",
       .wire = request("HEAD", to_victim,
                       "Connection: closed, xclose, content-length\r\nProxy-Connection: close\r\n"),
       .answers = "200h"},
  };
}

TUS_WIRE_CASES(HostCases, host_cases());
TUS_WIRE_CASES(LengthCases, length_cases());
TUS_WIRE_CASES(CodingCases, coding_cases());
TUS_WIRE_CASES(ByteCases, byte_cases());
TUS_WIRE_CASES(FieldCases, field_cases());
TUS_WIRE_CASES(LineCases, line_cases());
TUS_WIRE_CASES(MethodCases, method_cases());
TUS_WIRE_CASES(LimitCases, limit_cases());
TUS_WIRE_CASES(VersionCases, version_cases());

}  // namespace
}  // namespace tus::http_tests
