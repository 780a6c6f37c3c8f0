#include "hooks/http/verdict.h"

#include "base/ascii.h"

#include <utility>

namespace tus::hooks {

namespace {

constexpr int too_many_requests = 429;
constexpr std::size_t quoted = 200;  // bytes of a reply in a log line

bool is_asked(std::string_view event_name) { return event_name.starts_with("pre-"); }
bool is_success(int status) { return status >= 200 && status < 300; }
bool is_passing(int status) { return status >= 500 || status == too_many_requests; }

// Empty when it is a reply as tusd v2 wants it.
std::string complaint_about(const net::HttpReply& reply) {
  if (reply.cut)
    return "the reply has more than " + std::to_string(reply.body.size()) +
           " bytes; see -hooks-http-size-limit";
  const auto* type = reply.fields.find("Content-Type");
  if (type == nullptr) return "the reply has no Content-Type; it has to be application/json";
  const auto media = base::trim(std::string_view(*type).substr(0, type->find(';')));
  if (!base::equals_ignoring_case(media, "application/json"))
    return "the reply is of the type '" + *type + "'; it has to be application/json";
  if (reply.body.empty()) return "the reply is empty; it has to be JSON, if only {}";
  return {};
}

Verdict bad_status(const net::HttpReply& reply) {
  Verdict verdict;
  verdict.outcome = is_passing(reply.status) ? Outcome::retried : Outcome::failed;
  verdict.complaint =
      "status " + std::to_string(reply.status) + ": " + reply.body.substr(0, quoted);
  return verdict;
}

Verdict judge_v2(std::string_view event_name, net::HttpReply reply) {
  if (!is_success(reply.status)) return bad_status(reply);
  Verdict verdict;
  verdict.complaint = complaint_about(reply);
  if (verdict.complaint.empty()) {
    verdict.reply.body = std::move(reply.body);
  } else if (is_asked(event_name)) {
    verdict.outcome = Outcome::failed;
  }
  return verdict;
}

Verdict judge_legacy(std::string_view event_name, net::HttpReply reply) {
  Verdict verdict;
  if (reply.status < 400) {
    if (reply.cut) {
      verdict.complaint = complaint_about(reply);
      if (is_asked(event_name)) verdict.outcome = Outcome::failed;
    } else {
      verdict.reply.body = std::move(reply.body);
    }
    return verdict;
  }
  if (!is_asked(event_name)) return bad_status(reply);
  if (reply.status >= 500) {
    verdict = bad_status(reply);
    verdict.stands = true;
  }
  verdict.reply.refused = true;
  verdict.reply.status = reply.status;
  verdict.reply.body = std::move(reply.body);
  return verdict;
}

}  // namespace

Verdict judge(Format format, std::string_view event_name, net::HttpReply reply) {
  return format == Format::legacy ? judge_legacy(event_name, std::move(reply))
                                  : judge_v2(event_name, std::move(reply));
}

}  // namespace tus::hooks
