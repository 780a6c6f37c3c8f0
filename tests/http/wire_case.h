// Requests as bytes, and what has to come of them however they are cut on their way.
//
// A case is run against a real handler behind a real server: in one write, byte by byte, and cut in two at one
// boundary after the other. Each time the answers, the connection and the store have to be the same.
#pragma once

#include <tus/handler.h>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::http_tests {

enum class Ends : std::uint8_t {
  open,    // the next request on the connection is answered
  closed,  // the server ends it, and has said so
  told,    // depends on what had arrived by then; the server says which
};

// Two uploads are there for each run. Their names in `wire` are replaced with those of the run, which are as long.
inline constexpr std::string_view open_upload = "u0000000";    // 300 bytes long, has none of them
inline constexpr std::string_view victim_upload = "v0000000";  // finished
inline constexpr std::string_view victim_bytes = "victim";
// There for all runs. And where files are, there is "bait": in the folder above the uploads, and in ".tusd".
inline constexpr std::string_view nested_upload = "p/nested";

enum class Cuts : std::uint8_t {
  everywhere,
  few,  // for rows that are many and alike
};

struct WireCase {
  std::string name;  // with the ids of its requirements
  std::string wire = {};
  std::string behind = {};   // sent with it; not worth a cut
  std::string answers = {};  // statuses in order; "200h" is one to HEAD. A 100 may come before each
  Ends ends = Ends::open;
  std::optional<std::string> stored = "";  // of open_upload; nothing: it is gone
  std::optional<std::string> victim = std::string(victim_bytes);  // of victim_upload
  unsigned created = 0;                                           // further uploads

  Cuts cuts = Cuts::everywhere;
  std::string after_answers = {};       // sent once they are all here
  bool half_close = false;              // the client sends FIN behind `wire`
  std::vector<std::string> has = {};    // somewhere in the answers
  std::vector<std::string> lacks = {};  // nowhere in them

  Metadata victim_metadata = {};
  std::optional<HookReply> hook_reply = {};  // to pre_create
  HandlerOptions options = {};
};

void PrintTo(const WireCase& wire_case, std::ostream* out);

// ---- for tables that can be read

inline const std::string crlf = "\r\n";
inline const std::string host = "Host: h\r\n";
inline const std::string tus_version = "Tus-Resumable: 1.0.0\r\n";
inline const std::string content_type = "Content-Type: application/offset+octet-stream\r\n";
inline const std::string chunked_coding = "Transfer-Encoding: chunked\r\n";
inline const std::string to_upload = "/files/u0000000";
inline const std::string to_victim = "/files/v0000000";

// With Host and Tus-Resumable.
std::string request(const std::string& method, const std::string& target,
                    const std::string& fields = "");
// A PATCH of open_upload at its offset 0; `framing` are its last fields.
std::string patch_upload(const std::string& framing, const std::string& body);
std::string patch_with_length(const std::string& body);
// `chunks` as they are on the wire.
std::string patch_chunked(const std::string& chunks);
std::string chunk(const std::string& data);
inline const std::string last_chunk = "0\r\n\r\n";

// A head that is refused; what comes behind it is never looked at.
WireCase refused(std::string name, std::string head, std::string status = "400");

// What must never be carried out when it is in a body, and exactly once when it is behind one.
inline const std::string deletes_victim =
    "DELETE /files/v0000000 HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\n\r\n";
inline const std::string inspects_victim =
    "HEAD /files/v0000000 HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\n\r\n";

// ---- running them

class WireTest : public ::testing::TestWithParam<WireCase> {};

void expect_outcome(const WireCase& wire_case);

#define TUS_WIRE_CASES(suite, ...)                     \
  class suite : public WireTest {};                    \
  TEST_P(suite, holds) { expect_outcome(GetParam()); } \
  INSTANTIATE_TEST_SUITE_P(Wire, suite, ::testing::ValuesIn(__VA_ARGS__))

}  // namespace tus::http_tests
