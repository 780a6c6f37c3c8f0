// What a browser sees that opens the server itself, beside the uploads.
#pragma once

#include <tus/message.h>

#include <string_view>

namespace tus::app {

Response greet(const RequestHead& head, std::string_view base_path);

}  // namespace tus::app
