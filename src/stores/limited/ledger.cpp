#include "stores/limited/ledger.h"

#include <functional>
#include <limits>
#include <utility>

namespace tus::limited_store {

namespace {

std::size_t hash_of(const UploadId& id) noexcept { return std::hash<UploadId>()(id); }

std::uint64_t sum(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  return b > most - a ? most : a + b;
}

}  // namespace

Seen seen(const UploadInfo& info) noexcept { return {hash_of(info.id), charge_of(info)}; }

void Ledger::add(std::uint64_t bytes) noexcept { used_ = sum(used_, bytes); }

// Other servers on the same storage may have made what goes here, and it was never counted.
void Ledger::subtract(std::uint64_t bytes) noexcept { used_ -= std::min(used_, bytes); }

void Ledger::touch(std::size_t hash, std::uint64_t charge) {
  if (counting_) touched_[hash] = charge;
}

Ledger::AccountPtr Ledger::reserve(const UploadId& id, std::uint64_t bytes) {
  auto account = std::make_shared<Account>();
  account->id = id;
  account->hash = hash_of(id);
  account->charge = bytes;
  std::lock_guard lock(mutex_);
  if (bytes > room_now()) return nullptr;
  creating_.insert(account);
  add(bytes);
  return account;
}

void Ledger::created(const AccountPtr& account) {
  std::lock_guard lock(mutex_);
  creating_.erase(account);
  account->holders = 1;
  open_[account->id] = account;
}

void Ledger::not_created(const AccountPtr& account, Failed how) noexcept {
  std::lock_guard lock(mutex_);
  creating_.erase(account);
  subtract(account->charge);
  if (how == Failed::id_is_taken) add(account->namesake);
}

Ledger::AccountPtr Ledger::opened(const UploadInfo& info) {
  std::lock_guard lock(mutex_);
  auto& account = open_[info.id];
  if (!account) {
    account = std::make_shared<Account>();
    account->id = info.id;
    account->hash = hash_of(info.id);
    account->charge = charge_of(info);
  }
  ++account->holders;
  return account;
}

void Ledger::left(const AccountPtr& account) noexcept {
  std::lock_guard lock(mutex_);
  if (--account->holders > 0 || account->gone) return;
  touch(account->hash, account->charge);
  const auto found = open_.find(account->id);
  if (found != open_.end() && found->second == account) open_.erase(found);
}

bool Ledger::take(Account& account, std::uint64_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  if (account.gone) return true;
  if (bytes > room_now()) return false;
  add(bytes);
  account.charge += bytes;
  return true;
}

std::uint64_t Ledger::take_some(Account& account, std::uint64_t most) noexcept {
  std::lock_guard lock(mutex_);
  if (account.gone) return most;
  // The last of the room goes in small pieces: what is taken for a moment and given back is missed by others.
  constexpr std::uint64_t small = 64 << 10;
  const auto room = room_now();
  const auto some = std::min({most, room, std::max(small, room / 8)});
  add(some);
  account.charge += some;
  return some;
}

void Ledger::take_anyway(Account& account, std::uint64_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  if (account.gone) return;
  add(bytes);
  account.charge = sum(account.charge, bytes);
}

void Ledger::give_back(Account& account, std::uint64_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  if (account.gone) return;
  bytes = std::min(bytes, account.charge);
  account.charge -= bytes;
  subtract(bytes);
}

void Ledger::gone(Account& account) noexcept {
  std::lock_guard lock(mutex_);
  if (account.gone) return;
  account.gone = true;
  subtract(std::exchange(account.charge, 0));
  touch(account.hash, 0);
  const auto found = open_.find(account.id);
  if (found != open_.end() && found->second.get() == &account) open_.erase(found);
}

std::uint64_t Ledger::used() const noexcept {
  std::lock_guard lock(mutex_);
  return used_;
}

std::uint64_t Ledger::room() const noexcept {
  std::lock_guard lock(mutex_);
  return room_now();
}

void Ledger::begin_count() {
  std::lock_guard lock(mutex_);
  touched_.clear();
  counting_ = true;
}

void Ledger::drop_count() noexcept {
  std::lock_guard lock(mutex_);
  counting_ = false;
  touched_.clear();
}

void Ledger::end_count(std::span<const Seen> all) {
  std::lock_guard lock(mutex_);
  for (const auto& [id, account] : open_) touched_[account->hash] = account->charge;
  std::unordered_map<std::size_t, Account*> creating;
  for (const auto& account : creating_) creating[account->hash] = account.get();
  used_ = 0;
  for (const auto& one : all) {
    if (touched_.contains(one.hash)) continue;
    // It is either this one, or another one under whose name it cannot be made.
    const auto made = creating.find(one.hash);
    if (made != creating.end()) {
      made->second->namesake = one.charge;
    } else {
      add(one.charge);
    }
  }
  for (const auto& [hash, charge] : touched_) add(charge);
  for (const auto& account : creating_) add(account->charge);
  counting_ = false;
  touched_.clear();
}

}  // namespace tus::limited_store
