#include "hooks/bucket/objects.h"

#include <utility>

namespace tus::hooks {

namespace {

constexpr std::size_t largest_record = 16 << 20;
constexpr std::size_t largest_run = 4096;

Error as_error(s3::Failure failure) {
  switch (failure.trouble) {
    case s3::Trouble::missing:
      return {ErrorCode::upload_not_found, std::move(failure.detail)};
    case s3::Trouble::full:
      return {ErrorCode::no_space, std::move(failure.detail)};
    case s3::Trouble::too_large:
      return {ErrorCode::upload_damaged, std::move(failure.detail)};
    default:
      return {ErrorCode::store_unavailable, std::move(failure.detail)};
  }
}

std::string_view without_quotes(std::string_view etag) {
  if (etag.size() < 2 || !etag.starts_with('"') || !etag.ends_with('"')) return etag;
  return etag.substr(1, etag.size() - 2);
}

s3::Condition condition_of(const std::optional<std::string>& etag) {
  s3::Condition condition;
  condition.if_match = etag;
  condition.if_absent = !etag;
  return condition;
}

}  // namespace

bool same_etag(std::string_view a, std::string_view b) {
  return without_quotes(a) == without_quotes(b);
}

Objects::Objects(BucketPlace place, std::shared_ptr<Clock> clock,
                 std::chrono::milliseconds patience)
    : keys(place.prefix), place_(std::move(place)), clock_(std::move(clock)), patience_(patience) {}

Awaitable<s3::Answer<std::string>> Objects::put_object(std::string key, std::string text,
                                                       s3::Condition condition, Deadline deadline) {
  s3::Payload payload;
  payload.pieces.push_back(std::as_bytes(std::span(text)));
  s3::ObjectHeaders headers;
  headers.content_type = "text/plain";
  co_return co_await place_.bucket->put_object(name_of(std::move(key)), std::move(payload),
                                               std::move(headers), std::move(condition), deadline);
}

Awaitable<Status> Objects::put(std::string key, std::string text, Deadline deadline) {
  auto put = co_await put_object(std::move(key), std::move(text), {}, deadline);
  if (!put) co_return fail(as_error(std::move(put.error())));
  co_return Status();
}

Awaitable<Result<std::string>> Objects::get(std::string key, Deadline deadline) {
  auto got =
      co_await place_.bucket->get_object(name_of(std::move(key)), largest_record, {}, deadline);
  if (!got) co_return fail(as_error(std::move(got.error())));
  if (!*got) co_return fail(ErrorCode::store_unavailable, "an answer to a question nobody asked");
  co_return std::move((*got)->bytes);
}

Awaitable<Status> Objects::remove(std::string key, Deadline deadline) {
  auto removed = co_await place_.bucket->delete_object(name_of(std::move(key)), deadline);
  if (!removed) co_return fail(as_error(std::move(removed.error())));
  co_return Status();
}

Awaitable<Status> Objects::list(std::string prefix,
                                std::function<bool(const s3::ListedObject&)> see) {
  std::string after;
  for (;;) {
    auto page = co_await place_.bucket->list_objects(place_.name, prefix, after, deadline());
    if (!page) co_return fail(as_error(std::move(page.error())));
    for (const auto& object : page->objects) {
      if (!see(object)) co_return Status();
    }
    if (page->at_end || page->objects.empty()) co_return Status();
    after = page->objects.back().key;
  }
}

Awaitable<Result<std::optional<Objects::Run>>> Objects::get_run(std::string id, Deadline deadline) {
  auto got = co_await place_.bucket->get_object(name_of(keys.run(id)), largest_run, {}, deadline);
  if (!got && got.error().trouble == s3::Trouble::missing) co_return std::nullopt;
  if (!got) co_return fail(as_error(std::move(got.error())));
  if (!*got) co_return fail(ErrorCode::store_unavailable, "an answer to a question nobody asked");
  co_return Run{std::move((*got)->bytes), std::move((*got)->look.etag)};
}

Awaitable<Result<std::optional<std::string>>> Objects::replace_run(std::string id,
                                                                   std::optional<std::string> etag,
                                                                   std::string text,
                                                                   Deadline deadline) {
  const auto key = keys.run(id);
  std::optional<s3::Answer<std::string>> put;
  if (knows_conditions_) put = co_await put_object(key, text, condition_of(etag), deadline);
  if (put && !*put && put->error().trouble == s3::Trouble::unsupported) {
    knows_conditions_ = false;
    put.reset();
  }
  if (!put) {
    auto there = co_await get_run(id, deadline);
    if (!there) co_return fail(std::move(there.error()));
    const bool is_same = *there ? etag && same_etag((*there)->etag, *etag) : !etag;
    if (!is_same) co_return std::nullopt;
    put = co_await put_object(key, text, {}, deadline);
  }
  if (*put) co_return **std::move(put);
  const auto what = (*put).error().trouble;
  if (what != s3::Trouble::changed && what != s3::Trouble::missing)
    co_return fail(as_error(std::move(put->error())));
  // The answer to an attempt that has done it may be lost, and the next attempt finds what that has put.
  auto there = co_await get_run(id, deadline);
  if (!there) co_return fail(std::move(there.error()));
  if (!*there || (*there)->text != text) co_return std::nullopt;
  co_return std::move((*there)->etag);
}

}  // namespace tus::hooks
