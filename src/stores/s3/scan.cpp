#include "stores/s3/scan.h"

#include "async/task_group.h"
#include "stores/s3/left_overs.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace tus::s3 {

namespace {

constexpr std::size_t looks_side_by_side = 16;

// What is no upload is passed over.
Status unless_it_is_none(Error error) {
  if (error == ErrorCode::store_unavailable) return fail(std::move(error));
  return Status();
}

}  // namespace

Awaitable<Result<ScanPage>> Scan::next(Deadline deadline) {
  ScanPage page;
  if (!records_end_) {
    auto listed = co_await context_.bucket.list_objects(
        context_.names.bucket(), context_.names.metadata_prefix(), after_, deadline);
    if (!listed) co_return fail(as_error(std::move(listed.error())));
    auto done = co_await look_at_all(records_in(listed->objects), page, deadline);
    if (!done) co_return fail(std::move(done.error()));
    records_end_ = listed->at_end || listed->objects.empty();
    if (!records_end_) after_ = listed->objects.back().key;
    page.at_end = records_end_ && !options_.idle_since;
    co_return page;
  }
  auto done = co_await find_left_overs(page, deadline);
  if (!done) co_return fail(std::move(done.error()));
  co_return page;
}

std::vector<Scan::Found> Scan::records_in(const std::vector<ListedObject>& objects) {
  std::map<std::string, std::chrono::sys_seconds> rests;
  for (const auto& listed : objects) {
    if (auto object = context_.names.object_of_rest(listed.key)) {
      rests[*std::move(object)] = listed.last_modified;
    }
  }
  std::vector<Found> found;
  for (const auto& listed : objects) {
    auto object = context_.names.object_of_info(listed.key);
    if (!object || listed.size == 0) continue;
    if (options_.idle_since && context_.over.contains(*object, listed.etag)) continue;
    auto changed = listed.last_modified;
    if (auto rest = rests.find(*object); rest != rests.end()) {
      changed = std::max(changed, rest->second);
    }
    // Its parts are younger than its record, so one that is too young here is too young.
    if (is_old(changed)) found.push_back({*std::move(object), listed.etag, changed});
  }
  return found;
}

Awaitable<Status> Scan::look(Found found, ScanPage& page, Deadline deadline) {
  // The name in the record is the upload's.
  auto id = UploadId::parse(found.object);
  if (!id) co_return Status();
  auto state = co_await context_.looker.read_any_record(*std::move(id), found.object, deadline);
  if (!state) co_return unless_it_is_none(std::move(state.error()));
  auto name = state->file.info.id;
  if (state->file.bucket.going) {
    if (options_.idle_since) page.left_overs.push_back(std::move(name));
    co_return Status();
  }
  if (state->file.info.finish == FinishState::finished && options_.idle_since) {
    context_.over.add(found.object, found.etag);
    co_return Status();
  }
  state = co_await context_.looker.look_at_data(*std::move(state), deadline);
  if (!state && state.error() == ErrorCode::upload_gone && options_.idle_since) {
    page.left_overs.push_back(std::move(name));
    co_return Status();
  }
  if (!state) co_return unless_it_is_none(std::move(state.error()));
  auto& info = state->file.info;
  if (info.finished()) context_.over.add(found.object, found.etag);
  const bool idle = !info.finished() && info.last_activity && is_old(*info.last_activity);
  if (!options_.idle_since || idle) page.uploads.push_back(std::move(info));
  co_return Status();
}

Awaitable<Status> Scan::look_at_all(std::vector<Found> found, ScanPage& page, Deadline deadline) {
  struct Shared {
    std::vector<Found> found;
    std::size_t next = 0;
    Status status;
  };
  // In the frame of this call, which waits for the tasks; they are all on its executor.
  Shared shared{std::move(found), 0, {}};
  const auto one_line = [](Scan& scan, Shared& all, ScanPage& to, Deadline by) -> Awaitable<void> {
    while (all.status && all.next < all.found.size()) {
      auto looked = co_await scan.look(std::move(all.found[all.next++]), to, by);
      if (!looked) all.status = std::move(looked);
    }
  };
  TaskGroup group([&shared](std::exception_ptr) {
    shared.status = fail(ErrorCode::internal, "a look at an upload failed");
  });
  auto executor = co_await asio::this_coro::executor;
  const auto lines = std::min(shared.found.size(), looks_side_by_side);
  for (std::size_t i = 0; i < lines; ++i) {
    group.spawn(executor, one_line(*this, shared, page, deadline));
  }
  (void)co_await group.close(Deadline::never());
  co_return std::move(shared.status);
}

Awaitable<Status> Scan::find_left_overs(ScanPage& page, Deadline deadline) {
  auto listed = co_await context_.bucket.list_multiparts(
      context_.names.bucket(), context_.names.data_prefix(), key_marker_, upload_marker_, deadline);
  if (!listed) co_return fail(as_error(std::move(listed.error())));
  for (const auto& upload : listed->uploads) {
    if (!is_old(upload.initiated)) continue;
    if (auto id = left_over_of(context_, upload)) page.left_overs.push_back(*std::move(id));
  }
  key_marker_ = listed->key_marker;
  upload_marker_ = listed->upload_marker;
  page.at_end = listed->at_end;
  if (page.at_end) co_await remove_old_staged(context_, *options_.idle_since, deadline);
  co_return Status();
}

}  // namespace tus::s3
