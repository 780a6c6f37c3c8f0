// Requests and responses as text, for tables that can be read.
#pragma once

#include <tus/message.h>

#include <stdexcept>
#include <string>
#include <string_view>

TUS_NAMESPACE_BEGIN

namespace testing {

// "PATCH /files/a\nUpload-Offset: 3\n": method, target, then one field a line. Host is example.org when
// no field says otherwise; it becomes `host` and no field, as a server does it.
inline RequestHead request_from_text(std::string_view text) {
  RequestHead head;
  head.host = "example.org";
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto split = line.find(first ? " " : ": ");
    if (split == std::string::npos) throw std::invalid_argument("not a request: " + line);
    if (first) {
      head.method = line.substr(0, split);
      head.target = line.substr(split + 1);
    } else if (line.starts_with("Host: ")) {
      head.host = line.substr(split + 2);
    } else {
      head.fields.add(line.substr(0, split), line.substr(split + 2));
    }
    first = false;
  }
  return head;
}

// "204\nUpload-Offset: 3\n\nbody"
inline std::string text_from_response(const Response& response) {
  std::string text = std::to_string(response.status) + "\n";
  for (const auto& field : response.fields) text += field.name + ": " + field.value + "\n";
  if (!response.body.empty()) text += "\n" + response.body;
  return text;
}

}  // namespace testing

TUS_NAMESPACE_END
