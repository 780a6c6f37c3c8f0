#include "stores/s3/repair.h"

#include "async/task_group.h"
#include "stores/s3/completion.h"
#include "stores/s3/s3_upload.h"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace tus::s3 {

namespace {

constexpr std::size_t side_by_side = 8;
constexpr int most_remedies = 6;  // for one upload
constexpr std::chrono::seconds patience_for_locks{1};

constexpr const char* in_use = "somebody works on it";
constexpr const char* elsewhere_text =
    "Go's tusd does not find its data, which has another place or a multipart upload that is not "
    "in its id; let this server go on with it";

// Mending cannot be stopped half-way, and takes a moment only.
class Mender final : public LeaseHolder {
 public:
  Answer release_requested() noexcept override { return Answer::busy; }
  void lease_lost() noexcept override {}
};

class Unlocked final : public Lease {
 public:
  std::uint64_t token() const noexcept override { return 1; }
  bool lost() const noexcept override { return false; }
};

// Nothing where something can be done.
std::string why_not(Remedy remedy, const State& state) {
  if (remedy == Remedy::elsewhere) return elsewhere_text;
  if (remedy != Remedy::hopeless) return "";
  return "Go's tusd would tell the right offset, " + std::to_string(state.file.info.offset) +
         ", but could not finish it: part " + std::to_string(state.ledger.parts.size() + 1) +
         " was lost, and empty parts behind it cannot be removed; let this server go on with it";
}

std::string text_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::remove:
      return "removed what a removal had left";
    case Remedy::join:
      return "joined";
    case Remedy::complete:
      return "completed: all of its bytes were there";
    case Remedy::drop_rest:
      return "removed .part, which does not count";
    case Remedy::trim_rest:
      return "cut .part to the bytes that are in no part";
    case Remedy::fill:
      return "filled the place of lost parts from .part";
    case Remedy::blank:
      return "emptied parts that do not count";
    default:
      return "";
  }
}

bool same_parts(const std::vector<PartLook>& a, const std::vector<PartLook>& b) {
  return std::ranges::equal(a, b, [](const PartLook& x, const PartLook& y) {
    return x.number == y.number && x.size == y.size && x.etag == y.etag;
  });
}

std::string etag_of(const std::optional<Rest>& rest) { return rest ? rest->etag : ""; }

}  // namespace

// ---- the walk

Awaitable<Result<S3RepairReport>> Repair::run() {
  std::string after;
  for (bool at_end = false; !at_end && goes_on();) {
    auto listed = co_await context_.bucket.list_objects(
        context_.names.bucket(), context_.names.metadata_prefix(), after, context_.deadline());
    if (!listed) co_return fail(as_error(std::move(listed.error())));
    at_end = listed->at_end || listed->objects.empty();
    if (!listed->objects.empty()) after = listed->objects.back().key;
    co_await look_at_all(records_in(context_.names, listed->objects));
  }
  join_now_ = true;
  for (auto& found : std::exchange(joins_, {})) {
    if (!goes_on()) break;
    co_await look_at(std::move(found));
  }
  if (goes_on()) co_await remove_marks();
  co_return report_;
}

// Of joins that are done. They are no harm, but only a server of ours would remove them.
Awaitable<void> Repair::remove_marks() {
  const auto prefix = context_.names.join_marks();
  auto listed = co_await context_.bucket.list_objects(context_.names.bucket(), prefix, "",
                                                      context_.deadline());
  if (!listed) co_return;
  for (auto& mark : listed->objects) {
    auto id = UploadId::parse(std::string_view(mark.key).substr(prefix.size()));
    if (!id || is_young(mark.last_modified)) continue;
    auto state = co_await context_.looker.read_record(*std::move(id), context_.deadline());
    const bool is_needed =
        state ? state->file.info.join_pending : !(state.error() == ErrorCode::upload_not_found);
    if (is_needed) continue;
    (void)co_await context_.bucket.delete_object({context_.names.bucket(), std::move(mark.key)},
                                                 context_.deadline());
  }
}

std::vector<Repair::Found> Repair::records_in(const Names& names,
                                              const std::vector<ListedObject>& page) {
  std::map<std::string, Rest> rests;
  for (const auto& listed : page) {
    auto object = names.object_of_rest(listed.key);
    if (object) rests[*object] = Rest{0, listed.size, listed.etag, listed.last_modified};
  }
  std::vector<Found> found;
  for (const auto& listed : page) {
    auto object = names.object_of_info(listed.key);
    if (!object) continue;
    auto& one = found.emplace_back(Found{*std::move(object), std::nullopt});
    if (auto rest = rests.find(one.object); rest != rests.end()) one.rest = rest->second;
  }
  return found;
}

