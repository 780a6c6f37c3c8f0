// Targets that want to be another file than an upload, or another server.
#include "tests/http/wire_case.h"

#include <iterator>

namespace tus::http_tests {
namespace {

using namespace std::string_literals;

// Behind "/files/": what must be nothing to anybody.
std::vector<std::string> evil_ids() {
  const std::string up = "../";
  std::string deep;
  std::string high;
  for (int i = 0; i < 600; ++i) {
    deep += "a/";
    high += up;
  }
  return {
      // another folder
      "..", "../", "../bait", "../../../../../../etc/passwd", ".", "./", "./u0000000", "./p/nested",
      "../files/u0000000", "x/../u0000000", "x/../../bait", "x/./u0000000", "u0000000/..",
      "u0000000/.", "u0000000/", "/u0000000", "//u0000000", "p/../u0000000", "p/../../bait",
      "p/nested/", "p//nested", "p/./nested", "p/x/../nested", "p/nested/.", "p/",
      // encoded
      "%2e%2e", "%2E%2E/bait", "%2e%2e/bait", "%2e%2e%2f", "%2e%2e%2fbait", "..%2f", "..%2fbait",
      "..%2Fbait", ".%2e/bait", "%2e./bait", "p%2fnested", "p%2Fnested", "%70%2fnested",
      "p%2f..%2fu0000000", "p/%2e%2e/u0000000", "p/%2E/nested", "%2fetc%2fpasswd", "%2Fu0000000",
      "u0000000%2f", "u0000000%2F..",
      // encoded twice, or in an encoding of its own
      "%252e%252e%252fbait", "%25252e", "%252fetc", "%2570/nested", "u0000000%25",
      "%c0%ae%c0%ae/bait", "%c0%afetc", "%e0%80%ae", "%uff0e", "%u002e%u002e/bait", "%u0030",
      // cut off by a zero
      "%00", "u0000000%00", "u0000000%00.png", "%00u0000000", "u0000000.info%00", "p%00/nested",
      // ours
      "u0000000.info", "u0000000.lock", "u0000000.stop", "u0000000.part", "u0000000.info/x",
      "u0000000%2einfo", "p/nested.info", "../bait.info", ".tusd", ".tusd/", ".tusd/tmp",
      ".tusd/bait", ".tusd/records.lock", "%2etusd/bait", "p/../.tusd/bait", ".htaccess",
      "x/.hidden", ".info",
      // of other systems
      "..\\bait", "\\..\\bait", "u0000000\\", "p\\nested", "p%5cnested", "%5c..%5cbait",
      "..%5Cbait", "C:\\x", "C:/x", "u0000000:ads", "u0000000::$DATA",
      // for somebody else's parser
      "u0000000;v=1", "u0000000;/../v0000000", "u0000000|x", "u0000000*", "u0000000\"", "u0000000'",
      "u0000000`x`", "u0000000$(x)", "u0000000<x>", "u0000000{x}", "u0000000[x]", "u0000000^",
      "u0000000&x", "u0000000!", "u0000000%20", "%20u0000000", "u0000000%09", "u0000000%0a",
      "u0000000%0d%0aX-Evil:%201", "u0000000%7f", "u0000000%1b[31m", "u0000000%3f", "u0000000%23",
      // no encoding at all
      "%", "%2", "%zz", "u0000000%", "u0000000%4", "%%30", "%-1", "%+1",
      // not ASCII
      "%ff%fe", "%c3%a4", "%e2%80%ae", "%f0%9f%92%a9", "u0000000%ff",
      // long
      std::string(201, 'x'), "p/" + std::string(201, 'x'), std::string(1025, 'x'),
      std::string(7000, 'x'), std::string(5000, '/'), deep + "a", high + "etc/passwd"};
}

// What is not even a target.
std::vector<std::string> no_targets() { return {"\xc3\xa4", "u0000000\xff", "u0000000#x", "\x7f"}; }

std::vector<WireCase> id_cases() {
  std::vector<WireCase> cases;
  for (const auto& id : evil_ids()) {
    const auto target = "/files/" + id;
    const auto name = "[HTTP-14] " + id.substr(0, 60);
    const std::string offset = content_type + "Upload-Offset: 0\r\n";
    cases.push_back(
        {.name = name,
         .wire = request("HEAD", target) + request("GET", target) + request("DELETE", target) +
                 request("PATCH", target, offset + "Content-Length: 5\r\n") + "hello" +
                 request("PATCH", target, offset + "Upload-Length: 5\r\nContent-Length: 5\r\n") +
                 "hello",
         .answers = "404h 404 404 404 404",
         .cuts = Cuts::few});
    cases.push_back(
        {.name = name + ", as a part",
         .wire = request("POST", "/files/", "Upload-Concat: final;/files/" + id + crlf) +
                 request("POST", "/files/", "Upload-Concat: final;http://h/files/" + id + crlf),
         .answers = "400 400",
         .cuts = Cuts::few});
  }
  for (const auto& id : no_targets()) {
    cases.push_back(refused("[HTTP-14] " + id, request("DELETE", "/files/" + id)));
  }
  return cases;
}

std::vector<WireCase> target_cases() {
  const auto head = [](const std::string& target, std::string status,
                       std::vector<std::string> lacks = {}) {
    return WireCase{.name = "[HTTP-14] [HTTP-1] " + target,
                    .wire = request("HEAD", target),
                    .answers = std::move(status),
                    .lacks = std::move(lacks)};
  };
  std::vector<WireCase> cases{
      head("/files/u0000000", "200h"),
      head("/files/p/nested", "200h"),
      head("/files/%70/nest%65d", "200h"),
      head("/files/u0000000?", "200h"),
      head("/files/u0000000?/../../etc/passwd", "200h"),
      head("/files/u0000000?x=%00%0d%0a", "200h"),
      head("http://h/files/u0000000", "200h"),
      head("HTTPS://other:443/files/u0000000", "200h"),
      head("http://h/files/../u0000000", "404h"),
      head("http://h/files/%2e%2e/u0000000", "404h"),
      head("http://h", "404h"),
      head("http://h?/files/u0000000", "404h"),
      head("//h/files/u0000000", "404h"),
      head("//evil/../files/u0000000", "404h"),
      head("/files/../files/u0000000", "404h"),
      head("/./files/u0000000", "404h"),
      head("/x/../files/u0000000", "404h"),
      head("/files%2fu0000000", "404h"),
      head("/%66iles/u0000000", "404h"),
      head("/FILES/u0000000", "404h"),
      head("/filesu0000000", "404h"),
      head("/files;/u0000000", "404h"),
      head("/files\\u0000000", "404h"),
      head("/etc/passwd", "404h"),
      head("/", "404h"),
      {.name = "[HTTP-14] all, with a query",
       .wire = request("POST", "/files/?..%2f", "Upload-Length: 3\r\n"),
       .answers = "201",
       .created = 1,
       .lacks = {"?"}},
      {.name = "[HTTP-14] OPTIONS of the whole server",
       .wire = request("OPTIONS", "*"),
       .answers = "200"},
  };
  for (std::string target :
       {"u0000000", "files/u0000000", "h:80", "*", "http:/files/u0000000", "http:///files/u0000000",
        "http://", "http://a@h/files/u0000000", "http://h:99999/files/u0000000",
        "http://h\\@i/files/u0000000", "http://[::1/files/u0000000", "ftp://h/files/u0000000",
        "file:///etc/passwd", "javascript:alert(1)", "\\\\h\\files", "?", "..",
        "../files/u0000000"}) {
    cases.push_back(refused("[HTTP-14] [HTTP-1] " + target, request("HEAD", target), "400h"));
  }
  return cases;
}

TUS_WIRE_CASES(IdCases, id_cases());
TUS_WIRE_CASES(TargetCases, target_cases());

}  // namespace
}  // namespace tus::http_tests
