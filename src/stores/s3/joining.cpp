#include "stores/s3/joining.h"

#include "stores/s3/completion.h"

#include <map>
#include <numeric>
#include <utility>

namespace tus::s3 {

Awaitable<Result<Joined>> Joining::go_on(const Lease& lease, Deadline deadline) {
  if (auto ready = co_await work_.claim(lease, context_.deadline()); !ready) {
    co_return fail(std::move(ready.error()));
  }
  if (!work_.info().join_pending) co_return Joined::wholly;
  if (!begun_) {
    auto found = co_await find_sources(context_.deadline());
    if (!found) co_return fail(std::move(found.error()));
    plan_ = plan_join(context_.options.parts, sizes_);
    begun_ = true;
    find_done();
  }
  while (!work_.state.has_object && done_.size() < plan_.size()) {
    auto made = co_await make_part(lease, plan_[done_.size()]);
    if (!made) co_return fail(std::move(made.error()));
    if (deadline.passed(context_.clock->now())) co_return Joined::partly;
  }
  if (!work_.state.has_object) {
    auto whole = co_await complete_parts(work_, lease, done_, context_.deadline());
    if (!whole) co_return fail(std::move(whole.error()));
  }
  auto shown = co_await show(lease);
  if (!shown) co_return fail(std::move(shown.error()));
  co_return Joined::wholly;
}

Awaitable<Status> Joining::find_sources(Deadline deadline) {
  struct Source {
    ObjectName name;
    std::uint64_t size = 0;
  };
  std::map<std::string, Source> known;
  for (const auto& text : work_.info().partial_uploads) {
    auto it = known.find(text);
    if (it == known.end()) {
      auto id = UploadId::parse(text);
      if (!id) co_return fail(ErrorCode::upload_gone, "no part has this name: " + text);
      auto part = co_await context_.looker.look(*id, deadline);
      if (!part) {
        const bool missing = part.error() == ErrorCode::upload_not_found;
        co_return fail(missing ? Error(ErrorCode::upload_gone, text) : part.error());
      }
      if (!part->has_object) co_return fail(ErrorCode::upload_gone, "not finished: " + text);
      it = known.emplace(text, Source{part->data.name, part->file.info.offset}).first;
    }
    sources_.push_back(it->second.name);
    sizes_.push_back(it->second.size);
  }
  const auto total = std::accumulate(sizes_.begin(), sizes_.end(), std::uint64_t{0});
  if (work_.info().length != total) {
    sources_.clear();
    sizes_.clear();
    co_return fail(ErrorCode::upload_damaged, "the parts have another length together");
  }
  co_return Status();
}

// What an earlier process has made by the same plan.
void Joining::find_done() {
  for (const auto& part : work_.state.ledger.parts) {
    if (done_.size() == plan_.size() || plan_[done_.size()].size() != part.size) break;
    done_.push_back({static_cast<std::uint32_t>(done_.size() + 1), part.etag});
  }
}

Awaitable<Status> Joining::make_part(const Lease& lease, const JoinPart& part) {
  if (auto may = work_.may_write(lease); !may) co_return may;
  const auto number = static_cast<std::uint32_t>(done_.size() + 1);
  auto etag = part.segments.size() == 1 ? co_await copy(number, part.segments.front())
                                        : co_await carry(lease, number, part);
  if (!etag) co_return fail(std::move(etag.error()));
  done_.push_back({number, *std::move(etag)});
  co_return Status();
}

Awaitable<Result<std::string>> Joining::copy(std::uint32_t number, Segment segment) {
  auto etag = co_await context_.bucket.copy_part(work_.state.data, number, sources_[segment.source],
                                                 ByteRange{segment.first, segment.count},
                                                 context_.deadline(segment.count));
  if (!etag) co_return fail(as_error(std::move(etag.error())));
  co_return *std::move(etag);
}

Awaitable<Result<std::string>> Joining::carry(const Lease& lease, std::uint32_t number,
                                              const JoinPart& part) {
  const auto size = part.size();
  const auto deadline = context_.deadline(size);
  ByteRun bytes(context_.chunks);
  if (size > 0) {
    bytes.room = co_await context_.hold(size, deadline);
    if (bytes.room.bytes() == 0) co_return fail(ErrorCode::overloaded, "no memory for a part");
  }
  for (const auto& segment : part.segments) {
    auto stream = co_await context_.bucket.open_object(
        sources_[segment.source], ByteRange{segment.first, segment.count}, deadline);
    if (!stream) co_return fail(as_error(std::move(stream.error())));
    for (std::uint64_t left = segment.count; left > 0;) {
      const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, 256 << 10));
      auto read = co_await (*stream)->read(bytes.space(most), deadline);
      if (!read) co_return fail(as_error(std::move(read.error())));
      if (*read == 0) co_return fail(ErrorCode::store_unavailable, "a part ended early");
      bytes.grow(*read);
      left -= *read;
    }
  }
  const auto all = bytes.view(size);
  co_return co_await work_.put_part(lease, number, all.payload, deadline);
}

Awaitable<Status> Joining::show(const Lease& lease) {
  auto shown = co_await work_.change(
      lease, [](stores::InfoFile& file) { file.info.join_pending = false; }, context_.deadline());
  if (!shown) co_return shown;
  auto mark = context_.names.join_mark(work_.info().id.str());
  auto gone = co_await context_.bucket.delete_object(std::move(mark), context_.deadline());
  if (!gone) {
    context_.logger->log(LogLevel::warn, "JoinMarkNotRemoved",
                         {{"id", work_.info().id.str()}, {"cause", gone.error().detail}});
  }
  co_return Status();
}

}  // namespace tus::s3
