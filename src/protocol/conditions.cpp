#include "protocol/conditions.h"

#include "base/ascii.h"
#include "protocol/http_date.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace tus::protocol {

namespace {

enum class Compare : std::uint8_t { strongly, weakly };

// The first entity tag of `list`, which loses it and the comma behind it; empty when there is none.
std::string_view take_tag(std::string_view& list) noexcept {
  list = list.substr(std::min(list.find_first_not_of(" \t,"), list.size()));
  const auto open = list.find('"');
  if (open == std::string_view::npos) return {};
  if (open != 0 && !(open == 2 && list.starts_with("W/"))) return {};
  const auto close = list.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const auto tag = list.substr(0, close + 1);
  list.remove_prefix(close + 1);
  return tag;
}

bool is_same(std::string_view theirs, std::string_view ours, Compare how) noexcept {
  if (theirs.starts_with("W/")) {
    if (how == Compare::strongly) return false;
    theirs.remove_prefix(2);
  }
  return theirs == ours;
}

// Several fields of one name are one list.
bool lists(const Fields& fields, std::string_view name, std::string_view ours, Compare how) {
  for (const auto& field : fields) {
    if (!base::equals_ignoring_case(field.name, name)) continue;
    if (base::trim(field.value) == "*") return true;
    std::string_view list = field.value;
    for (auto tag = take_tag(list); !tag.empty(); tag = take_tag(list)) {
      if (is_same(tag, ours, how)) return true;
    }
  }
  return false;
}

std::optional<std::chrono::sys_seconds> date_of(const Fields& fields, std::string_view name) {
  if (fields.count(name) != 1) return std::nullopt;
  return parse_http_date(*fields.find(name));
}

// FNV-1a of 64 bits: here it only has to keep apart what is not made to collide.
class Hash {
 public:
  void add(std::string_view text) noexcept {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);  // a separator; two texts are not one
  }
  std::string hex() const {
    std::array<char, 16> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value_, 16).ptr;
    return {digits.data(), end};
  }

 private:
  void step(unsigned char byte) noexcept { value_ = (value_ ^ byte) * 1099511628211u; }
  std::uint64_t value_ = 14695981039346656037u;
};

}  // namespace

Precondition check_preconditions(const Fields& fields, const Validators& ours) {
  if (fields.find("If-Match") != nullptr) {
    if (!lists(fields, "If-Match", ours.etag, Compare::strongly)) return Precondition::failed;
  } else if (const auto date = date_of(fields, "If-Unmodified-Since"); date && ours.last_modified) {
    if (*ours.last_modified > *date) return Precondition::failed;
  }
  if (fields.find("If-None-Match") != nullptr) {
    const bool is_known = lists(fields, "If-None-Match", ours.etag, Compare::weakly);
    return is_known ? Precondition::not_modified : Precondition::holds;
  }
  if (const auto date = date_of(fields, "If-Modified-Since"); date && ours.last_modified) {
    if (*ours.last_modified <= *date) return Precondition::not_modified;
  }
  return Precondition::holds;
}

bool range_counts(const Fields& fields, const Validators& ours) {
  const auto* value = fields.find("If-Range");
  if (value == nullptr) return true;
  if (fields.count("If-Range") != 1) return false;
  if (value->contains('"')) return is_same(base::trim(*value), ours.etag, Compare::strongly);
  const auto date = parse_http_date(*value);
  return date && ours.last_modified && *date == *ours.last_modified;
}

std::string entity_tag(const UploadInfo& upload) {
  // Go's tusd does not keep the order of the pairs.
  auto pairs = upload.metadata;
  std::ranges::sort(pairs);
  Hash hash;
  hash.add(upload.id.str());
  for (const auto& [key, value] : pairs) {
    hash.add(key);
    hash.add(value);
  }
  return '"' + hash.hex() + '-' + std::to_string(upload.length.value_or(upload.offset)) + '"';
}

}  // namespace tus::protocol
