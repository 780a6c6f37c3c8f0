#include "hooks/common/record_text.h"

#include "base/json_text.h"
#include "hooks/common/events.h"

#include <boost/json.hpp>

#include <exception>
#include <stdexcept>

namespace tus::hooks {

namespace json = boost::json;

namespace {

void add(std::string& out, std::string_view name, std::string_view value) {
  base::append_json_string(out, name);
  out.push_back(':');
  base::append_json_string(out, value);
  out.push_back(',');
}

std::string text(const json::object& object, std::string_view name) {
  const auto& value = object.at(json::string_view(name.data(), name.size())).as_string();
  return std::string(value.data(), value.size());
}

// Header values are arbitrary bytes, which come back as they were.
std::string bytes(const json::value& value) {
  const auto& string = value.as_string();
  auto out = base::bytes_of_text(std::string_view(string.data(), string.size()));
  if (!out) throw std::invalid_argument("not bytes");
  return *std::move(out);
}

Envelope read_object(const json::object& object) {
  Envelope envelope;
  envelope.event_name = text(object, "Event");
  const auto event = event_named(envelope.event_name);
  if (!event) throw std::invalid_argument("no such event");
  envelope.event = *event;
  envelope.event_id = text(object, "EventId");
  envelope.upload_id = text(object, "UploadId");
  if (const auto* length = object.if_contains("Length")) {
    envelope.upload_length = length->to_number<std::uint64_t>();
  }
  envelope.upload_offset = object.at("Offset").to_number<std::uint64_t>();
  for (const auto& field : object.at("Fields").as_array()) {
    envelope.request_fields.add(bytes(field.as_array().at(0)), bytes(field.as_array().at(1)));
  }
  envelope.body = text(object, "Body");
  return envelope;
}

}  // namespace

std::string record_text(const Envelope& envelope) {
  std::string out = "{";
  add(out, "Event", envelope.event_name);
  add(out, "EventId", envelope.event_id);
  add(out, "UploadId", envelope.upload_id);
  if (envelope.upload_length) {
    out.append("\"Length\":").append(std::to_string(*envelope.upload_length)).append(",");
  }
  out.append("\"Offset\":").append(std::to_string(envelope.upload_offset)).append(",\"Fields\":[");
  for (bool first = true; const auto& [name, value] : envelope.request_fields) {
    out.append(std::exchange(first, false) ? "[" : ",[");
    base::append_json_bytes(out, name);
    out.push_back(',');
    base::append_json_bytes(out, value);
    out.push_back(']');
  }
  out.append("],\"Body\":");
  base::append_json_string(out, envelope.body);
  return out.append("}\n");
}

Result<Envelope> read_record(std::string_view text) {
  try {
    const auto value = json::parse(json::string_view(text.data(), text.size()));
    return read_object(value.as_object());
  } catch (const std::exception& wrong) {
    return fail(ErrorCode::upload_damaged, std::string("a record of the outbox: ") + wrong.what());
  }
}

}  // namespace tus::hooks
