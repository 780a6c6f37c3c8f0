// What the head of a reply says about an object. Pure.
#pragma once

#include "net/http_client.h"
#include "stores/s3/client/bucket.h"
#include "stores/s3/client/xml.h"

#include <string>

namespace tus::s3 {

// Of HEAD and GET, with and without a range.
Parsed<ObjectLook> read_look(const net::HttpReply& reply);

// Of PUT.
Parsed<std::string> read_etag(const net::HttpReply& reply);

}  // namespace tus::s3
