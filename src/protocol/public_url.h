// The URLs by which clients know us. They may differ from what reaches us through a proxy.
#pragma once

#include <tus/location.h>
#include <tus/message.h>
#include <tus/upload_id.h>

#include <string>
#include <string_view>

namespace tus::protocol {

// What a proxy has cut off the front of the path, from X-Forwarded-Prefix: "" or "/a/b". Several values are the
// work of several proxies, the outermost first.
std::string public_prefix(const RequestHead& head, const LocationOptions& options);

// The URL of an upload, or its path where that is wanted, or where there is no host that may be told.
std::string public_url(const RequestHead& head, const LocationOptions& options,
                       std::string_view base_path, const UploadId& id);

}  // namespace tus::protocol
