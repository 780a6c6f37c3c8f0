#include "hooks/common/reply.h"

#include "base/ascii.h"
#include "hooks/common/events.h"

#include <boost/json.hpp>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace tus::hooks {

namespace json = boost::json;

namespace {

// What a member turns out to be; thrown by the readers below and caught in read_reply().
struct Misshapen {
  std::string_view member;
  std::string_view what;
};

std::string_view view_of(const json::string& text) { return {text.data(), text.size()}; }

// nullptr when it is not there, or null. Of several spellings the last counts, as in Go.
const json::value* member(const json::object& object, std::string_view name) {
  const json::value* found = nullptr;
  for (const auto& pair : object) {
    const std::string_view key(pair.key().data(), pair.key().size());
    if (base::equals_ignoring_case(key, name) && !pair.value().is_null()) {
      found = &pair.value();
    }
  }
  return found;
}

bool flag(const json::object& object, std::string_view name) {
  const auto* value = member(object, name);
  if (value == nullptr) return false;
  if (!value->is_bool()) throw Misshapen{name, "is not true or false"};
  return value->get_bool();
}

std::string text(const json::object& object, std::string_view name) {
  const auto* value = member(object, name);
  if (value == nullptr) return {};
  if (!value->is_string()) throw Misshapen{name, "is not a string"};
  return std::string(view_of(value->get_string()));
}

const json::object* object_in(const json::object& object, std::string_view name) {
  const auto* value = member(object, name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) throw Misshapen{name, "is not an object"};
  return &value->get_object();
}

using Strings = std::vector<std::pair<std::string, std::string>>;

std::optional<Strings> strings_in(const json::object& object, std::string_view name) {
  const auto* inner = object_in(object, name);
  if (inner == nullptr) return std::nullopt;
  Strings strings;
  for (const auto& pair : *inner) {
    std::string value;
    if (pair.value().is_string()) {
      value = view_of(pair.value().get_string());
    } else if (!pair.value().is_null()) {
      throw Misshapen{name, "has a value that is not a string"};
    }
    strings.emplace_back(std::string(pair.key().data(), pair.key().size()), std::move(value));
  }
  return strings;
}

int status_in(const json::object& object) {
  const auto* value = member(object, "StatusCode");
  if (value == nullptr) return 0;
  const bool is_status =
      value->is_int64() &&
      (value->get_int64() == 0 || (value->get_int64() >= 200 && value->get_int64() <= 599));
  if (!is_status) throw Misshapen{"StatusCode", "is no status of an answer (200 to 599)"};
  return static_cast<int>(value->get_int64());
}

std::optional<Response> response_in(const json::object& object) {
  const auto* inner = object_in(object, "HTTPResponse");
  if (inner == nullptr) return std::nullopt;
  Response response(status_in(*inner));
  response.body = text(*inner, "Body");
  for (auto& [name, value] : strings_in(*inner, "Header").value_or(Strings())) {
    response.fields.add(std::move(name), std::move(value));
  }
  if (response.status == 0 && response.body.empty() && response.fields.size() == 0) {
    return std::nullopt;
  }
  return response;
}

void read_changes(const json::object& object, HookReply& reply) {
  const auto* changes = object_in(object, "ChangeFileInfo");
  if (changes == nullptr) return;
  if (auto id = text(*changes, "ID"); !id.empty()) reply.id = std::move(id);
  if (auto metadata = strings_in(*changes, "MetaData")) reply.metadata = std::move(*metadata);
  if (auto storage = strings_in(*changes, "Storage")) {
    reply.storage.emplace(storage->begin(), storage->end());
  }
}

Reply read_object(HookEvent event, const json::object& object) {
  Reply read;
  read.reply.response = response_in(object);
  const bool reject_upload = flag(object, "RejectUpload");
  const bool reject_termination = flag(object, "RejectTermination");
  const bool reject_access = flag(object, "RejectAccess");
  read.reply.reject = (event == HookEvent::pre_create && reject_upload) ||
                      (event == HookEvent::pre_terminate && reject_termination) ||
                      (event == HookEvent::pre_access && reject_access);
  read.stop = flag(object, "StopUpload") && event == HookEvent::post_receive;
  if (event == HookEvent::pre_create) read_changes(object, read.reply);
  return read;
}

std::unexpected<Error> unusable(HookEvent event, std::string_view why) {
  return fail(ErrorCode::internal, "the reply of " + std::string(name_of(event)) +
                                       " cannot be used: " + std::string(why));
}

Result<Reply> read_v2(HookEvent event, std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return Reply();
  boost::system::error_code error;
  const auto value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return unusable(event, "it is not JSON (" + error.message() + ")");
  if (value.is_null()) return Reply();
  if (!value.is_object()) return unusable(event, "it is not a JSON object");
  try {
    return read_object(event, value.get_object());
  } catch (const Misshapen& wrong) {
    return unusable(event, std::string(wrong.member) + " " + std::string(wrong.what));
  }
}

Result<Reply> read_legacy(HookEvent event, const TransportReply& reply, int stop_code) {
  Reply read;
  if (!reply.refused) return read;
  const int code = reply.status != 0 ? reply.status : reply.exit_code;
  if (event == HookEvent::post_receive && stop_code != 0 && code == stop_code) {
    read.stop = true;
    return read;
  }
  const bool may_refuse = event == HookEvent::pre_create || event == HookEvent::pre_terminate ||
                          event == HookEvent::pre_access;
  if (!may_refuse) return unusable(event, "it ended with code " + std::to_string(code));
  read.reply.reject = true;
  read.reply.response.emplace(reply.status);
  read.reply.response->body = reply.body;
  return read;
}

}  // namespace

Result<Reply> read_reply(HookEvent event, const TransportReply& reply, const ReplyRules& rules) {
  if (rules.format == Format::legacy) return read_legacy(event, reply, rules.stop_code);
  return read_v2(event, reply.body);
}

}  // namespace tus::hooks
