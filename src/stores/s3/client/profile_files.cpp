#include "stores/s3/client/profile_files.h"

#include "base/ascii.h"

#include <algorithm>

namespace tus::s3 {

namespace {

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string name_in(std::string_view header) {
  constexpr std::string_view prefix = "profile ";
  auto name = base::trim(header);
  if (name.starts_with(prefix)) name = base::trim(name.substr(prefix.size()));
  return std::string(name);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), base::to_lower);
  return out;
}

}  // namespace

Profiles parse_profiles(std::string_view text) {
  Profiles profiles;
  Profile* profile = nullptr;
  while (!text.empty()) {
    const auto line = next_line(text);
    const auto trimmed = base::trim(line);
    if (trimmed.empty() || trimmed.starts_with('#') || trimmed.starts_with(';')) continue;
    if (trimmed.starts_with('[')) {
      const auto end = trimmed.find(']');
      profile =
          end == std::string_view::npos ? nullptr : &profiles[name_in(trimmed.substr(1, end - 1))];
      continue;
    }
    const auto equals = trimmed.find('=');
    const bool nested = line.front() == ' ' || line.front() == '\t';
    if (profile == nullptr || nested || equals == std::string_view::npos) continue;
    (*profile)[lower(base::trim(trimmed.substr(0, equals)))] =
        base::trim(trimmed.substr(equals + 1));
  }
  return profiles;
}

Profile merge_profile(const Profiles& credentials, const Profiles& config, std::string_view name) {
  Profile merged;
  for (const auto* file : {&credentials, &config}) {
    const auto found = file->find(name);
    if (found != file->end()) merged.insert(found->second.begin(), found->second.end());
  }
  return merged;
}

}  // namespace tus::s3
