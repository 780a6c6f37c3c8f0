// What somebody said, wherever they said it, before it is applied.
#pragma once

#include "app/flag_table.h"

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tus::app {

struct Setting {
  const Flag* flag = nullptr;
  std::string value;
  std::string place;  // "/etc/tusd.toml:3: ", or nothing
  std::string what;   // "flag -port", "environment variable TUSD_PORT", "option port"
};

using Settings = std::vector<Setting>;
// The error is one sentence for the operator, here and below.
using Applied = std::expected<void, std::string>;

// In order; a later one replaces an earlier one. Refuses what this build cannot do.
Applied apply_settings(const Settings& settings, Config& config);

// A name as it was said: the option itself, or the file a secret is in (x-file).
enum class Said : std::uint8_t { itself, file_name };
struct NamedOption {
  const Flag* flag = nullptr;
  Said said = Said::itself;
};
std::optional<NamedOption> look_up(std::span<const Flag> table, std::string_view name);

// Fills in `setting.value` from what was said: the value, or the content of the file it names.
Applied resolve(Setting& setting, const NamedOption& option, std::string_view text);

// "; did you mean -port?", or nothing when no name is near.
std::string suggestion(std::span<const Flag> table, std::string_view name);

std::string quote(std::string_view text);

}  // namespace tus::app
