#include "stores/s3/go_tusd_test_kit.h"

#include <boost/json.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace tus::s3::test {

namespace {

const Deadline never = Deadline::never();

Payload payload_of(std::string_view text) {
  Payload payload;
  if (!text.empty()) payload.pieces.push_back(std::as_bytes(std::span(text)));
  return payload;
}

}  // namespace

Awaitable<std::optional<GoTusd::Seen>> GoTusd::look(std::string id) {
  const auto plus = id.find('+');
  if (plus == std::string::npos || plus + 1 == id.size()) co_return std::nullopt;
  const std::string object = id.substr(0, plus);
  Seen seen;
  seen.upload = {{name_, object}, id.substr(plus + 1)};
  seen.rest = object + ".part";
  const auto record = bucket_.peek(object + ".info");
  if (!record) co_return std::nullopt;
  const auto info = boost::json::parse(*record);
  const bool deferred = info.at("SizeIsDeferred").as_bool();
  if (!deferred) seen.size = info.at("Size").to_number<std::uint64_t>();
  for (std::uint32_t after = 0;;) {
    auto page = (co_await bucket_.list_parts(seen.upload, after, never));
    if (!page) {  // NoSuchUpload
      seen.offset = seen.size.value_or(0);
      co_return seen;
    }
    for (auto& part : page->parts) seen.parts.push_back(std::move(part));
    if (page->at_end) break;
    after = seen.parts.back().number;
  }
  seen.has_multipart = true;
  seen.rest_size = bucket_.peek(seen.rest).value_or("").size();
  seen.offset = seen.rest_size;
  for (const auto& part : seen.parts) seen.offset += part.size;
  co_return seen;
}

Awaitable<std::optional<std::uint64_t>> GoTusd::offset(std::string id) {
  const auto seen = co_await look(std::move(id));
  co_return seen ? std::optional(seen->offset) : std::nullopt;
}

Awaitable<bool> GoTusd::append(std::string id, std::string bytes) {
  auto seen = co_await look(std::move(id));
  if (!seen) co_return false;
  if (seen->size == seen->offset) co_return true;  // nothing is done to what has all of its bytes
  std::string body;
  if (seen->rest_size > 0) {
    body = bucket_.peek(seen->rest).value();
    if (!(co_await bucket_.delete_object({name_, seen->rest}, never))) co_return false;
  }
  const auto start = seen->offset - seen->rest_size;
  body += bytes;
  if (!co_await upload_parts(*seen, start, body)) co_return false;
  co_return start + body.size() != seen->size || co_await finish(*seen);
}

Awaitable<bool> GoTusd::upload_parts(Seen& seen, std::uint64_t offset, std::string_view bytes) {
  auto number = static_cast<std::uint32_t>(seen.parts.size() + 1);
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, static_cast<std::size_t>(preferred_));
    bytes.remove_prefix(part.size());
    offset += part.size();
    if (part.size() < smallest_ && offset != seen.size) {
      co_return (co_await bucket_.put_object({name_, seen.rest}, payload_of(part), {}, {}, never))
          .has_value();
    }
    auto etag = (co_await bucket_.put_part(seen.upload, number, payload_of(part), never));
    if (!etag) co_return false;
    seen.parts.push_back({number, part.size(), *etag, {}});
    ++number;
  }
  co_return true;
}

Awaitable<bool> GoTusd::finish(const Seen& seen) {
  std::vector<PartTag> tags;
  for (const auto& part : seen.parts) tags.push_back({part.number, part.etag});
  co_return (co_await bucket_.complete_multipart(seen.upload, std::move(tags), never)).has_value();
}

}  // namespace tus::s3::test
