#include "stores/s3/client/faulty_bucket_test_kit.h"

#include <cstddef>
#include <numeric>
#include <span>
#include <utility>

namespace tus::s3::test {

namespace {

// Of a process that may die in the middle.
class FaultyStream final : public ObjectStream {
 public:
  FaultyStream(BucketFaults& faults, std::unique_ptr<ObjectStream> inner)
      : faults_(faults), inner_(std::move(inner)) {}

  const ObjectLook& look() const noexcept override { return inner_->look(); }
  Awaitable<Answer<std::size_t>> read(std::span<std::byte> into, Deadline deadline) override {
    if (faults_.is_dead()) co_return trouble(Trouble::unavailable, "the connection broke");
    co_return co_await inner_->read(into, deadline);
  }

 private:
  BucketFaults& faults_;
  std::unique_ptr<ObjectStream> inner_;
};

class KeepingSource final : public PartSource {
 public:
  explicit KeepingSource(PartSource& inner) : inner_(inner) {}

  std::uint64_t size() const noexcept override { return inner_.size(); }
  Awaitable<std::span<const std::byte>> next() override {
    const auto piece = co_await inner_.next();
    bytes_.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    co_return piece;
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  PartSource& inner_;
  std::string bytes_;
};

bool is_free(const std::string& place) { return place.ends_with(".info"); }

}  // namespace

// ---- room -----------------------------------------------------------------------------------------------------------

void UsedRoom::limit(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  limit_ = bytes;
}

std::optional<std::uint64_t> UsedRoom::take(const std::string& place, std::uint64_t bytes) {
  if (is_free(place)) return 0;
  std::lock_guard lock(mutex_);
  const auto used =
      std::accumulate(sizes_.begin(), sizes_.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const auto& entry) { return sum + entry.second; });
  const auto old = sizes_.find(place);
  const auto before = old == sizes_.end() ? 0 : old->second;
  if (limit_ && bytes > before && used - before + bytes > *limit_) return std::nullopt;
  sizes_[place] = bytes;
  return before;
}

void UsedRoom::put_back(const std::string& place, std::uint64_t bytes) {
  if (is_free(place)) return;
  std::lock_guard lock(mutex_);
  sizes_[place] = bytes;
}

void UsedRoom::free(const std::string& place) {
  std::lock_guard lock(mutex_);
  sizes_.erase(place);
}

void UsedRoom::free_parts(const MultipartName& upload) {
  std::lock_guard lock(mutex_);
  free_parts_locked(upload);
}

void UsedRoom::free_parts_locked(const MultipartName& upload) {
  const auto first = text_of(upload) + "#";
  std::erase_if(sizes_, [&](const auto& entry) { return entry.first.starts_with(first); });
}

void UsedRoom::join(const MultipartName& upload, const std::vector<PartTag>& parts) {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& part : parts) {
    const auto found = sizes_.find(text_of(upload, part.number));
    if (found != sizes_.end()) sum += found->second;
  }
  // Done already, by a request of which nobody heard.
  if (sum == 0 && sizes_.contains(text_of(upload.name))) return;
  free_parts_locked(upload);
  sizes_[text_of(upload.name)] = sum;
}

// ---- how a request goes ---------------------------------------------------------------------------------------------

template <class T>
Awaitable<Answer<T>> FaultyBucket::request(Request request,
                                           std::function<Awaitable<Answer<T>>()> send,
                                           Deadline deadline) {
  const auto fault = way_.admit(request);
  if (auto go = co_await way_.there(request, fault, deadline); !go) {
    co_return std::unexpected(go.error());
  }
  auto answer = co_await send();
  if (fault == Fault::done_twice) answer = co_await send();
  if (auto here = co_await way_.back(request, fault, deadline); !here) {
    co_return std::unexpected(here.error());
  }
  co_return answer;
}

Awaitable<Answer<std::string>> FaultyBucket::into(std::string place, std::uint64_t bytes,
                                                  Awaitable<Answer<std::string>> sending) {
  const auto before = room_.take(place, bytes);
  if (!before) co_return trouble(Trouble::full, place + ": 403 QuotaExceeded");
  auto etag = co_await std::move(sending);
  if (!etag) room_.put_back(place, *before);
  co_return etag;
}

