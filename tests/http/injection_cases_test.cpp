// What clients, hooks and proxies would like to see in an answer.
#include "tests/http/wire_case.h"

#include <tus/cors.h>

namespace tus::http_tests {
namespace {

using namespace std::string_literals;

// ---- metadata, in downloads and HEAD

WireCase download(std::string name, Metadata metadata, std::vector<std::string> has) {
  return {.name = "[HTTP-32] [DL-9] " + std::move(name),
          .wire = request("GET", to_victim) + request("HEAD", to_victim),
          .answers = "200 200h",
          .has = std::move(has),
          .victim_metadata = std::move(metadata)};
}

WireCase named(std::string name, std::string filename, const std::string& disposition) {
  return download(std::move(name), {{"filename", std::move(filename)}},
                  {"\r\nContent-Disposition: attachment" + disposition + crlf, "\r\n\r\nvictim"});
}

WireCase typed(std::string type, const std::string& content_type_of_it,
               const std::string& disposition) {
  auto name = "filetype " + type;
  return download(std::move(name), {{"filetype", std::move(type)}},
                  {"\r\nContent-Type: " + content_type_of_it + crlf,
                   "\r\nContent-Disposition: " + disposition + crlf});
}

std::vector<WireCase> metadata_cases() {
  const std::string bytes = "application/octet-stream";
  return {
      named("CR LF in a name", "a\r\nX-Evil: 1", "; filename=\"a__X-Evil: 1\""),
      named("CR LF CR LF in a name", "a\r\n\r\n<script>", "; filename=\"a____<script>\""),
      named("LF in a name", "a\nX-Evil: 1", "; filename=\"a_X-Evil: 1\""),
      named("CR in a name", "a\rX-Evil: 1", "; filename=\"a_X-Evil: 1\""),
      named("NUL in a name", "a\0b.html"s, "; filename=\"a_b.html\""),
      named("every control character", "\x01\x02\x08\x0b\x0c\x1b\x1f\x7f",
            "; filename=\"________\""),
      named("quotes in a name", "a\"; filename=\"evil.exe",
            "; filename=\"a_; filename=_evil.exe\"; filename*=UTF-8''"
            "a%22%3B%20filename%3D%22evil.exe"),
      named("a backslash at the end", "a\\", ""),
      named("a quoted quote", "a\\\"b", "; filename=\"_b\"; filename*=UTF-8''%22b"),
      named("a path", "../../../etc/passwd", "; filename=\"passwd\""),
      named("a path of Windows", "..\\..\\boot.ini", "; filename=\"boot.ini\""),
      named("an encoded path", "..%2f..%2fx",
            "; filename=\".._2f.._2fx\"; filename*=UTF-8''..%252f..%252fx"),
      named("UTF-8", "\xc3\xa4.txt", "; filename=\"_.txt\"; filename*=UTF-8''%C3%A4.txt"),
      // The file store has replaced what its records cannot hold.
      download("UTF-8 that is cut off", {{"filename", "a\xc3"}}, {"; filename=\"a_\""}),
      download("a slash that is too long for itself", {{"filename", "a\xc0\xaf.."}},
               {"; filename=\"a_"}),
      named("an encoding of its own", "UTF-8''%0d%0aX-Evil:1",
            "; filename=\"UTF-8''_0d_0aX-Evil:1\"; filename*=UTF-8''"
            "UTF-8%27%27%250d%250aX-Evil%3A1"),
      named("a semicolon", "a; x=y", "; filename=\"a; x=y\""),
      named("no name", "", ""),
      named("a name that is too long", std::string(5000, 'x'), ""),
      typed("text/plain\r\nX-Evil: 1", bytes, "attachment"),
      typed("text/html\r\n\r\n<script>", bytes, "attachment"),
      typed("text/html", "text/html", "attachment"),
      typed("image/svg+xml", "image/svg+xml", "attachment"),
      typed("application/pdf", "application/pdf", "attachment"),
      typed("text/plain", "text/plain", "inline"),
      typed("text/plain\0"s, bytes, "attachment"),
      typed("text/plain; charset=\"\n\"", bytes, "attachment"),
      typed("text/plain, text/html", bytes, "attachment"),
      typed("text", bytes, "attachment"),
      typed("text/\xc3\xa4", bytes, "attachment"),
      typed("*/*", "*/*", "attachment"),
      // As somebody else may have written them into a record.
      download("CR LF in a key", {{"a\r\nX-Evil: 1", "v"}}, {"victim"}),
      download("CR LF alone is a key", {{"\r\n\r\n", "v"}}, {"victim"}),
      download("NUL in a key", {{"a\0b"s, "v"}}, {"victim"}),
      download("a blank and a comma in a key", {{"a b,c", "v"}}, {"victim"}),
      download("an empty key", {{"", "v"}}, {"victim"}),
      download("CR LF in a value", {{"a", "\r\nX-Evil: 1"}},
               {"Upload-Metadata: a DQpYLUV2aWw6IDE="}),
  };
}

// ---- hosts

WireCase created(std::string name, const std::string& fields, std::vector<std::string> has,
                 LocationOptions location = {}) {
  WireCase result{.name = "[HTTP-33] " + std::move(name),
                  .wire = request("POST", "/files/", "Upload-Length: 3\r\n" + fields),
                  .answers = "201",
                  .created = 1,
                  .has = std::move(has),
                  .lacks = {"evil", "<", "\"", "javascript"}};
  result.options.location = std::move(location);
  return result;
}

std::vector<WireCase> host_cases() {
  LocationOptions proxied;
  proxied.behind_proxy = true;
  LocationOptions allowing;
  allowing.allowed_hosts = {"good.example"};
  LocationOptions both = allowing;
  both.behind_proxy = true;
  const std::string own = "Location: http://h/files/";
  const auto forwarded = [](const std::string& fields, const std::string& location) {
    return std::pair(fields, "Location: " + location);
  };
  std::vector<WireCase> cases{
      created(
          "nobody is believed without a proxy",
          "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: javascript\r\nX-Forwarded-Prefix: /evil\r\n"
          "Forwarded: host=evil;proto=https\r\nX-Host: evil\r\nX-Original-URL: "
          "/evil\r\nX-Rewrite-URL: /evil\r\n"
          "X-Forwarded-Server: evil\r\nX-Forwarded-Port: evil\r\nOrigin: evil\r\nReferer: "
          "http://evil/\r\n",
          {own}),
      created("a host that is not allowed", "", {"Location: /files/"}, allowing),
      created("a host that a proxy says and that is not allowed",
              "X-Forwarded-Host: evil.example\r\n", {"Location: /files/"}, both),
      created("a host that a proxy says and that is allowed", "X-Forwarded-Host: good.example\r\n",
              {"Location: http://good.example/files/"}, both),
  };
  for (const auto& [fields, location] : {
           forwarded("X-Forwarded-Host: a.example\r\nX-Forwarded-Proto: "
                     "https\r\nX-Forwarded-Prefix: /p\r\n",
                     "https://a.example/p/files/"),
           forwarded("X-Forwarded-Host: evil/path\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: evil\tX-Evil: 1\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: \"evil\"\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: <script>evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: a@evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: evil\\@h\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: evil:port\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Host: evil\xc3\xa4\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Proto: javascript\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Proto: https://evil/\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: //evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: /\\evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: /../evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: /a\"evil\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: /evil?\r\n", "http://h/files/"),
           forwarded("X-Forwarded-Prefix: /evil%0d%0a\r\n", "http://h/files/"),
           forwarded("Forwarded: host=\"evil\r\n", "http://h/files/"),
           forwarded("Forwarded: host=evil;host=evil\r\n", "http://h/files/"),
           forwarded("Forwarded: host=\"evil/\\\"x\"\r\n", "http://h/files/"),
           forwarded("Forwarded: proto=javascript\r\n", "http://h/files/"),
       }) {
    cases.push_back(created("behind a proxy: " + fields, fields, {location}, proxied));
  }
  return cases;
}

std::vector<WireCase> origin_cases() {
  std::vector<WireCase> cases;
  for (std::string origin :
       {"http://a\tX-Evil: 1", "http://a\"<x>", "null", "*", "http://\xc3\xa4", "a, b", ""}) {
    WireCase row{.name = "[CORS-3] Origin: " + origin,
                 .wire = request("HEAD", to_victim, "Origin: " + origin + crlf),
                 .answers = "200h"};
    row.options.cors.emplace();
    cases.push_back(std::move(row));
  }
  WireCase refused_origin{.name = "[CORS-2] an origin that is refused",
                          .wire = request("DELETE", to_victim, "Origin: http://evil\r\n"),
                          .answers = "403",
                          .lacks = {"evil", "Access-Control-"}};
  refused_origin.options.cors.emplace().allows_origin = [](std::string_view) { return false; };
  cases.push_back(std::move(refused_origin));
  return cases;
}

// ---- hooks

Response reply_with(int status, std::vector<Field> fields, std::string body = "") {
  Response response(status);
  for (auto& field : fields) response.fields.add(std::move(field.name), std::move(field.value));
  response.body = std::move(body);
  return response;
}

WireCase hooked(std::string name, Response response, std::string answers,
                std::vector<std::string> has = {}, std::vector<std::string> lacks = {}) {
  WireCase result{.name = "[HTTP-48] " + std::move(name),
                  .wire = request("POST", "/files/", "Upload-Length: 3\r\n") + inspects_victim,
                  .answers = std::move(answers) + " 200h",
                  .created = 1,
                  .has = std::move(has),
                  .lacks = std::move(lacks)};
  result.hook_reply.emplace().response = std::move(response);
  return result;
}

std::vector<WireCase> hook_cases() {
  const std::string location = "Location: http://h/files/";
  std::vector<WireCase> cases{
      hooked("what a hook may say", reply_with(202, {{"X-Hook", "a"}}, "hello\n"), "202",
             {"X-Hook: a\r\n", location, "Content-Length: 6\r\n", "\r\n\r\nhello\n"}),
      hooked("CR LF in a value", reply_with(0, {{"X-Hook", "a\r\nX-Evil: 1"}}), "201", {location},
             {"X-Hook"}),
      hooked("CR LF CR LF in a value",
             reply_with(0, {{"X-Hook", "a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"}}), "201", {location},
             {"X-Hook"}),
      hooked("LF in a value", reply_with(0, {{"X-Hook", "a\nX-Evil: 1"}}), "201", {location},
             {"X-Hook"}),
      hooked("CR in a value", reply_with(0, {{"X-Hook", "a\rX-Evil: 1"}}), "201", {location},
             {"X-Hook"}),
      hooked("NUL in a value", reply_with(0, {{"X-Hook", "a\0b"s}}), "201", {location}, {"X-Hook"}),
      hooked("CR LF in a name", reply_with(0, {{"X-Hook: a\r\nX-Evil", "1"}}), "201", {location},
             {"X-Hook"}),
      hooked("a colon in a name", reply_with(0, {{"X-Evil: 1, X-Hook", "1"}}), "201", {location},
             {"X-Hook"}),
      hooked("a blank in a name", reply_with(0, {{"X-Hook ", "1"}}), "201", {location}, {"X-Hook"}),
      hooked("no name", reply_with(0, {{"", "1"}}), "201", {location}),
      hooked("CR LF in Location leaves ours",
             reply_with(0, {{"Location", "http://x/\r\nX-Evil: 1"}}), "201", {location}),
      hooked("another length",
             reply_with(201, {{"Content-Length", "1000"}, {"content-length", "0"}}, "hello\n"),
             "201", {"Content-Length: 6\r\n"}),
      hooked("another framing",
             reply_with(201, {{"Transfer-Encoding", "chunked"}, {"TRAILER", "X"}}, "hello\n"),
             "201", {"Content-Length: 6\r\n"}, {"chunked", "TRAILER"}),
      hooked("another connection",
             reply_with(0, {{"Connection", "close"},
                            {"Keep-Alive", "timeout=1"},
                            {"Upgrade", "h2c"},
                            {"Date", "today"}}),
             "201", {}, {"timeout=1", "h2c", "today"}),
      hooked("no body with a 204", reply_with(204, {}, "hello\n"), "204", {}, {"hello"}),
      hooked("no body with a 304", reply_with(304, {}, "hello\n"), "304", {}, {"hello"}),
      hooked(
          "a body that looks like an answer",
          reply_with(201, {{"Content-Type", "text/plain"}}, "HTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n"),
          "201", {"Content-Length: 30\r\n"}),
  };
  for (int status : {-1, 0, 1, 99, 100, 101, 103, 199, 600, 999, 1000, 20000}) {
    cases.push_back(
        hooked("status " + std::to_string(status), reply_with(status, {}), "201", {location}));
  }
  WireCase refusal = hooked(
      "a refusal with all of that",
      reply_with(403, {{"X-Hook", "a\r\nX-Evil: 1"}, {"Content-Length", "3"}}, "ERR_NO: not you\n"),
      "403", {"Content-Length: 16\r\n"}, {"X-Hook"});
  refusal.hook_reply->reject = true;
  refusal.created = 0;
  cases.push_back(std::move(refusal));
  // [HTTP-18] Its body is not asked for.
  WireCase unasked = hooked("a refusal of what expects to be asked", reply_with(403, {}), "403");
  unasked.wire =
      request("POST", "/files/",
              content_type + "Upload-Length: 5\r\nContent-Length: 5\r\nExpect: 100-continue\r\n");
  unasked.after_answers = "hello" + deletes_victim;
  unasked.answers = "403";
  unasked.ends = Ends::closed;
  unasked.created = 0;
  unasked.hook_reply->reject = true;
  unasked.lacks = {"100 Continue"};
  cases.push_back(std::move(unasked));
  for (const std::string& id : {"../x"s, "/etc/passwd"s, "a\r\nX-Evil: 1"s, "a\0b"s, ""s,
                                ".tusd/x"s, "a.info"s, "a b"s, "\xc3\xa4"s}) {
    WireCase row = hooked("id " + id, Response(0), "500");
    row.hook_reply->response.reset();
    row.hook_reply->id = id;
    row.created = 0;
    cases.push_back(std::move(row));
  }
  WireCase metadata = hooked("metadata", Response(0), "201", {location});
  metadata.hook_reply->response.reset();
  metadata.hook_reply->id = "hooked";
  metadata.hook_reply->metadata =
      Metadata{{"a\r\nX-Evil: 1", "v"}, {"filename", "a\r\nX-Evil: 1"}, {"", "v"}};
  metadata.wire += request("HEAD", "/files/hooked") + request("DELETE", "/files/hooked");
  metadata.answers += " 200h 204";
  metadata.created = 0;
  cases.push_back(std::move(metadata));
  return cases;
}

TUS_WIRE_CASES(MetadataCases, metadata_cases());
TUS_WIRE_CASES(HostInjectionCases, host_cases());
TUS_WIRE_CASES(OriginCases, origin_cases());
TUS_WIRE_CASES(HookCases, hook_cases());

}  // namespace
}  // namespace tus::http_tests