Awaitable<void> Repair::look_at_all(std::vector<Found> found) {
  struct Shared {
    std::vector<Found> found;
    std::size_t next = 0;
  };
  // In the frame of this call, which waits for the tasks; they are all on its executor.
  Shared shared{std::move(found), 0};
  const auto one_line = [](Repair& repair, Shared& all) -> Awaitable<void> {
    while (all.next < all.found.size() && repair.goes_on()) {
      co_await repair.look_at(std::move(all.found[all.next++]));
    }
  };
  TaskGroup group([this](std::exception_ptr) {
    say("?", S3Mending::failed, "an upload could not be looked at");
  });
  auto executor = co_await asio::this_coro::executor;
  const auto lines = std::min(shared.found.size(), side_by_side);
  for (std::size_t i = 0; i < lines; ++i) group.spawn(executor, one_line(*this, shared));
  (void)co_await group.close(Deadline::never());
}

// ---- an upload

Awaitable<Result<Repair::View>> Repair::look(const Found& found) {
  auto id = UploadId::parse(found.object);
  if (!id) co_return fail(ErrorCode::upload_not_found);
  const auto deadline = context_.deadline();
  auto state = co_await context_.looker.read_any_record(*std::move(id), found.object, deadline);
  if (!state) co_return fail(std::move(state.error()));
  View view;
  view.changed = state->file.info.last_activity.value_or(context_.wall());
  const bool is_over = state->file.info.finish == FinishState::finished;
  const bool has_data = !state->file.bucket.going && (is_over || !state->data.upload.empty());
  if (has_data) state = co_await context_.looker.look_at_data(*std::move(state), deadline);
  if (!state) co_return fail(std::move(state.error()));
  view.state = *std::move(state);
  if (!has_data) co_return view;
  auto& rest = view.state.ledger.rest;
  if (view.state.has_object) rest = found.rest;
  if (rest) view.changed = std::max(view.changed, rest->changed);
  if (!view.state.has_multipart) co_return view;
  auto parts = co_await context_.looker.all_parts(view.state.data, deadline);
  if (!parts) co_return fail(ErrorCode::store_unavailable, std::move(parts.error().detail));
  view.parts = *std::move(parts);
  for (const auto& part : view.parts) view.changed = std::max(view.changed, part.last_modified);
  co_return view;
}

Awaitable<void> Repair::look_at(Found found) {
  auto view = co_await look(found);
  if (!join_now_) ++report_.uploads;
  if (!view) co_return say(found.object, view.error());
  const auto id = view->state.file.info.id;
  const auto remedy = remedy_for(*view);
  if (remedy == Remedy::none) co_return;
  if (remedy == Remedy::join && !join_now_) {
    joins_.push_back(std::move(found));
    co_return;
  }
  if (is_young(view->changed)) {
    co_return say(id.str(), S3Mending::left_alone,
                  "it has changed less than " + std::to_string(options_.idle_for.count()) +
                      " s ago, and a server may be working on it");
  }
  if (const auto why = why_not(remedy, view->state); !why.empty()) {
    co_return say(id.str(), S3Mending::impossible, why);
  }
  auto lease = co_await hold(id);
  if (!lease) co_return say(id.str(), lease.error());
  co_await treat(std::move(found), *std::move(view), **lease);
}

bool Repair::is_young(std::chrono::sys_seconds changed) const {
  return options_.idle_for.count() > 0 && changed + options_.idle_for > context_.wall();
}

Awaitable<Result<std::unique_ptr<Lease>>> Repair::hold(UploadId id) {
  if (!options_.locker) co_return std::make_unique<Unlocked>();
  auto held = co_await options_.locker->is_held(id);
  if (!held) co_return fail(Error(held.error()));
  if (*held) co_return fail(ErrorCode::upload_locked);
  const auto deadline = Deadline::after(context_.clock->now(), patience_for_locks);
  co_return co_await options_.locker->acquire(std::move(id), deadline, std::make_shared<Mender>());
}

Awaitable<void> Repair::treat(Found found, View view, const Lease& lease) {
  const auto id = view.state.file.info.id.str();
  if (!view.state.file.bucket.going && !view.state.has_object) {
    // From here on no server relies on what it remembers; and none was at it since we looked.
    Work work(context_, view.state, std::nullopt);
    auto claimed = co_await work.change(lease, [](stores::InfoFile&) {}, context_.deadline());
    if (!claimed) co_return say(id, claimed.error());
    auto again = co_await look(found);
    if (!again) co_return say(id, again.error());
    const bool same = same_parts(view.parts, again->parts) &&
                      etag_of(view.state.ledger.rest) == etag_of(again->state.ledger.rest);
    if (!same) co_return say(id, S3Mending::left_alone, in_use);
    view = *std::move(again);
  }
  std::string done;
  for (int i = 0; i < most_remedies; ++i) {
    const auto remedy = remedy_for(view);
    if (remedy == Remedy::none) co_return say(id, S3Mending::mended, std::move(done));
    if (auto why = why_not(remedy, view.state); !why.empty()) {
      co_return say(id, S3Mending::impossible, std::move(why));
    }
    auto what = co_await apply(remedy, view, lease);
    if (!what) co_return say(id, what.error());
    done += (done.empty() ? "" : "; ") + *what;
    if (remedy == Remedy::remove) co_return say(id, S3Mending::mended, std::move(done));
    if (remedy == Remedy::drop_rest || remedy == Remedy::complete) found.rest.reset();
    auto next = co_await look(found);
    if (!next) co_return say(id, next.error());
    view = *std::move(next);
  }
  say(id, S3Mending::failed, "what was mended does not show; try again later");
}

