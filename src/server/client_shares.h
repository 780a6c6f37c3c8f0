// How many of something each client has, up to a limit.
#pragma once

#include "server/client_key.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tus::server {

// Any thread. Must outlive the shares it gives. Clients that have nothing take no memory.
class ClientShares {
 public:
  // One of what a client may have, given back at its end.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept { swap(other); }
    Share& operator=(Share&& other) noexcept {
      Share old(std::move(other));
      swap(old);
      return *this;
    }
    ~Share() {
      if (of_ != nullptr) of_->give_back(key_, name_);
    }

   private:
    friend class ClientShares;
    Share(ClientShares& of, const ClientKey& key, std::uint64_t name) noexcept
        : of_(&of), key_(key), name_(name) {}
    void swap(Share& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(key_, other.key_);
      std::swap(name_, other.name_);
    }

    ClientShares* of_ = nullptr;
    ClientKey key_;
    std::uint64_t name_ = 0;
  };

  ClientShares() = default;
  ClientShares(const ClientShares&) = delete;
  ClientShares& operator=(const ClientShares&) = delete;

  // Nothing when the client has `limit` already. What has the same `name`, other than 0, is one and the same thing, and
  // may be taken again.
  std::optional<Share> take(const ClientKey& key, std::uint64_t limit, std::uint64_t name = 0);

  std::size_t clients() const;

 private:
  struct Named {
    std::uint64_t name;
    std::uint64_t uses;
  };
  struct Client {
    std::uint64_t count = 0;  // different things
    std::vector<Named> named;
  };
  // Clients choose their addresses, so they must not know where those go.
  struct Hash {
    std::uint64_t seed = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
    std::size_t operator()(const ClientKey& key) const noexcept;
  };

  void give_back(const ClientKey& key, std::uint64_t name) noexcept;

  mutable std::mutex mutex_;
  std::unordered_map<ClientKey, Client, Hash> clients_{0, Hash()};
};

}  // namespace tus::server
