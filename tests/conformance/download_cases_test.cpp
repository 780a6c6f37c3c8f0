// GET of uploads, and pages of other origins.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

const std::string metadata =
    "Upload-Metadata: filename aC50eHQ=,filetype dGV4dC9wbGFpbg==";  // h.txt, text/plain
const std::string incomplete =
    "400\n!ETag\n\nERR_INCOMPLETE_UPLOAD: cannot stream non-finished upload\n";

// [DL-1] [DL-8] [DL-9] [DL-10] [HTTP-32]
TEST_P(Conformance, a_download) {
  talk({{post_content("Upload-Length: 11\n" + metadata), whole("hello world"), "201"},
        {"GET {}\n-Tus-Resumable",
         "200\nContent-Type: text/plain\nContent-Disposition: inline; filename=\"h.txt\"\n"
         "Content-Security-Policy: sandbox\nAccept-Ranges: bytes\nETag: \"*\n!Content-Range\n"
         "!Cache-Control\n\nhello world"},
        {"GET {}\nTus-Resumable: 9.9.9", "200\n\nhello world"},
        {"POST {}\nX-HTTP-Method-Override: GET", "200\n\nhello world"},
        {head(), "200\nUpload-Offset: 11\nAccept-Ranges: bytes\nETag: \"*\n!Content-Type"},
        {"GET {}", "200\n\nhello world"}});
  expect_stored("hello world");
}

// [DL-1]
TEST_P(Conformance, a_download_of_nothing) {
  talk({{post("Upload-Length: 0"), "201"},
        {"GET {}",
         "200\nContent-Type: application/octet-stream\nContent-Disposition: attachment\n\n"},
        {"GET {}\nRange: bytes=0-", "416\nContent-Range: bytes */0"},
        {"GET {}\nRange: bytes=-1", "200\n!Content-Range\n\n"}});
}

// [DL-1] Longer than what is moved at once.
TEST_P(Conformance, a_download_in_many_pieces) {
  std::string bytes;
  for (int i = 0; bytes.size() < 3'000'000; ++i) bytes += std::to_string(i) + ' ';
  const auto length = std::to_string(bytes.size());
  const auto last = std::to_string(bytes.size() - 1);
  talk({{post_content("Upload-Length: " + length), Body(Body::Framing::length, bytes), "201"},
        {"GET {}", "200\n\n" + bytes},
        {"GET {}\nRange: bytes=1000000-", "206\nContent-Range: bytes 1000000-" + last + "/" +
                                              length + "\n\n" + bytes.substr(1000000)},
        {"GET {}", "200\n\n" + bytes}});
}

// [DL-2] [DL-3] [DL-4]
TEST_P(Conformance, ranges) {
  const auto part = [](const std::string& range, const std::string& bytes) {
    return "206\nContent-Range: bytes " + range + "/11\nETag: \"*\nAccept-Ranges: bytes\n\n" +
           bytes;
  };
  const std::string all = "200\n!Content-Range\n\nhello world";
  const std::string none =
      "416\nContent-Range: bytes */11\n!Content-Disposition\n\n"
      "ERR_RANGE_NOT_SATISFIABLE: the requested range is not in the upload\n";
  talk({{post_content("Upload-Length: 11"), whole("hello world"), "201"},
        {"GET {}\nRange: bytes=0-4", part("0-4", "hello")},
        {"GET {}\nRange: bytes=6-", part("6-10", "world")},
        {"GET {}\nRange: bytes=10-10", part("10-10", "d")},
        {"GET {}\nRange: bytes=4-99", part("4-10", "o world")},
        {"GET {}\nRange: bytes=0-", part("0-10", "hello world")},
        {"GET {}\nRange: bytes=-5", part("6-10", "world")},
        {"GET {}\nRange: bytes=-99", part("0-10", "hello world")},
        {"GET {}\nRange: bytes=11-", none},
        {"GET {}\nRange: bytes=-0", none},
        {"GET {}\nRange: bytes=0-1,3-4", all},
        {"GET {}\nRange: bytes=4-3", all},
        {"GET {}\nRange: lines=1-2", all},
        {"GET {}\nRange: bytes=0-4\nRange: bytes=0-4", all},
        {"HEAD {}\nRange: bytes=0-4", "200\nUpload-Offset: 11\n!Content-Range"}});
}

// [DL-5] [DL-7]
TEST_P(Conformance, conditions_on_tags) {
  const std::string other = "\"other\"";
  talk(
      {{post_content("Upload-Length: 5"), whole("hello"), "201"},
       {"GET {}\nIf-None-Match: *", "304\nETag: \"*\n!Content-Type\n!Content-Range\n\n"},
       {"GET {}\nIf-None-Match: " + other, "200\n\nhello"},
       {"GET {}\nIf-Match: *", "200\n\nhello"},
       {"GET {}\nIf-Match: " + other + "\nRange: bytes=0-1",
        "412\n!Tus-Version\n\nERR_PRECONDITION_FAILED: a condition of the request does not hold\n"},
       {"GET {}\nIf-Range: " + other + "\nRange: bytes=0-1", "200\n!Content-Range\n\nhello"},
       {"GET {}\nIf-None-Match: *\nRange: bytes=0-1", "304"},
       {"GET {}", "200\n\nhello"}});
}

