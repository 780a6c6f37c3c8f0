// Bodies: where they end, what must not be read out of them, and answers that come before their end.
#include "tests/http/wire_case.h"

namespace tus::http_tests {
namespace {

using namespace std::string_literals;

WireCase taken(std::string name, std::string wire, std::string stored = "hello") {
  return {.name = std::move(name),
          .wire = std::move(wire),
          .answers = "204",
          .stored = std::move(stored)};
}

// A chunked body that breaks after `stored`: 400, and nothing behind it is looked at.
WireCase broken(const std::string& chunks, std::string stored = "") {
  return {.name = "[HTTP-9] " + chunks.substr(0, 60),
          .wire = patch_chunked(chunks),
          .behind = deletes_victim,
          .answers = "400",
          .ends = Ends::closed,
          .stored = std::move(stored)};
}

WireCase broken_trailer(std::string name, const std::string& trailers) {
  return {.name = "[HTTP-10] " + std::move(name),
          .wire = patch_chunked(chunk("hello") + "0\r\n" + trailers + crlf),
          .behind = deletes_victim,
          .answers = "400",
          .ends = Ends::closed,
          .stored = "hello"};
}

std::vector<WireCase> chunk_cases() {
  const auto good = [](const std::string& chunks, std::string stored = "hello") {
    return taken("[HTTP-9] " + chunks.substr(0, 60), patch_chunked(chunks), std::move(stored));
  };
  std::vector<WireCase> cases{
      good(chunk("hello") + last_chunk),
      good(chunk("h") + chunk("ell") + chunk("o") + last_chunk),
      good(last_chunk, ""),
      good("00000000000000000\r\n\r\n"s.substr(1), ""),
      good("0000000000000005\r\nhello\r\n" + last_chunk),
      good("A\r\n0123456789\r\na\r\n0123456789\r\n" + last_chunk, "01234567890123456789"),
      good("5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n"),
      good("5 \t;a\r\nhello\r\n" + last_chunk),
      good("5;" + std::string(1024, 'x') + "\r\nhello\r\n" + last_chunk),
      good("2\r\n\r\n\r\n3\r\n0\r\n\r\n" + last_chunk, "\r\n0\r\n"),
      broken("00000000000000005\r\nhello\r\n" + last_chunk),
      broken("8000000000000000\r\nhello\r\n" + last_chunk),
      broken("ffffffffffffffff\r\nhello\r\n" + last_chunk),
      broken("fffffffffffffffb\r\nhello\r\n" + last_chunk),
      broken("10000000000000005\r\nhello\r\n" + last_chunk),
      broken("5\r\nhello0\r\n\r\n", "hello"),
      broken("5\r\nhello\n0\r\n\r\n", "hello"),
      broken("5\r\nhello\r0\r\n\r\n", "hello"),
      broken("5\r\nhello\r\r\n0\r\n\r\n", "hello"),
      broken("5\r\nhello\r\n\r\n0\r\n\r\n", "hello"),
      broken("3\r\nhello\r\n0\r\n\r\n", "hel"),
      broken("5\r\nhello\r\nworld\r\n0\r\n\r\n", "hello"),
      broken(chunk("hello") + "0\r\n", "hello"),  // what follows is no trailer
      broken(chunk("hello") + "0\n\n", "hello"),
      broken(chunk("hello") + "0\r\n\n", "hello"),
      broken(chunk("hello") + "0\r\n\rX", "hello"),
      broken("5;" + std::string(1025, 'x') + "\r\nhello\r\n" + last_chunk),
      broken("5" + std::string(20, ' ') + ";a\r\nhello\r\n" + last_chunk),
      broken("5;a\0b\r\nhello\r\n0\r\n\r\n"s),
      broken("5;a\x01\r\nhello\r\n0\r\n\r\n"),
  };
  for (std::string size : {"", "-5", "+5", "0x5", " 5", "\t5", "5 ", "5\t", "5.", "5h", "g", ";",
                           ";a=b", "five", "\xef\xbc\x95"}) {
    cases.push_back(broken(size + "\r\nhello\r\n" + last_chunk));
  }
  for (std::string line : {"5\n", "5\r", "5;a\n", "5;a\r", "\n", "\r"}) {
    cases.push_back(broken(line + "hello\r\n" + last_chunk));
  }
  // Extensions cost as much as data: they may not outweigh it for long.
  std::string bloated;
  for (int i = 0; i < 40; ++i) bloated += "1;" + std::string(900, 'x') + "\r\n.\r\n";
  WireCase heavy = broken(bloated, std::string(18, '.'));
  heavy.name = "[HTTP-9] extensions that outweigh the data";
  cases.push_back(std::move(heavy));
  return cases;
}

std::vector<WireCase> trailer_cases() {
  const auto good = [](std::string name, const std::string& trailers) {
    return taken("[HTTP-10] " + std::move(name),
                 patch_chunked(chunk("hello") + "0\r\n" + trailers + crlf) + inspects_victim);
  };
  std::string many;
  for (int i = 0; i < 32; ++i) many += "X: y\r\n";
  std::vector<WireCase> cases{
      good("unknown ones", "X: y\r\nZ:\r\n"),
      good("what would change the request",
           "Content-Length: 9\r\nTransfer-Encoding: gzip\r\nHost: evil\r\nConnection: "
           "close\r\nExpect: tea\r\n"
           "Upload-Offset: 7\r\nUpload-Length: 5\r\nTus-Resumable: "
           "0.0.0\r\nX-HTTP-Method-Override: DELETE\r\n"
           "Content-Type: text/plain\r\nAuthorization: x\r\nX-Forwarded-Host: evil\r\n"),
      good("32 of them", many),
      good("8 KiB", "X: " + std::string(8192 - 3, 'x') + crlf),
      broken_trailer("33 of them", many + "X: y\r\n"),
      broken_trailer("8 KiB and 1", "X: " + std::string(8192 - 2, 'x') + crlf),
      broken_trailer("without an end", "X: " + std::string(20000, 'x')),
      broken_trailer("a folded line", "X: y\r\n z\r\n"),
      broken_trailer("a blank before the first", " X: y\r\n"),
      broken_trailer("a blank before the colon", "X : y\r\n"),
      broken_trailer("no colon", "X\r\n"),
      broken_trailer("no name", ": y\r\n"),
      broken_trailer("NUL", "X: \0\r\n"s),
      broken_trailer("bare LF", "X: y\n"),
      broken_trailer("bare CR", "X: y\rZ: z\r\n"),
      broken_trailer("a request line", "GET / HTTP/1.1\r\n"),
      broken_trailer("a request line with a colon", "GET http://h/ HTTP/1.1\r\n"),
  };
  for (auto& row : cases) {
    if (row.answers == "204") row.answers = "204 200h";
  }
  cases.push_back(
      {.name = "[HTTP-10] [CHECK-61] a checksum that does not match",
       .wire = patch_upload("Trailer: Upload-Checksum\r\n" + chunked_coding,
                            chunk("hello") +
                                "0\r\nUpload-Checksum: sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n") +
               inspects_victim,
       .answers = "460 200h"});
  cases.push_back(
      {.name = "[HTTP-10] [CHECK-60] a checksum that was to come behind a broken trailer",
       .wire = patch_upload("Trailer: Upload-Checksum\r\n" + chunked_coding,
                            chunk("hello") + "0\r\nX : y\r\n\r\n" + deletes_victim),
       .answers = "400",
       .ends = Ends::closed});
  return cases;
}

// A body with a request in it, and one behind it.
std::vector<WireCase> pipelining_cases() {
  const auto sized = [](const std::string& body) {
    return "Content-Length: " + std::to_string(body.size()) + crlf;
  };
  const auto with_trap = [&](const std::string& method, const std::string& target,
                             const std::string& fields = "") {
    return request(method, target, fields + sized(deletes_victim)) + deletes_victim;
  };
  const auto row = [](std::string name, std::string wire, std::string answers,
                      std::optional<std::string> stored = "", unsigned created = 0) {
    return WireCase{.name = "[HTTP-15] " + std::move(name),
                    .wire = std::move(wire),
                    .behind = inspects_victim,
                    .answers = std::move(answers) + " 200h",
                    .stored = std::move(stored),
                    .created = created};
  };
  const std::string at_7 = content_type + "Upload-Offset: 7\r\n";
  const std::string trap_in_two =
      chunk(deletes_victim.substr(0, 30)) + chunk(deletes_victim.substr(30)) + last_chunk;
  std::string heads;
  std::string head_answers;
  for (int i = 0; i < 40; ++i) {
    heads += inspects_victim;
    head_answers += i == 0 ? "200h" : " 200h";
  }
  std::vector<WireCase> cases{
      row("a PATCH whose body is a request", patch_with_length(deletes_victim), "204",
          deletes_victim),
      row("a PATCH whose chunk is a request", patch_chunked(chunk(deletes_victim) + last_chunk),
          "204", deletes_victim),
      row("a PATCH whose chunks are a request", patch_chunked(trap_in_two), "204", deletes_victim),
      row("a PATCH whose extension is nearly a request",
          patch_chunked("5;DELETE /files/v0000000 HTTP/1.1\r\nhello\r\n" + last_chunk), "204",
          "hello"),
      row("a PATCH that is refused", with_trap("PATCH", to_upload, at_7), "409"),
      row("a PATCH of nothing", with_trap("PATCH", "/files/none", at_7), "404"),
      row("a PATCH without a type", with_trap("PATCH", to_upload, "Upload-Offset: 0\r\n"), "415"),
      row("a PATCH without an offset", with_trap("PATCH", to_upload, content_type), "400"),
      row("a body that nobody asked for: HEAD", with_trap("HEAD", to_upload), "200h"),
      row("a body that nobody asked for: GET", with_trap("GET", to_victim), "200"),
      row("a body that nobody asked for: OPTIONS", with_trap("OPTIONS", "/files/"), "200"),
      row("a body that nobody asked for: DELETE", with_trap("DELETE", to_upload), "204",
          std::nullopt),
      row("a body that nobody asked for: POST",
          with_trap("POST", "/files/", "Upload-Length: 9\r\n"), "201", "", 1),
      row("a body that nobody asked for: elsewhere", with_trap("POST", "/elsewhere"), "404"),
      row("a body of a method that is not allowed", with_trap("PUT", to_upload), "405"),
      row("a body of a method that nobody knows", with_trap("BREW", to_upload), "501"),
      row("a creation with its body",
          with_trap("POST", "/files/", content_type + "Upload-Length: 999\r\n"), "201", "", 1),
      row("a body by X-HTTP-Method-Override",
          with_trap("POST", to_upload,
                    content_type + "Upload-Offset: 0\r\nX-HTTP-Method-Override: PATCH\r\n"),
          "204", deletes_victim),
      row("a GET that is a PATCH by X-HTTP-Method-Override",
          with_trap("GET", to_upload,
                    content_type + "Upload-Offset: 0\r\nX-HTTP-Method-Override: PATCH\r\n"),
          "204", deletes_victim),
      row("[HTTP-29] [CORE-8] the method on the wire says whether a body is sent",
          request("HEAD", "/files/none", "X-HTTP-Method-Override: DELETE\r\n") +
              request("HEAD", "/files/", "X-HTTP-Method-Override: GET\r\n") +
              request("HEAD", to_victim, "X-HTTP-Method-Override: GET\r\n") +
              request("GET", to_victim, "X-HTTP-Method-Override: HEAD\r\n"),
          "404h 405h 200h 200"),
      row("[HTTP-29] answers without a body",
          request("GET", to_victim, "If-None-Match: *\r\n") +
              request("HEAD", to_victim, "Range: bytes=0-1\r\n") + request("HEAD", "/files/none") +
              request("GET", to_victim, "Range: bytes=1-2\r\n") +
              request("GET", to_victim, "Range: bytes=99-\r\n") + request("DELETE", to_upload),
          "304 200h 404h 206 416 204", std::nullopt),
      row("an empty body", patch_upload("Content-Length: 0\r\n", ""), "204"),
      row("no body", patch_upload("", ""), "204"),
      row("one after the other",
          patch_with_length("hello") + inspects_victim +
              request("PATCH", to_upload,
                      content_type + "Upload-Offset: 5\r\nContent-Length: 6\r\n") +
              " world" +
              request("PATCH", to_upload, content_type + "Upload-Offset: 11\r\n" + chunked_coding) +
              chunk("!") + last_chunk,
          "204 200h 204 204", "hello world!"),
      {.name = "[HTTP-15] many", .wire = heads, .answers = head_answers, .cuts = Cuts::few},
      {.name = "[HTTP-15] the request behind a body is carried out once",
       .wire = patch_with_length("hello") + deletes_victim + deletes_victim,
       .answers = "204 204 404",
       .stored = "hello",
       .victim = std::nullopt},
      {.name = "[HTTP-15] the request behind chunks is carried out once",
       .wire = patch_chunked(chunk("hello") + last_chunk) + deletes_victim + deletes_victim,
       .answers = "204 204 404",
       .stored = "hello",
       .victim = std::nullopt},
      {.name = "[HTTP-15] [HTTP-3] more than was announced is no body",
       .wire = patch_upload("Content-Length: 5\r\n", "hello world\r\n\r\n" + deletes_victim),
       .answers = "204 400",
       .ends = Ends::closed,
       .stored = "hello"},
      {.name = "[HTTP-15] behind a request that closes",
       .wire = patch_upload("Connection: close\r\nContent-Length: 5\r\n", "hello" + deletes_victim),
       .answers = "204",
       .ends = Ends::closed,
       .stored = "hello"},
  };
  return cases;
}

std::vector<WireCase> expect_cases() {
  const std::string expect = "Expect: 100-continue\r\n";
  const auto wrong = [](const std::string& line) {
    return WireCase{
        .name = "[HTTP-21] " + line,
        .wire = patch_upload(line + "\r\nContent-Length: 5\r\n", "hello" + deletes_victim),
        .answers = "417",
        .ends = Ends::closed};
  };
  const auto early = [&](std::string name, std::string head, std::string status) {
    // Who was not told to go on may send its body or not: only it knows which, so the connection cannot go on.
    return WireCase{.name = "[HTTP-19] " + std::move(name),
                    .wire = std::move(head),
                    .answers = std::move(status),
                    .ends = Ends::closed,
                    .after_answers = "hello" + deletes_victim,
                    .lacks = {"100 Continue"}};
  };
  const std::string five = "Content-Length: 5\r\n" + expect;
  return {
      taken("[HTTP-18] [HTTP-20] with its body",
            patch_upload(expect + "Content-Length: 5\r\n", "hello")),
      taken("[HTTP-18] [HTTP-20] with chunks",
            patch_upload(expect + chunked_coding, chunk("hello") + last_chunk)),
      taken("[HTTP-18] in other letters",
            patch_upload("EXPECT: 100-Continue\r\nContent-Length: 5\r\n", "hello")),
      taken("[HTTP-18] twice", patch_upload(expect + expect + "Content-Length: 5\r\n", "hello")),
      {.name = "[HTTP-18] without a body",
       .wire =
           request("HEAD", to_upload, expect) + patch_upload(expect + "Content-Length: 0\r\n", ""),
       .answers = "200h 204",
       .lacks = {"100 Continue"}},
      wrong("Expect: tea"),
      wrong("Expect:"),
      wrong("Expect: 100-continue, tea"),
      wrong("Expect: 100-continue, 100-continue"),
      wrong("Expect: 100-continue;q=1"),
      wrong("Expect: \"100-continue\""),
      wrong("Expect: 100"),
      wrong("Expect: 100-continue\r\nExpect: tea"),
      early("a wrong offset",
            request("PATCH", to_upload, content_type + "Upload-Offset: 7\r\n" + five), "409"),
      early("nothing there",
            request("PATCH", "/files/none", content_type + "Upload-Offset: 0\r\n" + five), "404"),
      early("a wrong type",
            request("PATCH", to_upload, "Content-Type: text/plain\r\nUpload-Offset: 0\r\n" + five),
            "415"),
      early("a wrong version",
            "PATCH /files/u0000000 HTTP/1.1\r\n" + host + content_type + "Upload-Offset: 0\r\n" +
                five + crlf,
            "412"),
      early("too long", patch_upload("Content-Length: 301\r\n" + expect, ""), "413"),
      early("a creation without a length", request("POST", "/files/", content_type + five), "400"),
      early("chunks",
            request("PATCH", to_upload,
                    content_type + "Upload-Offset: 7\r\n" + expect + chunked_coding),
            "409"),
      {.name = "[HTTP-19] [HTTP-20] the body comes with the head of a request that is refused",
       .wire = request("PATCH", to_upload, content_type + "Upload-Offset: 7\r\n" + five) + "hello",
       .answers = "409",
       .ends = Ends::told,
       .lacks = {"100 Continue"}},
  };
}

// The answer comes while there is more to come.
std::vector<WireCase> early_cases() {
  constexpr std::size_t small = 256 * 1024;
  const auto sized = [](std::size_t size) {
    return request(
        "PATCH", to_upload,
        content_type + "Upload-Offset: 7\r\nContent-Length: " + std::to_string(size) + crlf);
  };
  const std::string chunked_head =
      request("PATCH", to_upload, content_type + "Upload-Offset: 7\r\n" + chunked_coding);
  const auto row = [](std::string name, std::string wire, std::string answers, Ends ends,
                      std::string after) {
    return WireCase{.name = std::move(name),
                    .wire = std::move(wire),
                    .answers = std::move(answers),
                    .ends = ends,
                    .cuts = Cuts::few,
                    .after_answers = std::move(after)};
  };
  return {
      row("[HTTP-24] a small rest", sized(small) + "hello", "409", Ends::open,
          std::string(small - 5, 'x')),
      row("[HTTP-24] a small rest that has a request in it",
          sized(deletes_victim.size() * 2) + deletes_victim, "409", Ends::open, deletes_victim),
      row("[HTTP-24] [HTTP-27] too long by a byte", patch_upload("Content-Length: 301\r\n", ""),
          "413", Ends::open, std::string(301, 'x')),
      row("[HTTP-25] a big rest", sized(small + 1), "409", Ends::closed,
          std::string(small + 1, 'x')),
      row("[HTTP-25] a bigger rest", sized(1 << 30) + std::string(5000, 'x'), "409", Ends::closed,
          std::string(900 * 1024, 'x')),
      row("[HTTP-25] a rest that is there already", sized(1 << 30) + std::string(900 * 1024, 'x'),
          "409", Ends::closed, ""),
      row("[HTTP-25] [HTTP-27] far too long",
          patch_upload("Content-Length: 9999999999\r\n", std::string(3000, 'x')), "413",
          Ends::closed, std::string(900 * 1024, 'x')),
      row("[HTTP-25] chunks of which nobody knows how many", chunked_head + chunk("hello"), "409",
          Ends::closed, chunk("world") + last_chunk + deletes_victim),
      row("[HTTP-25] many chunks", chunked_head, "409", Ends::closed,
          chunk(std::string(900 * 1024, 'x')) + last_chunk),
      row("[HTTP-24] all chunks are there", chunked_head + chunk("hello") + last_chunk, "409",
          Ends::told, ""),
      row("[HTTP-25] chunks that are none", chunked_head + "x\r\n" + deletes_victim, "409",
          Ends::closed, ""),
      row("[HTTP-25] a body of a head that is refused",
          patch_upload("Expect: tea\r\nContent-Length: 9999999\r\n", ""), "417", Ends::closed,
          std::string(900 * 1024, 'x')),
      row("[HTTP-25] a body elsewhere",
          request("POST", "/elsewhere", "Content-Length: 9999999\r\n"), "404", Ends::closed,
          std::string(900 * 1024, 'x')),
      {.name = "[HTTP-27] [CORE-28] chunks that are longer than the upload",
       .wire =
           patch_chunked(chunk(std::string(200, 'a')) + chunk(std::string(200, 'b')) + last_chunk),
       .answers = "413",
       .ends = Ends::told,
       .stored = std::string(200, 'a') + std::string(99, 'b'),
       .cuts = Cuts::few},
  };
}

std::vector<WireCase> half_close_cases() {
  const auto row = [](std::string name, std::string wire, std::string answers,
                      std::string stored = "") {
    return WireCase{.name = "[HTTP-28] " + std::move(name),
                    .wire = std::move(wire),
                    .answers = std::move(answers),
                    .stored = std::move(stored),
                    .half_close = true};
  };
  return {
      row("nothing", "", ""),
      row("an empty line", crlf, ""),
      row("a part of a request line", "PATCH /fil", ""),
      row("a head without its end", "PATCH /files/u0000000 HTTP/1.1\r\n" + host, ""),
      row("a request", inspects_victim, "200h"),
      row("a body with a length", patch_with_length("hello"), "204", "hello"),
      row("chunks", patch_chunked(chunk("hello") + last_chunk), "204", "hello"),
      row("two requests", patch_with_length("hello") + inspects_victim, "204 200h", "hello"),
      row("one request and a part of another",
          patch_with_length("hello") + "DELETE /files/v0000000 HTTP/1.1\r\n", "204", "hello"),
      row("a part of a body with a length", patch_upload("Content-Length: 9\r\n", "hello"), "500",
          "hello"),
      row("no byte of a body with a length", patch_upload("Content-Length: 9\r\n", ""), "500"),
      row("no chunk", patch_chunked(""), "500"),
      row("a part of a size", patch_chunked("0"), "500"),
      row("a part of a chunk", patch_chunked("9\r\nhello"), "500", "hello"),
      row("a chunk without its line end", patch_chunked("5\r\nhello"), "500", "hello"),
      row("a chunk that is not the last one", patch_chunked(chunk("hello")), "500", "hello"),
      row("the last chunk without its end", patch_chunked(chunk("hello") + "0\r\n"), "500",
          "hello"),
      row("[CHECK-60] a part of a body that has a checksum",
          patch_upload(
              "Upload-Checksum: sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=\r\nContent-Length: 9\r\n",
              "hello"),
          "500"),
      row("a part of a trailer", patch_chunked(chunk("hello") + "0\r\nX: y"), "500", "hello"),
  };
}

TUS_WIRE_CASES(ChunkCases, chunk_cases());
TUS_WIRE_CASES(TrailerCases, trailer_cases());
TUS_WIRE_CASES(PipeliningCases, pipelining_cases());
TUS_WIRE_CASES(ExpectCases, expect_cases());
TUS_WIRE_CASES(EarlyCases, early_cases());
TUS_WIRE_CASES(HalfCloseCases, half_close_cases());

}  // namespace
}  // namespace tus::http_tests
