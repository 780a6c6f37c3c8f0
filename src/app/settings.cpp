#include "app/settings.h"

#include "app/flag_values.h"
#include "app/text_file.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tus::app {

namespace {

constexpr std::string_view file_suffix = "-file";
constexpr std::size_t largest_secret = 64 << 10;

std::string shown(const Setting& setting) {
  return setting.flag->secrecy == FlagSecrecy::secret ? "" : " " + quote(setting.value);
}

// What a value of a kind has to look like, for options without a setter.
Complaint check_kind(const Flag& flag, std::string_view value) {
  if (flag.kind == FlagKind::boolean && !parse_go_bool(value)) return "want true or false";
  if (flag.kind == FlagKind::number && !parse_number(value)) return "want a number";
  return {};
}

bool asks_for_nothing(const Flag& flag, std::string_view value) {
  if (!flag.nothing) return false;
  if (value == *flag.nothing) return true;
  switch (flag.kind) {
    case FlagKind::boolean:
      return parse_go_bool(value) == parse_go_bool(*flag.nothing);
    case FlagKind::number:
      return parse_number(value) == parse_number(*flag.nothing);
    case FlagKind::duration:
      return parse_go_duration(value) == parse_go_duration(*flag.nothing);
    default:
      return false;
  }
}

Applied apply_one(const Setting& setting, Config& config) {
  const auto& flag = *setting.flag;
  const auto complaint =
      flag.set != nullptr ? flag.set(config, setting.value) : check_kind(flag, setting.value);
  if (!complaint.empty()) {
    return std::unexpected(setting.place + "invalid value" + shown(setting) + " for " +
                           setting.what + ": " + complaint);
  }
  if (flag.support == FlagSupport::works || flag.support == FlagSupport::already) return {};
  if (asks_for_nothing(flag, setting.value)) return {};
  const auto sentence =
      setting.place + setting.what + ": this build of tusd cannot " + std::string(flag.lacks);
  if (flag.support != FlagSupport::ignored) return std::unexpected(sentence);
  config.warnings.push_back(sentence + ", the option changes nothing");
  return {};
}

std::expected<std::string, std::string> read_secret(const std::string& path) {
  auto text = read_text_file(path, largest_secret);
  if (!text) return text;
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty()) return std::unexpected(path + " is empty");
  return text;
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

Applied apply_settings(const Settings& settings, Config& config) {
  for (const auto& setting : settings) {
    if (auto applied = apply_one(setting, config); !applied) return applied;
  }
  return {};
}

std::optional<NamedOption> look_up(std::span<const Flag> table, std::string_view name) {
  if (const auto* flag = find_flag(table, name)) return NamedOption{.flag = flag};
  if (!name.ends_with(file_suffix)) return std::nullopt;
  name.remove_suffix(file_suffix.size());
  const auto* flag = find_flag(table, name);
  if (flag == nullptr || flag->secrecy != FlagSecrecy::secret) return std::nullopt;
  return NamedOption{.flag = flag, .said = Said::file_name};
}

Applied resolve(Setting& setting, const NamedOption& option, std::string_view text) {
  setting.flag = option.flag;
  setting.value = text;
  if (option.said == Said::itself) return {};
  auto secret = read_secret(setting.value);
  if (!secret) return std::unexpected(setting.place + setting.what + ": " + secret.error());
  setting.value = std::move(*secret);
  return {};
}

std::string suggestion(std::span<const Flag> table, std::string_view name) {
  std::string_view nearest;
  // Further away it would be a guess.
  auto least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& flag : table) {
    if (flag.scope == FlagScope::hidden) continue;
    for (const auto known : names_of(flag)) {
      // It is at least as large as the difference in length, and a long name takes long to compare.
      if (name.size() >= known.size() + least) continue;
      const auto d = distance(name, known);
      if (d >= least || d >= known.size()) continue;
      least = d;
      nearest = known;
    }
  }
  return nearest.empty() ? "" : "; did you mean -" + std::string(nearest) + "?";
}

std::string quote(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace tus::app
