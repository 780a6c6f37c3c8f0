// The part of the service that removes uploads which have come to their end by themselves, and left-overs.
#include "core/acquire.h"
#include "core/caught.h"
#include "core/expiry.h"
#include "core/upload_service.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

namespace tus::core {

namespace {

constexpr std::chrono::milliseconds shortest_interval{1'000};
constexpr std::chrono::milliseconds longest_interval{3'600'000};

// Often enough that what has expired is not kept for much longer.
std::chrono::milliseconds interval_of(std::chrono::seconds expire_after) {
  return std::clamp<std::chrono::milliseconds>(expire_after / 10, shortest_interval,
                                               longest_interval);
}

// Somebody uses it, or it has gone: not for us.
bool leaves_it(const Error& error) {
  return error == ErrorCode::upload_locked || error == ErrorCode::lock_timeout ||
         error == ErrorCode::upload_not_found || error == ErrorCode::upload_gone ||
         error == ErrorCode::upload_damaged;
}

}  // namespace

bool UploadService::has_departed(std::string_view id) const {
  return options_.expire_after.count() > 0 && departed_.contains(id);
}

Awaitable<Result<SweepReport>> UploadService::sweep(SweepPace pace) {
  if (options_.expire_after.count() == 0) co_return fail(ErrorCode::not_implemented);
  SweepReport report;
  ScanOptions idle;
  idle.idle_since = idle_since(options_, parts_);
  const auto scan = parts_.store->scan(idle);
  Status all = {};
  for (bool at_end = false; !at_end && !jobs_.closing();) {
    const auto begun = parts_.clock->now();
    auto page = co_await scan->next(store_deadline());
    if (!page) co_return fail(std::move(page.error()));
    at_end = page->at_end;
    auto swept = co_await sweep_page(*page, *idle.idle_since, report);
    if (!swept && all) all = std::move(swept);
    if (pace == SweepPace::fast) continue;
    // Others need the disk and the processors more.
    const auto now = parts_.clock->now();
    if (co_await stopping_.wait(Deadline::after(now, now - begun))) break;
  }
  if (options_.remove_left_overs && !jobs_.closing()) {
    auto stale = co_await parts_.locker->remove_stale(*idle.idle_since);
    if (!stale) co_return fail(std::move(stale.error()));
    report.locks = *stale;
  }
  if (!all) co_return fail(std::move(all.error()));
  co_return report;
}

Awaitable<Status> UploadService::sweep_page(const ScanPage& page, std::chrono::sys_seconds idle,
                                            SweepReport& report) {
  // One that cannot be removed does not keep those behind it.
  Status all = {};
  for (const auto& info : page.uploads) {
    if (jobs_.closing()) co_return all;
    auto done = co_await expire(info, report);
    if (!done && !leaves_it(done.error()) && all) all = std::move(done);
  }
  if (!options_.remove_left_overs) co_return all;
  for (const auto& id : page.left_overs) {
    if (jobs_.closing()) co_return all;
    auto done = co_await remove_left_over(id, idle, report);
    if (!done && !leaves_it(done.error()) && all) all = std::move(done);
  }
  co_return all;
}

// A final upload that waits for parts lives as long as they come, and does not end once they are all there.
Awaitable<Result<bool>> UploadService::is_over(UploadInfo upload) {
  if (!upload.join_pending) co_return has_expired(options_, parts_, upload);
  auto survey = co_await joins_.survey(upload);
  if (!survey && survey.error() == ErrorCode::store_unavailable) {
    co_return fail(std::move(survey.error()));
  }
  if (survey && survey->all_finished) co_return false;
  if (survey) upload.last_activity = std::max(upload.last_activity, survey->last_activity);
  co_return has_expired(options_, parts_, upload);
}

Awaitable<Status> UploadService::expire(UploadInfo upload, SweepReport& report) {
  if (jobs_.find(upload.id)) co_return Status();
  auto over = co_await is_over(upload);
  if (!over) co_return fail(std::move(over.error()));
  if (!*over) co_return Status();
  const auto held_by_somebody = co_await parts_.locker->is_held(upload.id);
  if (!held_by_somebody) co_return fail(Error(held_by_somebody.error()));
  if (*held_by_somebody) co_return Status();
  // As the oldest of all, so that it turns nobody away.
  auto held = co_await open_held(upload.id, Deadline::Point::min(), nullptr);
  if (!held) co_return fail(std::move(held.error()));
  upload = held->upload->info();
  over = co_await is_over(upload);
  if (!over) co_return fail(std::move(over.error()));
  if (!*over) co_return Status();
  if (auto may = co_await may_end(upload); !may) co_return may;
  auto ended = co_await end_upload(*held, RequestHead(), Ending::expired);
  if (!ended) co_return ended;
  departed_.add(upload.id.str());
  ++report.uploads;
  report.upload_bytes += upload.offset;
  co_return Status();
}

Awaitable<Status> UploadService::remove_left_over(UploadId id, std::chrono::sys_seconds idle,
                                                  SweepReport& report) {
  auto keeper = std::make_shared<LeaseKeeper>(Deadline::Point::min());
  auto lease = co_await acquire(parts_, id, lock_deadline(), keeper);
  if (!lease) co_return fail(std::move(lease.error()));
  auto bytes = co_await parts_.store->remove_left_over(id, **lease, idle, store_deadline());
  if (!bytes) co_return fail(std::move(bytes.error()));
  if (!*bytes) co_return Status();
  ++report.left_overs;
  report.left_over_bytes += **bytes;
  parts_.metrics->left_over_removed(**bytes);
  parts_.logger->log(LogLevel::info, "LeftOverRemoved",
                     {{"id", id.str()}, {"bytes", std::to_string(**bytes), LogKind::number}});
  co_return Status();
}

Awaitable<void> UploadService::keep_sweeping() {
  const auto interval = interval_of(options_.expire_after);
  for (;;) {
    Result<SweepReport> swept = SweepReport();
    std::exception_ptr thrown;
    try {
      swept = co_await sweep(SweepPace::gentle);
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown) swept = fail(error_from(std::move(thrown)));
    if (!swept) {
      parts_.logger->log(
          LogLevel::error, "SweepFailed",
          {{"error", describe(swept.error().code()).code}, {"cause", swept.error().detail()}});
    }
    if (co_await stopping_.wait(Deadline::after(parts_.clock->now(), interval))) co_return;
  }
}

}  // namespace tus::core
