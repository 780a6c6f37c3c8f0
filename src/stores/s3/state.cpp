#include "stores/s3/state.h"

#include <algorithm>

namespace tus::s3 {

MultipartName data_of(const Names& names, const stores::InfoFile& file) {
  const auto parts = split_id(file.info.id);
  const bool in_id = file.bucket.multipart.empty();
  MultipartName data;
  data.name = names.data(in_id ? parts.object : file.info.id.str());
  data.upload = in_id ? parts.multipart : file.bucket.multipart;
  const auto& storage = file.info.storage;
  if (auto it = storage.find("Bucket"); it != storage.end() && !it->second.empty()) {
    data.name.bucket = it->second;
  }
  if (auto it = storage.find("Key"); it != storage.end() && !it->second.empty()) {
    data.name.key = it->second;
  }
  return data;
}

std::uint64_t first_size(const State& state) {
  const auto& parts = state.ledger.parts;
  return parts.empty() ? state.file.bucket.part_size : parts.front().size;
}

void settle(State& state) {
  auto& info = state.file.info;
  const auto& ledger = state.ledger;
  if (info.join_pending) {
    info.offset = 0;
  } else if (state.has_object || info.finish == FinishState::finished) {
    info.offset = info.length.value_or(0);
  } else {
    info.offset = ledger.offset();
  }
  auto changed = ledger.changed;
  if (ledger.rest_counts()) changed = std::max(changed, std::optional(ledger.rest->changed));
  if (changed) info.last_activity = changed;
}

}  // namespace tus::s3
