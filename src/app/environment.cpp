#include "app/environment.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace tus::app {

namespace {

constexpr std::string_view prefix = "TUSD_";

std::string option_name(std::string_view variable) {
  std::string name(variable.substr(prefix.size()));
  for (auto& c : name) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    } else if (c == '_') {
      c = '-';
    } else if (c >= 'a' && c <= 'z') {
      c = '?';  // TUSD_port is no variable of ours
    }
  }
  return name;
}

bool is_open_to_environment(const Flag& flag) {
  return flag.scope == FlagScope::everywhere || flag.scope == FlagScope::not_in_file;
}

struct Found {
  Setting setting;
  NamedOption option;
  std::string name;
};

// Whatever the order in the environment, the result is the same; an option's own name is applied last.
bool applied_before(const Found& a, const Found& b) {
  const auto key = [](const Found& f) {
    return std::tuple(f.option.flag, f.name == f.option.flag->name, std::string_view(f.name));
  };
  return key(a) < key(b);
}

}  // namespace

std::string variable_name(std::string_view option) {
  std::string name(prefix);
  for (const char c : option) {
    name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
  }
  return name;
}

std::expected<EnvironmentSettings, std::string> read_environment(
    std::span<const Flag> table, std::span<const std::string_view> entries) {
  EnvironmentSettings result;
  std::vector<Found> all;
  for (const auto entry : entries) {
    const auto equals = entry.find('=');
    if (!entry.starts_with(prefix) || equals == entry.npos) continue;
    const std::string variable(entry.substr(0, equals));
    const auto value = entry.substr(equals + 1);
    if (value.empty()) continue;
    Found found;
    found.name = option_name(variable);
    const auto option = look_up(table, found.name);
    if (!option || !is_open_to_environment(*option->flag)) {
      result.warnings.push_back("environment variable " + variable + " is no option of tusd");
      continue;
    }
    found.option = *option;
    found.setting.what = "environment variable " + variable;
    if (auto known = resolve(found.setting, *option, value); !known) {
      return std::unexpected(std::move(known.error()));
    }
    all.push_back(std::move(found));
  }
  std::ranges::sort(all, applied_before);
  for (auto& found : all) {
    const auto* before = result.settings.empty() ? nullptr : &result.settings.back();
    if (before != nullptr && before->flag == found.option.flag &&
        found.option.flag->secrecy == FlagSecrecy::secret) {
      return std::unexpected(before->what + " and " + found.setting.what +
                             " are both set; one of them has to go");
    }
    result.settings.push_back(std::move(found.setting));
  }
  return result;
}

}  // namespace tus::app
