#include "hooks/http/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus::hooks {
namespace {

using ::testing::HasSubstr;

net::HttpReply reply(int status, std::string body, std::string type) {
  net::HttpReply made;
  made.status = status;
  made.body = std::move(body);
  if (!type.empty()) made.fields.add("content-type", std::move(type));
  return made;
}

struct Case {
  Format format;
  std::string_view event;
  int status;
  std::string_view body;
  std::string_view type;
  Outcome outcome;
  std::string_view kept;  // of the body
  bool refused = false;
};

constexpr auto json = "application/json";

// [HOOKHTTP-2] [HOOKHTTP-3] [HOOKHTTP-4]
const Case cases[] = {
    // A 2xx with JSON is an answer.
    {Format::v2, "pre-create", 200, "{}", json, Outcome::answered, "{}"},
    {Format::v2, "pre-create", 201, "{}", "Application/JSON ; charset=utf-8", Outcome::answered,
     "{}"},
    {Format::v2, "post-finish", 299, "{}", json, Outcome::answered, "{}"},
    // Who asks must not take nothing, or something else, for a yes.
    {Format::v2, "pre-create", 200, "{}", "text/plain", Outcome::failed, ""},
    {Format::v2, "pre-create", 200, "{}", "application/json5", Outcome::failed, ""},
    {Format::v2, "pre-create", 200, "{}", "text/html; x=application/json", Outcome::failed, ""},
    {Format::v2, "pre-create", 200, "{}", "", Outcome::failed, ""},
    {Format::v2, "pre-create", 200, "", json, Outcome::failed, ""},
    {Format::v2, "pre-access", 204, "", "", Outcome::failed, ""},
    // Who tells has been heard.
    {Format::v2, "post-finish", 200, "thank you", "text/plain", Outcome::answered, ""},
    {Format::v2, "post-finish", 200, "", json, Outcome::answered, ""},
    {Format::v2, "post-finish", 204, "", "", Outcome::answered, ""},
    // Other statuses.
    {Format::v2, "pre-create", 199, "{}", json, Outcome::failed, ""},
    {Format::v2, "pre-create", 300, "{}", json, Outcome::failed, ""},
    {Format::v2, "pre-create", 304, "", "", Outcome::failed, ""},
    {Format::v2, "pre-create", 400, "{}", json, Outcome::failed, ""},
    {Format::v2, "post-finish", 404, "{}", json, Outcome::failed, ""},
    {Format::v2, "pre-create", 429, "{}", json, Outcome::retried, ""},
    {Format::v2, "pre-create", 499, "{}", json, Outcome::failed, ""},
    {Format::v2, "pre-create", 500, "{}", json, Outcome::retried, ""},
    {Format::v2, "post-finish", 503, "", "", Outcome::retried, ""},
    // The legacy format: any type will do, and a status from 400 on is a no of who is asked.
    {Format::legacy, "pre-create", 200, "text", "", Outcome::answered, "text"},
    {Format::legacy, "pre-create", 204, "", "", Outcome::answered, ""},
    {Format::legacy, "pre-create", 399, "text", "", Outcome::answered, "text"},
    {Format::legacy, "pre-create", 400, "no", "text/plain", Outcome::answered, "no", true},
    {Format::legacy, "pre-finish", 429, "no", "", Outcome::answered, "no", true},
    {Format::legacy, "pre-create", 500, "no", "", Outcome::retried, "no", true},
    {Format::legacy, "post-finish", 400, "no", "", Outcome::failed, ""},
    {Format::legacy, "post-finish", 429, "no", "", Outcome::retried, ""},
    {Format::legacy, "post-finish", 500, "no", "", Outcome::retried, ""},
};

TEST(Verdict, OfEveryKindOfReply) {
  for (const auto& one : cases) {
    const auto verdict = judge(one.format, one.event,
                               reply(one.status, std::string(one.body), std::string(one.type)));
    const auto what = std::string(one.event) + " " + std::to_string(one.status) + " '" +
                      std::string(one.type) + "' '" + std::string(one.body) + "'";
    EXPECT_EQ(verdict.outcome, one.outcome) << what;
    EXPECT_EQ(verdict.reply.body, one.kept) << what;
    EXPECT_EQ(verdict.reply.refused, one.refused) << what;
    EXPECT_EQ(verdict.reply.status, one.refused ? one.status : 0) << what;
    EXPECT_EQ(verdict.stands, one.refused && one.outcome == Outcome::retried) << what;
    EXPECT_EQ(verdict.complaint.empty(), one.outcome == Outcome::answered &&
                                             (one.refused || one.kept == one.body) &&
                                             !(one.format == Format::v2 && one.body.empty()))
        << what;
  }
}

TEST(Verdict, OfAReplyThatIsTooLong) {  // [HOOKHTTP-5]
  auto cut = reply(200, "{\"half", json);
  cut.cut = true;
  auto verdict = judge(Format::v2, "pre-create", cut);
  EXPECT_EQ(verdict.outcome, Outcome::failed);
  EXPECT_THAT(verdict.complaint, HasSubstr("-hooks-http-size-limit"));
  verdict = judge(Format::v2, "post-finish", cut);
  EXPECT_EQ(verdict.outcome, Outcome::answered);
  EXPECT_EQ(verdict.reply.body, "") << "half a reply is none";
  EXPECT_EQ(judge(Format::legacy, "pre-create", cut).outcome, Outcome::failed);
  cut.status = 502;
  EXPECT_EQ(judge(Format::v2, "pre-create", cut).outcome, Outcome::retried) << "the status says it";
}

TEST(Verdict, ALogLineQuotesTheBeginningOfABody) {
  const auto verdict = judge(Format::v2, "pre-create", reply(400, std::string(5000, 'x'), ""));
  EXPECT_THAT(verdict.complaint, HasSubstr("status 400: xxx"));
  EXPECT_LT(verdict.complaint.size(), 300u);
}

}  // namespace
}  // namespace tus::hooks
