#include "hooks/bucket/claims.h"

#include "async/random_id.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tus::hooks {

bool Claims::has(std::string_view run) const {
  const auto losses = own_.losses();
  std::lock_guard lock(mutex_);
  return losses == losses_ && claimed_.contains(run);
}

Awaitable<Status> Claims::look(Owners owners) {
  ++look_;
  forget_what_is_lost();
  const auto own = own_.id();
  const bool all_are_ours =
      std::ranges::all_of(owners, [&](const auto& owner) { return owner == own || has(owner); });
  const auto now = objects_.clock().now();
  bool has_claims = false;
  {
    std::lock_guard lock(mutex_);
    has_claims = !claimed_.empty();
  }
  // Now and then for what is left of processes without records.
  if (all_are_ours && !has_claims && looked_ != Time::min() && now < looked_ + lease_)
    co_return Status();
  if (auto seen = co_await see_runs(); !seen) co_return seen;
  looked_ = now;
  for (const auto& owner : owners) {
    if (owner == own_.id() || has(owner) || seen_.contains(owner)) continue;
    // The records were listed before the runs were, and no record is put before its run.
    if (auto claimed = co_await claim(owner, std::nullopt); !claimed) co_return claimed;
  }
  if (auto asked = co_await ask_for_holders(); !asked) co_return asked;
  if (auto claimed = co_await claim_the_dead(); !claimed) co_return claimed;
  co_return co_await remove_the_empty(owners);
}

Awaitable<Status> Claims::see_runs() {
  const auto own = own_.id();
  std::map<std::string, Seen, std::less<>> found;
  auto listed = co_await objects_.list(objects_.keys.runs(), [&](const s3::ListedObject& object) {
    auto run = objects_.keys.run_at(object.key);
    if (!run || *run == own) return true;
    const auto known = seen_.find(*run);
    if (known != seen_.end() && same_etag(known->second.etag, object.etag)) {
      // Twice the same: now it is worth a question.
      found.emplace(*std::move(run), known->second);
    } else {
      // By now, and not when the list was asked for: it may have been touched meanwhile.
      found.emplace(*std::move(run),
                    Seen{object.etag, objects_.clock().now(), look_, std::nullopt});
    }
    return true;
  });
  if (!listed) co_return listed;
  seen_ = std::move(found);
  // What we have claimed and somebody else has touched is his, where S3 knows no conditions.
  std::lock_guard lock(mutex_);
  std::erase_if(claimed_, [this](const auto& claimed) {
    const auto seen = seen_.find(claimed.first);
    return seen == seen_.end() || !same_etag(seen->second.etag, claimed.second.etag);
  });
  co_return Status();
}

void Claims::forget_what_is_lost() {
  const auto losses = own_.losses();
  std::lock_guard lock(mutex_);
  if (losses == losses_) return;
  claimed_.clear();
  losses_ = losses;
}

Awaitable<Status> Claims::ask_for_holders() {
  for (auto& [run, seen] : seen_) {
    if (seen.holder || has(run) || seen.look == look_) continue;
    auto there = co_await objects_.get_run(run, objects_.deadline());
    if (!there) co_return fail(std::move(there.error()));
    if (!*there || !same_etag((*there)->etag, seen.etag))
      continue;  // it moves: seen at the next look
    // What says nothing is as good as a holder that does not live.
    seen.holder = holder_in((*there)->text).value_or(run);
  }
  co_return Status();
}

bool Claims::is_anybodys(std::string_view run, const Seen& seen) const {
  if (!seen.holder) return false;
  if (*seen.holder == run) return objects_.clock().now() >= seen.since + lease_;
  return has(*seen.holder) || (*seen.holder != own_.id() && !seen_.contains(*seen.holder));
}

// Also what the dead had claimed themselves.
Awaitable<Status> Claims::claim_the_dead() {
  for (bool again = true; std::exchange(again, false);) {
    for (const auto& [run, seen] : seen_) {
      if (has(run)) continue;
      if (seen.holder && *seen.holder == own_.id()) {
        take(run, seen.etag);  // the answer to our claim was lost
      } else if (is_anybodys(run, seen)) {
        if (auto claimed = co_await claim(run, seen.etag); !claimed) co_return claimed;
      }
      again = again || has(run);
    }
  }
  co_return Status();
}

Awaitable<Status> Claims::claim(std::string run, std::optional<std::string> etag) {
  const auto deadline = objects_.deadline();
  // Claimed for somebody who is there: others would take it for nobody's.
  auto own = co_await own_.get(deadline);
  if (!own) co_return fail(std::move(own.error()));
  auto put =
      co_await objects_.replace_run(run, std::move(etag), run_text(*own, random_id()), deadline);
  if (!put) co_return fail(std::move(put.error()));
  if (*put && own_.id() == *own) take(run, **std::move(put));
  co_return Status();
}

void Claims::take(const std::string& run, std::string etag) {
  logger_.log(LogLevel::info, "HookRunTaken", {{"run", run}});
  const auto losses = own_.losses();
  std::lock_guard lock(mutex_);
  if (losses != losses_) claimed_.clear();
  losses_ = losses;
  claimed_[run] = Claimed{etag, look_};
  const auto seen = seen_.find(run);
  if (seen == seen_.end()) return;
  seen->second.etag = std::move(etag);
  seen->second.holder = own_.id();
}

// Of an earlier look: what was listed since then would show its records.
Awaitable<Status> Claims::remove_the_empty(const Owners& owners) {
  std::vector<std::string> empty;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [run, claimed] : claimed_) {
      const auto is_held = [&](const auto& seen) { return seen.second.holder == run; };
      if (claimed.look == look_ || owners.contains(run) || std::ranges::any_of(seen_, is_held))
        continue;
      empty.push_back(run);
    }
  }
  for (const auto& run : empty) {
    auto removed = co_await objects_.remove(objects_.keys.run(run), objects_.deadline());
    if (!removed) co_return removed;
    std::lock_guard lock(mutex_);
    claimed_.erase(run);
    seen_.erase(run);
  }
  co_return Status();
}

}  // namespace tus::hooks
