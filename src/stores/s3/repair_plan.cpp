#include "stores/s3/repair_plan.h"

#include <algorithm>

namespace tus::s3 {

namespace {

bool go_finds_the_data(const Names& names, const State& state) {
  const auto& id = state.file.info.id.str();
  const auto plus = id.find('+');
  if (plus == std::string::npos) return false;
  const auto usual = names.data(state.object);
  return id.substr(0, plus) == state.object && id.substr(plus + 1) == state.data.upload &&
         state.data.name.bucket == usual.bucket && state.data.name.key == usual.key;
}

Remedy find_remedy_for_parts(const PartLimits& limits, const Ledger& ledger,
                             const std::vector<PartLook>& listed) {
  if (listed.size() == ledger.parts.size()) return Remedy::none;
  const auto plan = plan_gap(limits, ledger, listed);
  if (!plan.sizes.empty()) return Remedy::fill;
  return plan.absent.empty() && ledger.behind_gap.empty() ? Remedy::hopeless : Remedy::blank;
}

}  // namespace

Remedy find_remedy(const Names& names, const PartLimits& limits, const State& state,
                   const std::vector<PartLook>& listed) {
  const auto& ledger = state.ledger;
  const auto& rest = ledger.rest;
  if (state.file.bucket.going) return Remedy::remove;
  if (state.file.info.join_pending) return Remedy::join;
  if (state.has_object) return rest ? Remedy::drop_rest : Remedy::none;
  if (state.file.info.has_all_bytes()) return Remedy::complete;
  if (!go_finds_the_data(names, state)) return Remedy::elsewhere;
  // An empty one is no harm to anybody, and says where the parts end.
  if (rest && rest->size > 0) {
    if (!ledger.rest_counts()) return Remedy::drop_rest;
    if (rest->start < ledger.parts_end) return Remedy::trim_rest;
  }
  return find_remedy_for_parts(limits, ledger, listed);
}

GapPlan plan_gap(const PartLimits& limits, const Ledger& ledger,
                 const std::vector<PartLook>& listed) {
  GapPlan plan;
  auto next = static_cast<std::uint32_t>(ledger.parts.size() + 1);
  for (const auto& part : listed) {
    if (part.number < next) continue;
    while (next < part.number) plan.absent.push_back(next++);
    plan.last = next++;
  }
  if (plan.last == 0 || !ledger.rest_counts()) return plan;
  const auto count = plan.last - ledger.parts.size();
  auto bytes = ledger.rest->end() - ledger.parts_end;
  const auto each = bytes / count;
  if (each < limits.smallest) return plan;
  plan.sizes.assign(count, each);
  plan.sizes.back() = bytes - each * (count - 1);
  return plan;
}

}  // namespace tus::s3