Awaitable<Answer<std::string>> FaultyBucket::send_part(MultipartName upload, std::uint32_t number,
                                                       std::string bytes,
                                                       Awaitable<Answer<std::string>> sending) {
  // Before it is sent: it is listed as soon as the server has it, whether its answer has been heard or not.
  remember(upload, number, bytes);
  co_return co_await into(text_of(upload, number), bytes.size(), std::move(sending));
}

Awaitable<Answer<std::string>> FaultyBucket::send_stream(MultipartName upload, std::uint32_t number,
                                                         PartSource& source, Deadline deadline) {
  KeepingSource kept(source);
  auto etag = co_await into(text_of(upload, number), source.size(),
                            inner_->stream_part(upload, number, kept, deadline));
  if (etag) remember(upload, number, kept.bytes());
  co_return etag;
}

Awaitable<Answer<std::string>> FaultyBucket::send_copy(MultipartName upload, std::uint32_t number,
                                                       ObjectName from, ByteRange range,
                                                       Deadline deadline) {
  auto stream = co_await inner_->open_object(from, range, deadline);
  if (!stream) co_return std::unexpected(stream.error());
  std::string bytes(static_cast<std::size_t>(range.count), '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    auto rest = std::as_writable_bytes(std::span(bytes)).subspan(at);
    const auto count = co_await (*stream)->read(rest, deadline);
    if (!count) co_return std::unexpected(count.error());
    if (*count == 0) co_return trouble(Trouble::changed, text_of(from) + ": 416 InvalidRange");
    at += *count;
  }
  co_return co_await send_part(upload, number, std::move(bytes),
                               inner_->copy_part(upload, number, from, range, deadline));
}

Awaitable<Answer<void>> FaultyBucket::counted(Awaitable<Answer<void>> sending,
                                              std::function<void()> count) {
  auto done = co_await std::move(sending);
  if (done) count();
  co_return done;
}

void FaultyBucket::remember(const MultipartName& upload, std::uint32_t number,
                            const std::string& bytes) {
  std::lock_guard lock(mutex_);
  sent_[{upload.upload, number}][std::string(bare(etag_of(bytes)))] = bytes;
}

std::optional<std::string> FaultyBucket::sent_as(const MultipartName& upload,
                                                 const PartLook& part) const {
  std::lock_guard lock(mutex_);
  const auto sent = sent_.find({upload.upload, part.number});
  if (sent == sent_.end()) return std::nullopt;
  const auto found = sent->second.find(std::string(bare(part.etag)));
  if (found == sent->second.end() || found->second.size() != part.size) return std::nullopt;
  return found->second;
}

// ---- objects --------------------------------------------------------------------------------------------------------

Awaitable<Answer<void>> FaultyBucket::check(std::string bucket, Deadline deadline) {
  co_return co_await request<void>(
      {Operation::check, bucket}, [&] { return inner_->check(bucket, deadline); }, deadline);
}

Awaitable<Answer<ObjectLook>> FaultyBucket::head_object(ObjectName name, Deadline deadline) {
  co_return co_await request<ObjectLook>(
      {Operation::head_object, text_of(name)}, [&] { return inner_->head_object(name, deadline); },
      deadline);
}

Awaitable<Answer<std::optional<SmallObject>>> FaultyBucket::get_object(ObjectName name,
                                                                       std::size_t limit,
                                                                       std::string unless,
                                                                       Deadline deadline) {
  co_return co_await request<std::optional<SmallObject>>(
      {Operation::get_object, text_of(name)},
      [&] { return inner_->get_object(name, limit, unless, deadline); }, deadline);
}

Awaitable<Answer<std::unique_ptr<ObjectStream>>> FaultyBucket::open_object(
    ObjectName name, std::optional<ByteRange> range, Deadline deadline) {
  auto stream = co_await request<std::unique_ptr<ObjectStream>>(
      {Operation::get_object, text_of(name)},
      [&] { return inner_->open_object(name, range, deadline); }, deadline);
  if (!stream) co_return stream;
  co_return std::make_unique<FaultyStream>(faults_, *std::move(stream));
}

