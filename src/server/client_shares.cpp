#include "server/client_shares.h"

#include <algorithm>

namespace tus::server {

std::size_t ClientShares::Hash::operator()(const ClientKey& key) const noexcept {
  auto mixed = (key.bits ^ seed) + static_cast<std::uint64_t>(key.kind);
  mixed = (mixed ^ mixed >> 31) * 0x9e3779b97f4a7c15ull;
  mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull;
  return mixed ^ mixed >> 32;
}

std::optional<ClientShares::Share> ClientShares::take(const ClientKey& key, std::uint64_t limit,
                                                      std::uint64_t name) {
  std::lock_guard lock(mutex_);
  const auto found = clients_.find(key);
  if (found != clients_.end() && name != 0) {
    const auto again = std::ranges::find(found->second.named, name, &Named::name);
    if (again != found->second.named.end()) {
      ++again->uses;
      return Share(*this, key, name);
    }
  }
  if (limit == 0 || (found != clients_.end() && found->second.count >= limit)) return std::nullopt;
  auto& client = found != clients_.end() ? found->second : clients_[key];
  if (name != 0) client.named.push_back({name, 1});
  ++client.count;
  return Share(*this, key, name);
}

void ClientShares::give_back(const ClientKey& key, std::uint64_t name) noexcept {
  std::lock_guard lock(mutex_);
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  auto& client = found->second;
  if (name != 0) {
    const auto place = std::ranges::find(client.named, name, &Named::name);
    if (place == client.named.end() || --place->uses > 0) return;
    client.named.erase(place);
  }
  if (--client.count == 0) clients_.erase(found);
}

std::size_t ClientShares::clients() const {
  std::lock_guard lock(mutex_);
  return clients_.size();
}

}  // namespace tus::server
