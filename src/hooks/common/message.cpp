#include "hooks/common/message.h"

#include "async/random_id.h"
#include "base/digits.h"
#include "base/json_text.h"
#include "hooks/common/events.h"

#include <algorithm>
#include <map>
#include <vector>

namespace tus::hooks {

namespace {

using base::append_json_string;

// Writes the members of one object.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_.push_back('{'); }
  void close() { out_.push_back('}'); }

  std::string& key(std::string_view name) {
    if (!std::exchange(first_, false)) out_.push_back(',');
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_string(key(name), value); }
  void number(std::string_view name, std::uint64_t value) {
    key(name).append(base::Digits(value).view());
  }
  void flag(std::string_view name, bool value) { key(name).append(value ? "true" : "false"); }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class Pairs>
void append_pairs(std::string& out, const Pairs& pairs) {
  Object object(out);
  for (const auto& [name, value] : pairs) object.text(name, value);
  object.close();
}

void append_list(std::string& out, const std::vector<std::string>& values) {
  out.push_back('[');
  for (bool first = true; const auto& value : values) {
    if (!std::exchange(first, false)) out.push_back(',');
    append_json_string(out, value);
  }
  out.push_back(']');
}

// Both in Go's order, and null where Go has a nil.
void append_upload(Object& object, const UploadInfo& upload, Format format) {
  object.text("ID", upload.id.str());
  object.number("Size", upload.length.value_or(0));
  if (format == Format::v2) object.flag("SizeIsDeferred", !upload.length);
  object.number("Offset", upload.offset);
  append_pairs(object.key("MetaData"), upload.metadata);
  object.flag("IsPartial", upload.is_partial);
  object.flag("IsFinal", upload.is_final);
  auto& parts = object.key("PartialUploads");
  if (upload.partial_uploads.empty()) {
    parts.append("null");
  } else {
    append_list(parts, upload.partial_uploads);
  }
  auto& storage = object.key("Storage");
  if (upload.storage.empty()) {
    storage.append("null");
  } else {
    append_pairs(storage, upload.storage);
  }
}

// What Go's server takes out of a head.
bool is_framing(std::string_view name) { return name == "Transfer-Encoding" || name == "Trailer"; }

void append_fields(std::string& out, const RequestHead& request) {
  std::map<std::string, std::vector<std::string>> lists;
  for (const auto& [name, value] : request.fields) {
    auto canonical = canonical_field_name(name);
    if (!is_framing(canonical)) lists[std::move(canonical)].push_back(value);
  }
  if (!request.host.empty()) lists["Host"] = {request.host};
  Object object(out);
  for (const auto& [name, values] : lists) append_list(object.key(name), values);
  object.close();
}

bool is_token_char(char c) {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         others.contains(c);
}

}  // namespace

std::string canonical_field_name(std::string_view name) {
  std::string out(name);
  if (!std::ranges::all_of(name, is_token_char)) return out;
  bool upper = true;
  for (char& c : out) {
    if (upper && c >= 'a' && c <= 'z') c = static_cast<char>(c - ('a' - 'A'));
    if (!upper && c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    upper = c == '-';
  }
  return out;
}

std::string to_v2(const HookMessage& message, std::string_view event_id) {
  std::string out;
  Object whole(out);
  whole.text("Type", name_of(message.event));
  whole.text("EventId", event_id);
  Object event(whole.key("Event"));
  Object upload(event.key("Upload"));
  append_upload(upload, message.upload, Format::v2);
  upload.close();
  Object request(event.key("HTTPRequest"));
  request.text("Method", message.request.method);
  request.text("URI", message.request.target);
  request.text("RemoteAddr", message.request.peer_address);
  append_fields(request.key("Header"), message.request);
  request.close();
  event.close();
  whole.close();
  return out;
}

std::string to_legacy(const HookMessage& message) {
  std::string out;
  Object upload(out);
  append_upload(upload, message.upload, Format::legacy);
  upload.close();
  return out;
}

std::string with_storage(std::string body, const std::map<std::string, std::string>& storage) {
  // Nothing else looks like this: within a string the quotes have backslashes before them, and what is a
  // member of something else is never null.
  constexpr std::string_view none = "\"Storage\":null";
  const auto at = body.find(none);
  if (storage.empty() || at == std::string::npos) return body;
  std::string place = "\"Storage\":";
  append_pairs(place, storage);
  return body.replace(at, none.size(), place);
}

namespace {

bool happens_once(HookEvent event) {
  return event == HookEvent::post_create || event == HookEvent::post_finish ||
         event == HookEvent::post_terminate;
}

bool is_id(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// What can happen to an upload only once has the same id also when it is promised again: by a process that does
// not know what has become of an earlier promise, or by two that both find the upload to be finished.
std::string event_id_of(const HookMessage& message) {
  const auto& creation = message.upload.creation_id;
  if (!happens_once(message.event) || !is_id(creation)) return random_id();
  constexpr std::size_t kept = 30;
  const auto number = static_cast<int>(message.event);
  return creation.substr(0, kept) + '0' + static_cast<char>('0' + number);
}

}  // namespace

Envelope make_envelope(const HookMessage& message, Format format) {
  Envelope envelope;
  envelope.event = message.event;
  envelope.event_name = name_of(message.event);
  envelope.event_id = event_id_of(message);
  envelope.body = format == Format::v2 ? to_v2(message, envelope.event_id) : to_legacy(message);
  envelope.upload_id = message.upload.id.str();
  envelope.upload_length = message.upload.length;
  envelope.upload_offset = message.upload.offset;
  envelope.request_fields = message.request.fields;
  return envelope;
}

}  // namespace tus::hooks
