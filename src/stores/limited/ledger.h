// Who has taken how much of the limit. Nothing is remembered of uploads that nobody has in hand: what they take
// follows from their state.
#pragma once

#include <tus/upload_info.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <unordered_set>

namespace tus::limited_store {

// What an upload that is not in hand takes.
inline std::uint64_t charge_of(const UploadInfo& info) noexcept {
  return info.length.value_or(info.offset);
}

// An upload as a count has seen it. A million of them are in memory for the time of a count.
struct Seen {
  std::size_t hash = 0;  // of its id
  std::uint64_t charge = 0;
};
Seen seen(const UploadInfo& info) noexcept;

// Any thread. Sums never pass the limit, but for what was there before.
class Ledger {
 public:
  // An upload in hand, or one that is being made.
  struct Account {
   private:
    friend class Ledger;
    UploadId id;
    std::size_t hash = 0;
    std::uint64_t charge = 0;
    std::uint64_t namesake = 0;  // what a count has seen under this id while it was being made
    unsigned holders = 0;
    bool gone = false;
  };
  using AccountPtr = std::shared_ptr<Account>;

  explicit Ledger(std::uint64_t limit) noexcept : limit_(limit) {}

  // Room for a new upload; nullptr when there is not enough. Then one of created() and not_created().
  AccountPtr reserve(const UploadId& id, std::uint64_t bytes);
  void created(const AccountPtr& account);
  enum class Failed : std::uint8_t { nothing_is_there, id_is_taken };
  void not_created(const AccountPtr& account, Failed how) noexcept;
  // One that was there. All who have it in hand share an account.
  AccountPtr opened(const UploadInfo& info);
  // Once for each created() and opened().
  void left(const AccountPtr& account) noexcept;

  bool take(Account& account, std::uint64_t bytes) noexcept;
  // Up to `most` bytes.
  std::uint64_t take_some(Account& account, std::uint64_t most) noexcept;
  // For what is there already.
  void take_anyway(Account& account, std::uint64_t bytes) noexcept;
  void give_back(Account& account, std::uint64_t bytes) noexcept;
  // The upload is gone, with all that it has taken; what others still do with it changes nothing.
  void gone(Account& account) noexcept;

  std::uint64_t limit() const noexcept { return limit_; }
  std::uint64_t used() const noexcept;
  std::uint64_t room() const noexcept;

  // Around a scan. Whatever changes meanwhile is known here, whether the scan has seen it or not.
  void begin_count();
  void end_count(std::span<const Seen> all);
  void drop_count() noexcept;

 private:
  // With mutex_.
  std::uint64_t room_now() const noexcept { return limit_ - std::min(limit_, used_); }
  void add(std::uint64_t bytes) noexcept;
  void subtract(std::uint64_t bytes) noexcept;
  void touch(std::size_t hash, std::uint64_t charge);

  const std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::uint64_t used_ = 0;
  std::unordered_map<UploadId, AccountPtr> open_;
  std::unordered_set<AccountPtr> creating_;
  bool counting_ = false;
  // While counting: uploads that were in hand since it began.
  std::unordered_map<std::size_t, std::uint64_t> touched_;
};

}  // namespace tus::limited_store
