// Uploads that end by themselves.
#include "tests/conformance/conversation.h"

namespace tus::conformance {
namespace {

using namespace std::chrono_literals;

struct Expiring : Conformance {
  Expiring() { options.expire_after = 24h; }
};

// The form of the date; its value is tested where time can be seen.  [EXPIRE-54]
const std::string some_end = "Upload-Expires: ???, ?? ??? 20?? ??:??:?? GMT";
const std::string gone =
    "410\n!Upload-Offset\n!Upload-Expires\n\nERR_UPLOAD_GONE: upload is gone\n";

// [EXPIRE-50] [EXPIRE-51] [EXPIRE-52]
TEST_P(Expiring, each_answer_tells_the_end) {
  talk({{post("Upload-Length: 11"), "201\n" + some_end},
        {head(), "200\n" + some_end},
        {patch(0), whole("hello"), "204\nUpload-Offset: 5\n" + some_end},
        {patch(3), whole("x"), "409\nUpload-Offset: 5\n" + some_end},
        {head(), "200\nUpload-Offset: 5\n" + some_end},
        {patch(5), whole(" world"), "204\nUpload-Offset: 11\n!Upload-Expires"},
        {head(), "200\nUpload-Offset: 11\n!Upload-Expires"},
        {post_content("Upload-Length: 5"), whole("hell"), "201\nUpload-Offset: 4\n" + some_end},
        {post_content("Upload-Length: 4"), whole("hell"), "201\nUpload-Offset: 4\n!Upload-Expires"},
        {post("Upload-Length: 0"), "201\n!Upload-Expires"},
        {post("Upload-Defer-Length: 1"), "201\n" + some_end}});
}

// [EXPIRE-53]
TEST_P(Expiring, nothing_comes_behind_the_end) {
  talk({{post_content("Upload-Length: 11"), whole("hello"), "201"}});
  clock->advance(24h - 3s);
  talk({{head(), "200\nUpload-Offset: 5\n" + some_end}});
  clock->advance(5s);
  talk({{head(), "410\n!Upload-Offset\n!Upload-Expires"},
        {patch(5), whole(" world"), gone},
        {patch(5), chunks(" world"), gone},
        {"GET {}", gone},
        {"DELETE {}", "204"},
        {head(), "404"}});
}

// [EXPIRE-53]
TEST_P(Expiring, what_is_finished_stays) {
  talk({{post_content("Upload-Length: 5"), whole("hello"), "201"}});
  clock->advance(std::chrono::hours(24) * 1000);
  talk({{head(), "200\nUpload-Offset: 5\n!Upload-Expires"}, {"GET {}", "200\n\nhello"}});
}

// [EXPIRE-57]
TEST_P(Expiring, parts_and_what_waits_for_them) {
  const auto part = made("Upload-Length: 5\nUpload-Concat: partial", "");
  talk({{post("Upload-Concat: final;" + part), "201\n" + some_end},
        {head(), "200\n!Upload-Offset\n" + some_end}});
  clock->advance(25h);
  talk({{head(), "410"}, {"HEAD " + part, "410"}, {post("Upload-Concat: final;" + part), "404"}});
}

// [EXPIRE-49]
TEST_P(Expiring, is_advertised) {
  talk({{"OPTIONS /files/",
         "200\nTus-Extension: creation,creation-with-upload,termination,concatenation,"
         "concatenation-unfinished,creation-defer-length,expiration,checksum,checksum-trailer"}});
}

INSTANTIATE_TEST_SUITE_P(everywhere, Expiring,
                         ::testing::Values(Kind::core, Kind::core_buffered, Kind::http,
                                           Kind::http_file));

}  // namespace
}  // namespace tus::conformance
