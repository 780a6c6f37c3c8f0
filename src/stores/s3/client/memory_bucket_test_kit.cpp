#include "stores/s3/client/memory_bucket_test_kit.h"

#include "stores/s3/client/memory_stream_test_kit.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ranges>

namespace tus::s3::test {

namespace {

constexpr std::uint32_t most_parts = 10'000;
constexpr std::size_t longest_key = 1024;
constexpr std::size_t most_metadata = 2048;  // names and values of an object

std::string hex(std::uint64_t number) {
  std::array<char, 17> text{};
  (void)std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// As they come back from S3.
Answer<ObjectHeaders> kept(ObjectHeaders headers) {
  std::size_t size = 0;
  for (auto& [name, value] : headers.metadata) {
    std::ranges::transform(name, name.begin(), [](char c) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    });
    size += name.size() + value.size();
    if (name.empty() || !is_printable(name) || !is_printable(value)) {
      return trouble(Trouble::refused, "403 SignatureDoesNotMatch: metadata beyond ASCII");
    }
  }
  if (size > most_metadata) return trouble(Trouble::refused, "400 MetadataTooLarge");
  return headers;
}

}  // namespace

MemoryBucket::MemoryBucket(const Clock& clock, MemoryBucketOptions options)
    : clock_(clock), way_(faults_, clock), options_(std::move(options)) {}

// ---- how a request goes ---------------------------------------------------------------------------------------------

template <class T>
Awaitable<Answer<T>> MemoryBucket::request(Request request, std::function<Answer<T>()> todo,
                                           Deadline deadline) {
  co_await travel();
  auto fault = way_.admit(request);
  if (auto go = co_await way_.there(request, fault, deadline); !go) {
    co_return std::unexpected(go.error());
  }
  std::optional<Answer<T>> answer;
  for (int times = fault == Fault::done_twice ? 2 : 1; times > 0; --times) {
    std::lock_guard lock(mutex_);
    answer.emplace(todo());
  }
  if (auto here = co_await way_.back(request, fault, deadline); !here) {
    co_return std::unexpected(here.error());
  }
  co_return *std::move(answer);
}

// ---- objects --------------------------------------------------------------------------------------------------------

std::chrono::sys_seconds MemoryBucket::now() const {
  return std::chrono::floor<std::chrono::seconds>(clock_.wall());
}

Answer<void> MemoryBucket::check_bucket(const std::string& bucket) const {
  if (options_.buckets.empty() || options_.buckets.contains(bucket)) return {};
  return trouble(Trouble::refused, bucket + ": 404 NoSuchBucket");
}

Answer<void> MemoryBucket::check_name(const ObjectName& name) const {
  if (name.key.empty() || name.key.size() > longest_key) {
    return trouble(Trouble::refused, text_of(name) + ": 400 KeyTooLongError");
  }
  return check_bucket(name.bucket);
}

Answer<MemoryBucket::Object*> MemoryBucket::find(const ObjectName& name) {
  if (auto valid = check_name(name); !valid) return std::unexpected(valid.error());
  auto it = objects_.find(Name(name.bucket, name.key));
  if (it == objects_.end()) return trouble(Trouble::missing, text_of(name) + ": 404 NoSuchKey");
  return &it->second;
}

Awaitable<Answer<void>> MemoryBucket::check(std::string bucket, Deadline deadline) {
  co_return co_await request<void>(
      {Operation::check, bucket}, [&] { return check_bucket(bucket); }, deadline);
}

Awaitable<Answer<ObjectLook>> MemoryBucket::head_object(ObjectName name, Deadline deadline) {
  auto look = [&]() -> Answer<ObjectLook> {
    auto found = find(name);
    if (!found) return std::unexpected(found.error());
    auto& object = **found;
    return ObjectLook(object.bytes->size(), object.etag, object.modified, object.headers.metadata);
  };
  co_return co_await request<ObjectLook>({Operation::head_object, text_of(name)}, look, deadline);
}

Awaitable<Answer<std::optional<SmallObject>>> MemoryBucket::get_object(ObjectName name,
                                                                       std::size_t limit,
                                                                       std::string unless,
                                                                       Deadline deadline) {
  auto get = [&]() -> Answer<std::optional<SmallObject>> {
    auto found = find(name);
    if (!found) return std::unexpected(found.error());
    auto& object = **found;
    if (!unless.empty() && bare(unless) == bare(object.etag)) return std::nullopt;
    if (object.bytes->size() > limit) return trouble(Trouble::too_large, text_of(name));
    faults_.count_received(Operation::get_object, object.bytes->size());
    return SmallObject{
        {object.bytes->size(), object.etag, object.modified, object.headers.metadata},
        *object.bytes};
  };
  co_return co_await request<std::optional<SmallObject>>({Operation::get_object, text_of(name)},
                                                         get, deadline);
}

Awaitable<Answer<std::unique_ptr<ObjectStream>>> MemoryBucket::open_object(
    ObjectName name, std::optional<ByteRange> range, Deadline deadline) {
  auto open = [&]() -> Answer<std::unique_ptr<MemoryStream>> {
    auto found = find(name);
    if (!found) return std::unexpected(found.error());
    auto& object = **found;
    auto size = object.bytes->size();
    auto wanted = range.value_or(ByteRange(0, size));
    if (range && (range->count == 0 || range->first >= size)) {
      return trouble(Trouble::changed, text_of(name) + ": 416 InvalidRange");
    }
    wanted.count = std::min<std::uint64_t>(wanted.count, size - wanted.first);
    return std::make_unique<MemoryStream>(
        faults_, ObjectLook(size, object.etag, object.modified, object.headers.metadata),
        object.bytes, wanted);
  };
  co_await travel();
  Request request{Operation::get_object, text_of(name)};
  auto fault = way_.admit(request);
  const bool breaks = fault == Fault::breaks_off;
  if (breaks) fault = Fault::none;
  if (auto go = co_await way_.there(request, fault, deadline); !go) {
    co_return std::unexpected(go.error());
  }
  std::optional<Answer<std::unique_ptr<MemoryStream>>> stream;
  {
    std::lock_guard lock(mutex_);
    stream.emplace(open());
  }
  if (auto here = co_await way_.back(request, fault, deadline); !here) {
    co_return std::unexpected(here.error());
  }
  if (!*stream) co_return std::unexpected(stream->error());
  if (breaks) (**stream)->break_at_half();
  co_return **std::move(stream);
}

Answer<void> MemoryBucket::check_condition(const ObjectName& name,
                                           const Condition& condition) const {
  if (!condition.if_absent && !condition.if_match) return {};
  if (options_.quirks.no_conditions) {
    return trouble(Trouble::unsupported, text_of(name) + ": 501 NotImplemented");
  }
  auto it = objects_.find(Name(name.bucket, name.key));
  auto changed = trouble(Trouble::changed, text_of(name) + ": 412 PreconditionFailed");
  if (condition.if_absent) return it == objects_.end() ? Answer<void>() : changed;
  if (it == objects_.end() && !options_.quirks.absent_is_changed) {
    return trouble(Trouble::missing, text_of(name) + ": 404 NoSuchKey");
  }
  bool same = it != objects_.end() && bare(it->second.etag) == bare(*condition.if_match);
  return same ? Answer<void>() : changed;
}

Awaitable<Answer<std::string>> MemoryBucket::put_object(ObjectName name, Payload payload,
                                                        ObjectHeaders headers, Condition condition,
                                                        Deadline deadline) {
  auto put = [&]() -> Answer<std::string> {
    if (auto valid = check_name(name); !valid) return std::unexpected(valid.error());
    auto to_keep = kept(headers);
    if (!to_keep) return std::unexpected(to_keep.error());
    if (auto holds = check_condition(name, condition); !holds) {
      return std::unexpected(holds.error());
    }
    auto bytes = bytes_of(payload);
    auto etag = etag_of(bytes);
    objects_[Name(name.bucket, name.key)] = {std::make_shared<std::string>(std::move(bytes)),
                                             *std::move(to_keep), etag, now()};
    return etag;
  };
  co_return co_await request<std::string>({Operation::put_object, text_of(name), payload.size()},
                                          put, deadline);
}

Awaitable<Answer<void>> MemoryBucket::delete_object(ObjectName name, Deadline deadline) {
  auto erase = [&]() -> Answer<void> {
    if (auto valid = check_name(name); !valid) return valid;
    objects_.erase(Name(name.bucket, name.key));
    return {};
  };
  co_return co_await request<void>({Operation::delete_object, text_of(name)}, erase, deadline);
}

Awaitable<Answer<ObjectPage>> MemoryBucket::list_objects(std::string bucket, std::string prefix,
                                                         std::string after, Deadline deadline) {
  auto list = [&]() -> Answer<ObjectPage> {
    if (auto valid = check_bucket(bucket); !valid) return std::unexpected(valid.error());
    ObjectPage page;
    for (const auto& [name, object] : objects_) {
      if (name.first != bucket || !name.second.starts_with(prefix) || name.second <= after)
        continue;
      if (page.objects.size() == options_.quirks.page_size) {
        page.at_end = false;
        break;
      }
      page.objects.push_back({name.second, object.bytes->size(), object.etag, object.modified});
    }
    return page;
  };
  co_return co_await request<ObjectPage>({Operation::list_objects, bucket + "/" + prefix}, list,
                                         deadline);
}

// ---- multipart uploads ----------------------------------------------------------------------------------------------

Answer<MemoryBucket::Multipart*> MemoryBucket::find(const MultipartName& upload) {
  if (auto valid = check_name(upload.name); !valid) return std::unexpected(valid.error());
  auto it = multiparts_.find({Name(upload.name.bucket, upload.name.key), upload.upload});
  if (it == multiparts_.end()) {
    return trouble(Trouble::missing, text_of(upload) + ": 404 NoSuchUpload");
  }
  return &it->second;
}

Awaitable<Answer<std::string>> MemoryBucket::create_multipart(ObjectName name,
                                                              ObjectHeaders headers,
                                                              Deadline deadline) {
  auto create = [&]() -> Answer<std::string> {
    if (auto valid = check_name(name); !valid) return std::unexpected(valid.error());
    auto to_keep = kept(headers);
    if (!to_keep) return std::unexpected(to_keep.error());
    auto id = "2~" + hex(++made_);
    multiparts_[{Name(name.bucket, name.key), id}] = {id, *std::move(to_keep), now(), {}};
    return id;
  };
  co_return co_await request<std::string>({Operation::create_multipart, text_of(name)}, create,
                                          deadline);
}

Answer<std::string> MemoryBucket::keep_part(const MultipartName& upload, std::uint32_t number,
                                            std::string bytes) {
  auto found = find(upload);
  if (!found) return std::unexpected(found.error());
  if (number < 1 || number > most_parts) {
    return trouble(Trouble::refused, text_of(upload, number) + ": 400 InvalidArgument");
  }
  auto etag = etag_of(bytes);
  (*found)->parts[number] = {std::move(bytes), etag, now(), ++made_};
  return etag;
}

Awaitable<Answer<std::string>> MemoryBucket::put_part(MultipartName upload, std::uint32_t number,
                                                      Payload payload, Deadline deadline) {
  auto put = [&] { return keep_part(upload, number, bytes_of(payload)); };
  co_return co_await request<std::string>(
      {Operation::put_part, text_of(upload, number), payload.size()}, put, deadline);
}

// The whole of a part, or half of it.
Awaitable<Answer<std::string>> MemoryBucket::take(PartSource& source, std::uint64_t count) {
  std::string bytes;
  while (bytes.size() < count) {
    auto piece = co_await source.next();
    if (piece.empty()) co_return trouble(Trouble::unavailable, "the source ended");
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  co_return bytes;
}

Awaitable<Answer<std::string>> MemoryBucket::stream_part(MultipartName upload, std::uint32_t number,
                                                         PartSource& source, Deadline deadline) {
  Request request{Operation::put_part, text_of(upload, number), source.size()};
  co_await travel();
  auto fault = way_.admit(request);
  if (fault == Fault::breaks_off) (void)co_await take(source, source.size() / 2);
  if (auto go = co_await way_.there(request, fault, deadline); !go) {
    co_return std::unexpected(go.error());
  }
  auto bytes = co_await take(source, source.size());
  if (!bytes) co_return bytes;
  if (bytes->size() != source.size()) {
    co_return trouble(Trouble::refused, request.what + ": 400 IncompleteBody");
  }
  std::optional<Answer<std::string>> answer;
  {
    std::lock_guard lock(mutex_);
    answer.emplace(keep_part(upload, number, *std::move(bytes)));
  }
  if (auto here = co_await way_.back(request, fault, deadline); !here) {
    co_return std::unexpected(here.error());
  }
  co_return *std::move(answer);
}

Awaitable<Answer<std::string>> MemoryBucket::copy_part(MultipartName upload, std::uint32_t number,
                                                       ObjectName from, ByteRange range,
                                                       Deadline deadline) {
  auto copy = [&]() -> Answer<std::string> {
    auto found = find(from);
    if (!found) return std::unexpected(found.error());
    const auto& bytes = *(*found)->bytes;
    bool inside =
        range.count > 0 && range.first < bytes.size() && range.count <= bytes.size() - range.first;
    if (!inside || bytes.size() < options_.quirks.smallest_copied_from) {
      return trouble(Trouble::changed, text_of(from) + ": 416 InvalidRange");
    }
    return keep_part(
        upload, number,
        bytes.substr(static_cast<std::size_t>(range.first), static_cast<std::size_t>(range.count)));
  };
  auto what = text_of(upload, number) + " from " + text_of(from) + " " +
              std::to_string(range.first) + "+" + std::to_string(range.count);
  co_return co_await request<std::string>({Operation::copy_part, what}, copy, deadline);
}

PartPage MemoryBucket::page_of(const Multipart& multipart, std::uint32_t after) const {
  std::uint64_t too_new = UINT64_MAX;
  if (auto hidden = options_.quirks.newest_parts_hidden; hidden > 0) {
    std::vector<std::uint64_t> ages;
    for (const auto& [number, part] : multipart.parts) ages.push_back(part.age);
    std::ranges::sort(ages);
    too_new = hidden < ages.size() ? ages[ages.size() - hidden] : 0;
  }
  PartPage page;
  for (const auto& [number, part] : multipart.parts) {
    if (number <= after || part.age >= too_new) continue;
    if (page.parts.size() == options_.quirks.page_size) {
      page.at_end = false;
      break;
    }
    page.parts.push_back({number, part.bytes.size(), part.etag, part.modified});
  }
  return page;
}

Awaitable<Answer<PartPage>> MemoryBucket::list_parts(MultipartName upload, std::uint32_t after,
                                                     Deadline deadline) {
  auto list = [&]() -> Answer<PartPage> {
    auto found = find(upload);
    if (!found) return std::unexpected(found.error());
    return page_of(**found, after);
  };
  co_return co_await request<PartPage>({Operation::list_parts, text_of(upload)}, list, deadline);
}

// The bytes of the object, or what is wrong with the parts.
Answer<std::string> MemoryBucket::join(const Multipart& multipart,
                                       const std::vector<PartTag>& parts) const {
  std::string bytes;
  std::uint32_t last = 0;
  if (parts.empty()) return trouble(Trouble::refused, "400 MalformedXML");
  for (const auto& tag : parts) {
    if (tag.number <= last) return trouble(Trouble::bad_parts, "400 InvalidPartOrder");
    last = tag.number;
    auto it = multipart.parts.find(tag.number);
    if (it == multipart.parts.end() || bare(it->second.etag) != bare(tag.etag)) {
      return trouble(Trouble::bad_parts, "400 InvalidPart " + std::to_string(tag.number));
    }
    bool is_last = &tag == &parts.back();
    if (!is_last && it->second.bytes.size() < options_.quirks.smallest_part) {
      return trouble(Trouble::bad_parts, "400 EntityTooSmall " + std::to_string(tag.number));
    }
    bytes += it->second.bytes;
  }
  return bytes;
}

Answer<void> MemoryBucket::complete(const MultipartName& upload, std::vector<PartTag> parts) {
  auto same = [](const PartTag& a, const PartTag& b) {
    return a.number == b.number && bare(a.etag) == bare(b.etag);
  };
  if (options_.quirks.any_order) std::ranges::sort(parts, {}, &PartTag::number);
  auto found = find(upload);
  if (!found) {
    auto before = completed_.find(upload.upload);
    bool again = options_.quirks.complete_again && before != completed_.end() &&
                 std::ranges::equal(before->second, parts, same) && find(upload.name);
    return again ? Answer<void>() : std::unexpected(found.error());
  }
  auto bytes = join(**found, parts);
  if (!bytes) return trouble(bytes.error().trouble, text_of(upload) + ": " + bytes.error().detail);
  auto name = Name(upload.name.bucket, upload.name.key);
  auto etag = etag_of(*bytes);
  etag.insert(etag.size() - 1, "-" + std::to_string(parts.size()));
  objects_[name] = {std::make_shared<std::string>(*std::move(bytes)), (*found)->headers, etag,
                    now()};
  multiparts_.erase({name, upload.upload});
  completed_[upload.upload] = std::move(parts);
  return {};
}

Awaitable<Answer<void>> MemoryBucket::complete_multipart(MultipartName upload,
                                                         std::vector<PartTag> parts,
                                                         Deadline deadline) {
  auto what = text_of(upload) + " of " + std::to_string(parts.size());
  co_return co_await request<void>(
      {Operation::complete_multipart, what}, [&] { return complete(upload, parts); }, deadline);
}

Awaitable<Answer<void>> MemoryBucket::abort_multipart(MultipartName upload, Deadline deadline) {
  auto abort = [&]() -> Answer<void> {
    if (auto valid = check_name(upload.name); !valid) return valid;
    multiparts_.erase({Name(upload.name.bucket, upload.name.key), upload.upload});
    return {};
  };
  co_return co_await request<void>({Operation::abort_multipart, text_of(upload)}, abort, deadline);
}

Awaitable<Answer<MultipartPage>> MemoryBucket::list_multiparts(std::string bucket,
                                                               std::string prefix,
                                                               std::string key_marker,
                                                               std::string upload_marker,
                                                               Deadline deadline) {
  auto is_behind = [&](const std::string& key, const std::string& id) {
    return key > key_marker || (!upload_marker.empty() && key == key_marker && id > upload_marker);
  };
  auto list = [&]() -> Answer<MultipartPage> {
    if (auto valid = check_bucket(bucket); !valid) return std::unexpected(valid.error());
    MultipartPage page;
    for (const auto& [name, multipart] : multiparts_) {
      const auto& key = name.first.second;
      if (name.first.first != bucket || !key.starts_with(prefix)) continue;
      if (!is_behind(key, multipart.id)) continue;
      if (page.uploads.size() == options_.quirks.page_size) {
        page.at_end = false;
        break;
      }
      page.uploads.push_back({key, multipart.id, multipart.initiated});
      page.key_marker = key;
      page.upload_marker = multipart.id;
    }
    return page;
  };
  co_return co_await request<MultipartPage>({Operation::list_multiparts, bucket + "/" + prefix},
                                            list, deadline);
}

}  // namespace tus::s3::test
