#include "protocol/cors.h"

#include <tus/testing/request_text.h>

#include <gtest/gtest.h>

#include <string>

namespace tus::protocol {
namespace {

using testing::request_from_text;
using testing::text_from_response;

const std::string from_page = "Origin: https://a.example\n";
const std::string tusd_fields =
    "Authorization, Origin, X-Requested-With, X-Request-ID, X-HTTP-Method-Override, Content-Type, "
    "Upload-Length, Upload-Offset, Tus-Resumable, Upload-Metadata, Upload-Defer-Length, "
    "Upload-Concat, "
    "Upload-Incomplete, Upload-Complete, Upload-Draft-Interop-Version";
const std::string tusd_exposes =
    "Upload-Offset, Location, Upload-Length, Tus-Version, Tus-Resumable, Tus-Max-Size, "
    "Tus-Extension, "
    "Upload-Metadata, Upload-Defer-Length, Upload-Concat, Upload-Incomplete, Upload-Complete, "
    "Upload-Draft-Interop-Version";

CorsOptions only_a() {
  CorsOptions options;
  options.allows_origin = [](std::string_view origin) { return origin == "https://a.example"; };
  return options;
}

Response completed(const std::string& request, const CorsOptions& options,
                   Response response = Response(200)) {
  Cors(options).complete(request_from_text(request), response);
  return response;
}

std::string value(const Response& response, std::string_view name) {
  const auto* found = response.fields.find(name);
  return found == nullptr ? "(none)" : *found;
}

// [CORS-1]
TEST(cors, without_an_origin_nothing_is_added) {
  EXPECT_EQ(text_from_response(completed("PATCH /files/a\n", only_a())), "200\n");
  EXPECT_EQ(text_from_response(completed("OPTIONS /files/a\n", only_a())), "200\n");
  EXPECT_FALSE(Cors(only_a()).refuses(request_from_text("PATCH /files/a\n")));
  EXPECT_EQ(text_from_response(completed("GET /files/a\n", only_a())), "200\nVary: Origin\n")
      << "only this may be in a cache when a page asks";
}

// [CORS-1]
TEST(cors, switched_off) {
  const Cors off(std::nullopt);
  const auto request = request_from_text("GET /files/a\nOrigin: https://b.example\n");
  EXPECT_FALSE(off.refuses(request));
  Response response(200);
  off.complete(request, response);
  EXPECT_EQ(text_from_response(response), "200\n");
}

// [CORS-2]
TEST(cors, other_origins_are_refused) {
  const Cors cors(only_a());
  for (const char* method : {"OPTIONS", "GET", "HEAD", "POST", "PATCH", "DELETE"}) {
    const auto line = std::string(method) + " /files/a\n";
    EXPECT_FALSE(cors.refuses(request_from_text(line + from_page))) << method;
    EXPECT_TRUE(cors.refuses(request_from_text(line + "Origin: https://b.example\n"))) << method;
    EXPECT_TRUE(cors.refuses(request_from_text(line + from_page + from_page))) << method;
  }
  Response refusal(403);
  refusal.error = ErrorCode::origin_not_allowed;
  EXPECT_EQ(
      text_from_response(completed("POST /files/\nOrigin: https://b.example\n", only_a(), refusal)),
      "403\nVary: Origin\n");
  EXPECT_FALSE(Cors(CorsOptions()).refuses(request_from_text("GET /\nOrigin: null\n")))
      << "all are";
}

// [CORS-3] [CORS-5]
TEST(cors, answers_are_shown_to_the_page) {
  const auto response = completed("PATCH /files/a\n" + from_page, only_a());
  EXPECT_EQ(value(response, "Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(value(response, "Vary"), "Origin");
  EXPECT_EQ(value(response, "Access-Control-Allow-Credentials"), "(none)");
  EXPECT_EQ(value(response, "Access-Control-Allow-Methods"), "(none)");
  EXPECT_EQ(value(response, "Access-Control-Allow-Headers"), "(none)");
  EXPECT_EQ(value(response, "Access-Control-Max-Age"), "(none)");
  const auto exposed = value(response, "Access-Control-Expose-Headers") + ",";
  EXPECT_TRUE(exposed.starts_with(tusd_exposes + ", ")) << exposed;
  for (const char* name : {"Upload-Expires", "Upload-Limit", "Tus-Checksum-Algorithm",
                           "Repr-Digest", "Content-Disposition", "Accept-Patch", "Retry-After",
                           "ETag", "Content-Range", "Accept-Ranges"}) {
    EXPECT_NE(exposed.find(std::string(" ") + name + ","), std::string::npos) << name;
  }
}

// [CORS-4]
TEST(cors, preflights) {
  const auto response =
      completed("OPTIONS /files/a\nAccess-Control-Request-Method: PATCH\n" + from_page, only_a());
  EXPECT_EQ(value(response, "Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(value(response, "Access-Control-Allow-Methods"),
            "POST, HEAD, PATCH, OPTIONS, GET, DELETE");
  EXPECT_EQ(value(response, "Access-Control-Max-Age"), "86400");
  EXPECT_EQ(value(response, "Access-Control-Expose-Headers"), "(none)");
  const auto allowed = value(response, "Access-Control-Allow-Headers") + ",";
  EXPECT_TRUE(allowed.starts_with(tusd_fields + ", ")) << allowed;
  for (const char* name : {"Upload-Checksum", "Content-Disposition", "Content-Digest",
                           "Repr-Digest", "Want-Repr-Digest", "Range", "If-None-Match"}) {
    EXPECT_NE(allowed.find(std::string(" ") + name + ","), std::string::npos) << name;
  }
}

// [CORS-5]
TEST(cors, a_page_may_ask_what_the_server_can_do) {
  const auto response = completed("OPTIONS /files/\n" + from_page, only_a());
  EXPECT_TRUE(value(response, "Access-Control-Expose-Headers").contains("Tus-Extension"));
  EXPECT_NE(value(response, "Access-Control-Allow-Methods"), "(none)") << "as tusd";
  const auto asked =
      completed("GET /files/a\nAccess-Control-Request-Method: PATCH\n" + from_page, only_a());
  EXPECT_NE(value(asked, "Access-Control-Expose-Headers"), "(none)") << "only OPTIONS is one";
}

// [CORS-6]
TEST(cors, options_come_on_top) {
  auto options = only_a();
  options.allow_credentials = true;
  options.more_methods = "PUT";
  options.more_request_fields = "X-One, X-Two";
  options.more_response_fields = "X-Three";
  options.max_age = "5";
  const auto preflight = completed("OPTIONS /files/a\n" + from_page, options);
  EXPECT_EQ(value(preflight, "Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(value(preflight, "Access-Control-Allow-Methods"),
            "POST, HEAD, PATCH, OPTIONS, GET, DELETE, PUT");
  EXPECT_TRUE(value(preflight, "Access-Control-Allow-Headers").ends_with(", X-One, X-Two"));
  EXPECT_EQ(value(preflight, "Access-Control-Max-Age"), "5");
  const auto answer = completed("HEAD /files/a\n" + from_page, options);
  EXPECT_EQ(value(answer, "Access-Control-Allow-Credentials"), "true");
  EXPECT_TRUE(value(answer, "Access-Control-Expose-Headers").ends_with(", X-Three"));
}

// [CORS-3] What a hook has set stays, where it is not about origins.
TEST(cors, vary_is_added_to) {
  Response response(200);
  response.fields.add("Vary", "Accept");
  response.fields.add("Access-Control-Allow-Origin", "*");
  const auto done = completed("HEAD /files/a\n" + from_page, only_a(), response);
  EXPECT_EQ(value(done, "Vary"), "Accept, Origin");
  EXPECT_EQ(value(done, "Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(done.fields.count("Access-Control-Allow-Origin"), 1u);
}

}  // namespace
}  // namespace tus::protocol