// [DL-11] [DL-13]
TEST_P(Conformance, what_cannot_be_downloaded) {
  talk({{post("Upload-Length: 5"), "201"},
        {"GET {}", incomplete},
        {patch(0), whole("hel"), "204"},
        {"GET {}\nRange: bytes=0-1", incomplete},
        {"GET {}\nIf-None-Match: *", incomplete},
        {patch(3), whole("lo"), "204"},
        {"GET {}", "200\n\nhello"},
        {"DELETE {}", "204"},
        {"GET {}", "404\n\nERR_UPLOAD_NOT_FOUND: upload not found\n"},
        {"GET /files/nothing", "404"},
        {post("Upload-Defer-Length: 1"), "201"},
        {patch(0), whole("hello"), "204"},
        {"GET {}", incomplete}});
}

// [DL-14]
TEST_P(Conformance, downloads_switched_off) {
  options.allow_download = false;
  talk({{post_content("Upload-Length: 5"), whole("hello"), "201"},
        {"GET {}", "405\nAllow: OPTIONS, HEAD, PATCH, DELETE\n\nmethod not allowed"},
        {head(), "200\nUpload-Offset: 5\n!ETag\n!Accept-Ranges"}});
}

// [TERM-79]
TEST_P(Conformance, termination_switched_off) {
  options.allow_termination = false;
  talk({{"OPTIONS /files/",
         "200\nTus-Extension: creation,creation-with-upload,concatenation,"
         "concatenation-unfinished,creation-defer-length,checksum,checksum-trailer"},
        {post_content("Upload-Length: 5"), whole("hello"), "201"},
        {"DELETE {}", "405\nAllow: OPTIONS, HEAD, GET, PATCH\n\nmethod not allowed"},
        {head(), "200\nUpload-Offset: 5"}});
}

// [TERM-80]
TEST_P(Conformance, termination_of_finished_uploads_switched_off) {
  options.allow_termination_of_finished = false;
  const std::string refused =
      "400\n\nERR_UPLOAD_TERMINATION_REJECTED: upload termination has been rejected by server\n";
  talk({{"OPTIONS /files/",
         "200\nTus-Extension: creation,creation-with-upload,termination,concatenation,"
         "concatenation-unfinished,creation-defer-length,checksum,checksum-trailer"},
        {post("Upload-Length: 5"), "201"},
        {patch(0), whole("hell"), "204"},
        {"DELETE {}", "204"},
        {post_content("Upload-Length: 5"), whole("hello"), "201"},
        {"DELETE {}", refused},
        {"DELETE /files/nothing", "404"},
        {"GET {}", "200\n\nhello"}});
}

// [CORS-1] [CORS-2] [CORS-3] [CORS-4] [CORS-5]
TEST_P(Conformance, pages_of_other_origins) {
  options.cors.emplace();
  options.cors->allows_origin = [](std::string_view origin) {
    return origin == "https://a.example";
  };
  const std::string page = "\nOrigin: https://a.example";
  const std::string shown = "\nAccess-Control-Allow-Origin: https://a.example\nVary: Origin\n";
  const std::string exposed =
      shown + "Access-Control-Expose-Headers: Upload-Offset, *\n!Access-Control-Max-Age";
  const std::string refused =
      "403\n!Access-Control-Allow-Origin\n\nERR_ORIGIN_NOT_ALLOWED: request origin is not "
      "allowed\n";
  talk({{"OPTIONS /files/" + page + "\nAccess-Control-Request-Method: POST",
         "200" + shown +
             "Access-Control-Allow-Methods: POST, HEAD, PATCH, OPTIONS, GET, DELETE\n"
             "Access-Control-Allow-Headers: Authorization, *\nAccess-Control-Max-Age: 86400\n"
             "!Access-Control-Expose-Headers"},
        {"OPTIONS /files/" + page,
         "200" + shown + "Access-Control-Expose-Headers: Upload-Offset, *\nTus-Version: 1.0.0"},
        {post("Upload-Length: 5") + page, "201" + exposed},
        {post("Upload-Length: x") + page, "400" + exposed},
        {patch(0) + page, whole("hello"), "204" + exposed},
        {patch(0) + page, whole("hello"), "409" + exposed},
        {"PATCH {}\n-Tus-Resumable" + page, "412" + exposed},
        {"PUT {}" + page, "405" + exposed},
        {"HEAD {}" + page, "200" + exposed},
        {"GET {}" + page, "200" + exposed + "\n\nhello"},
        {"GET {}\nRange: bytes=9-" + page, "416" + exposed},
        {"GET {}", "200\nVary: Origin\n!Access-Control-Allow-Origin\n\nhello"},
        {"HEAD {}", "200\n!Vary\n!Access-Control-Expose-Headers"},
        {"GET {}\nOrigin: https://b.example", refused},
        {"OPTIONS {}\nOrigin: https://b.example", refused},
        {"DELETE {}\nOrigin: https://b.example", refused},
        {"DELETE {}" + page, "204" + exposed}});
}

}  // namespace
}  // namespace tus::conformance