// ---- remedies

Awaitable<Result<std::string>> Repair::apply(Remedy remedy, const View& view, const Lease& lease) {
  auto done = Status();
  if (remedy == Remedy::remove) {
    done = co_await remove_all(context_, view.state, context_.deadline());
  } else if (remedy == Remedy::join) {
    done = co_await join(view, lease);
  } else if (remedy == Remedy::drop_rest) {
    done = co_await drop_rest(view);
  } else {
    Work work(context_, view.state, std::nullopt);
    if (remedy == Remedy::complete) done = co_await complete(work, lease, context_.deadline());
    if (remedy == Remedy::trim_rest) done = co_await trim_rest(work, lease);
    if (remedy == Remedy::fill) done = co_await fill(work, view, lease);
    if (remedy == Remedy::blank) done = co_await blank(work, view, lease);
  }
  if (!done) co_return fail(std::move(done.error()));
  co_return text_of(remedy);
}

Awaitable<Status> Repair::join(const View& view, const Lease& lease) {
  S3Upload upload(context_, view.state, std::nullopt);
  while (true) {
    auto joined = co_await upload.concatenate(lease, context_.deadline());
    if (!joined && joined.error() == ErrorCode::upload_gone) {
      co_return fail(ErrorCode::upload_gone, "it cannot be joined: " + joined.error().detail());
    }
    if (!joined) co_return fail(std::move(joined.error()));
    if (*joined == Joined::wholly) co_return Status();
  }
}

Awaitable<Status> Repair::drop_rest(const View& view) {
  auto name = context_.names.rest(view.state.object);
  auto gone = co_await context_.bucket.delete_object(std::move(name), context_.deadline());
  co_return gone ? Status() : Status(fail(as_error(std::move(gone.error()))));
}

Awaitable<Status> Repair::trim_rest(Work& work, const Lease& lease) {
  const auto& ledger = work.state.ledger;
  const auto end = ledger.rest->end();
  auto bytes = co_await take_rest(work, end - ledger.parts_end, context_.deadline());
  if (!bytes) co_return fail(std::move(bytes.error()));
  co_return co_await work.put_rest(lease, bytes->view(bytes->size()), context_.deadline());
}

Awaitable<Status> Repair::fill(Work& work, const View& view, const Lease& lease) {
  const auto plan = plan_gap(context_.options.parts, view.state.ledger, view.parts);
  // Before anything else: whatever lies behind the gap must never count.
  auto emptied = co_await work.empty_gaps(lease, context_.deadline());
  if (!emptied) co_return emptied;
  for (const auto size : plan.sizes) {
    auto made = co_await make_part_of_rest(work, lease, size, context_.deadline(size));
    if (!made) co_return made;
  }
  co_return Status();
}

Awaitable<Status> Repair::blank(Work& work, const View& view, const Lease& lease) {
  const auto plan = plan_gap(context_.options.parts, view.state.ledger, view.parts);
  auto emptied = co_await work.empty_gaps(lease, context_.deadline());
  if (!emptied) co_return emptied;
  for (const auto number : plan.absent) {
    auto put = co_await work.put_part(lease, number, Payload(), context_.deadline());
    if (!put) co_return fail(std::move(put.error()));
  }
  // What the work knows of the parts is not all.
  work.become_unsure();
  co_return Status();
}

// ---- what is said

void Repair::say(std::string id, S3Mending outcome, std::string what) {
  if (outcome == S3Mending::mended) ++report_.mended;
  if (outcome == S3Mending::left_alone) ++report_.left_alone;
  if (outcome == S3Mending::impossible) ++report_.impossible;
  if (outcome == S3Mending::failed) ++report_.failed;
  if (options_.tell) options_.tell({std::move(id), outcome, std::move(what)});
}

void Repair::say(std::string id, const Error& error) {
  const auto detail = error.detail().empty() ? std::string() : ": " + error.detail();
  if (error == ErrorCode::upload_not_found) return;  // gone meanwhile
  if (error == ErrorCode::upload_locked || error == ErrorCode::lock_timeout ||
      error == ErrorCode::lease_lost) {
    return say(std::move(id), S3Mending::left_alone, in_use);
  }
  if (error == ErrorCode::upload_gone) {
    return say(std::move(id), S3Mending::impossible,
               "bytes of it are not there, and Go's tusd may call it complete" + detail);
  }
  if (error == ErrorCode::upload_damaged) {
    return say(std::move(id), S3Mending::impossible, "it is damaged" + detail);
  }
  say(std::move(id), S3Mending::failed, std::string(describe(error.code()).message) + detail);
}

}  // namespace tus::s3