Awaitable<Answer<std::string>> FaultyBucket::put_object(ObjectName name, Payload payload,
                                                        ObjectHeaders headers, Condition condition,
                                                        Deadline deadline) {
  const auto place = text_of(name);
  co_return co_await request<std::string>(
      {Operation::put_object, place, payload.size()},
      [&] {
        return into(place, payload.size(),
                    inner_->put_object(name, payload, headers, condition, deadline));
      },
      deadline);
}

Awaitable<Answer<void>> FaultyBucket::delete_object(ObjectName name, Deadline deadline) {
  const auto place = text_of(name);
  co_return co_await request<void>(
      {Operation::delete_object, place},
      [&] { return counted(inner_->delete_object(name, deadline), [&] { room_.free(place); }); },
      deadline);
}

Awaitable<Answer<ObjectPage>> FaultyBucket::list_objects(std::string bucket, std::string prefix,
                                                         std::string after, Deadline deadline) {
  co_return co_await request<ObjectPage>(
      {Operation::list_objects, bucket + "/" + prefix},
      [&] { return inner_->list_objects(bucket, prefix, after, deadline); }, deadline);
}

// ---- multipart uploads ----------------------------------------------------------------------------------------------

Awaitable<Answer<std::string>> FaultyBucket::create_multipart(ObjectName name,
                                                              ObjectHeaders headers,
                                                              Deadline deadline) {
  co_return co_await request<std::string>(
      {Operation::create_multipart, text_of(name)},
      [&] { return inner_->create_multipart(name, headers, deadline); }, deadline);
}

Awaitable<Answer<std::string>> FaultyBucket::put_part(MultipartName upload, std::uint32_t number,
                                                      Payload payload, Deadline deadline) {
  co_return co_await request<std::string>(
      {Operation::put_part, text_of(upload, number), payload.size()},
      [&] {
        return send_part(upload, number, bytes_of(payload),
                         inner_->put_part(upload, number, payload, deadline));
      },
      deadline);
}

Awaitable<Answer<std::string>> FaultyBucket::stream_part(MultipartName upload, std::uint32_t number,
                                                         PartSource& source, Deadline deadline) {
  co_return co_await request<std::string>(
      {Operation::put_part, text_of(upload, number), source.size()},
      [&] { return send_stream(upload, number, source, deadline); }, deadline);
}

Awaitable<Answer<std::string>> FaultyBucket::copy_part(MultipartName upload, std::uint32_t number,
                                                       ObjectName from, ByteRange range,
                                                       Deadline deadline) {
  co_return co_await request<std::string>(
      {Operation::copy_part, text_of(upload, number) + " from " + text_of(from)},
      [&] { return send_copy(upload, number, from, range, deadline); }, deadline);
}

Awaitable<Answer<PartPage>> FaultyBucket::list_parts(MultipartName upload, std::uint32_t after,
                                                     Deadline deadline) {
  co_return co_await request<PartPage>(
      {Operation::list_parts, text_of(upload)},
      [&] { return inner_->list_parts(upload, after, deadline); }, deadline);
}

Awaitable<Answer<void>> FaultyBucket::complete_multipart(MultipartName upload,
                                                         std::vector<PartTag> parts,
                                                         Deadline deadline) {
  co_return co_await request<void>(
      {Operation::complete_multipart, text_of(upload) + " of " + std::to_string(parts.size())},
      [&] {
        return counted(inner_->complete_multipart(upload, parts, deadline),
                       [&] { room_.join(upload, parts); });
      },
      deadline);
}

Awaitable<Answer<void>> FaultyBucket::abort_multipart(MultipartName upload, Deadline deadline) {
  co_return co_await request<void>(
      {Operation::abort_multipart, text_of(upload)},
      [&] {
        return counted(inner_->abort_multipart(upload, deadline),
                       [&] { room_.free_parts(upload); });
      },
      deadline);
}

Awaitable<Answer<MultipartPage>> FaultyBucket::list_multiparts(std::string bucket,
                                                               std::string prefix,
                                                               std::string key_marker,
                                                               std::string upload_marker,
                                                               Deadline deadline) {
  co_return co_await request<MultipartPage>(
      {Operation::list_multiparts, bucket + "/" + prefix},
      [&] { return inner_->list_multiparts(bucket, prefix, key_marker, upload_marker, deadline); },
      deadline);
}

}  // namespace tus::s3::test
