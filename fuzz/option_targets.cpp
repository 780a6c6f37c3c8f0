// What an operator writes, and what he reads: every mistake is one sentence, the same thing said in another form or order
// means the same, and no value breaks out of its line in the log.
// [FUZZ-1] [FUZZ-2]
#include "app/config_file.h"
#include "app/environment.h"
#include "app/flag_values.h"
#include "app/flags.h"
#include "app/inherited.h"
#include "app/log_line.h"
#include "base/ascii.h"
#include "fuzz/check.h"
#include "fuzz/targets.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tus::fuzz {

namespace {

using app::Settings;

std::span<const app::Flag> table() {
  static const auto flags = app::make_flag_table();
  return flags;
}

std::vector<std::string_view> views_of(const std::vector<std::string>& lines) {
  return {lines.begin(), lines.end()};
}

bool same(const Settings& a, const Settings& b) {
  return std::ranges::equal(
      a, b, [](const auto& x, const auto& y) { return x.flag == y.flag && x.value == y.value; });
}

// -x-file reads a file; which one is not for this program to choose.
bool names_a_file(std::string_view input) {
  return input.contains("-file") || input.contains("_FILE");
}

// What can be applied is a configuration within its limits.
void check_applied(const Settings& settings) {
  app::Config config;
  const auto applied = app::apply_settings(settings, config);
  if (!applied) {
    require(!applied.error().empty());
    return;
  }
  require(config.base_path.starts_with('/') && config.base_path.ends_with('/'));
  require(fits_a_header(config.base_path) && fits_a_header(config.location.origin));
  require(!config.location.origin.ends_with('/') && config.metrics_path.starts_with('/'));
  require(config.max_size <= INT64_MAX && config.store_size <= INT64_MAX);
  require(config.network_timeout.count() >= 0 && config.expire_after.count() >= 0);
  require(config.files.dir_perms <= 07777 && config.files.file_perms <= 07777);
  require(fits_a_header(config.cors_allow_headers) && fits_a_header(config.cors_expose_headers));
  require(!config.files.directory.empty());
}

std::string written(std::chrono::milliseconds time) { return std::to_string(time.count()) + "ms"; }

// One variable a line, "NAME=value", for a function that takes no closure.
thread_local const std::vector<std::string>* variables = nullptr;

const char* variable(const char* name) {
  for (const auto& line : *variables) {
    const auto equals = line.find('=');
    if (equals != std::string::npos && line.compare(0, equals, name) == 0) {
      return line.c_str() + equals + 1;
    }
  }
  return nullptr;
}

void check_line(std::string_view line) {
  require(std::ranges::all_of(line, [](char c) { return c >= ' ' && c < 127; }));
}

}  // namespace

// One argument a line.
void command_line(std::string_view input) {
  if (names_a_file(input)) return;
  const auto lines = lines_of(input);
  const auto settings = app::read_flags(table(), views_of(lines));
  if (!settings) {
    require(!settings.error().empty());
    return;
  }
  // The same in the one form that needs no look at the next argument.
  std::vector<std::string> again;
  for (const auto& setting : *settings) {
    require(setting.flag != nullptr);
    again.push_back("--" + std::string(setting.flag->name) + "=" + setting.value);
  }
  const auto once_more = app::read_flags(table(), views_of(again));
  require(once_more && same(*once_more, *settings));
  check_applied(*settings);
}

// One variable a line.
void environment(std::string_view input) {
  if (names_a_file(input)) return;
  auto lines = lines_of(input);
  const auto found = app::read_environment(table(), views_of(lines));
  if (found) {
    for (const auto& setting : found->settings) {
      require(!setting.value.empty());
      require(setting.flag->scope == app::FlagScope::everywhere ||
              setting.flag->scope == app::FlagScope::not_in_file);
    }
    check_applied(found->settings);
  }
  // The order says nothing, as long as no variable is there twice.
  std::vector<std::string> names;
  for (const auto& line : lines) names.push_back(line.substr(0, line.find('=')));
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end()) return;
  std::ranges::reverse(lines);
  const auto reversed = app::read_environment(table(), views_of(lines));
  require(reversed.has_value() == found.has_value());
  if (found) require(same(reversed->settings, found->settings));
}

// A file in TOML.
void config_file(std::string_view input) {
  if (names_a_file(input)) return;
  const std::string text(input);
  const auto settings = app::parse_config(table(), text, "tusd.toml");
  if (!settings) {
    require(settings.error().starts_with("tusd.toml:"));
    require(base::is_digit(settings.error().at(10)));
    return;
  }
  std::vector<const app::Flag*> flags;
  for (const auto& setting : *settings) {
    require(setting.flag->scope == app::FlagScope::everywhere);
    require(setting.place.starts_with("tusd.toml:"));
    flags.push_back(setting.flag);
  }
  std::ranges::sort(flags);
  require(std::ranges::adjacent_find(flags) == flags.end());
  check_applied(*settings);
}

// A duration, a number, a switch.
void option_values(std::string_view input) {
  constexpr std::chrono::milliseconds longest(9'200'000'000'000);
  const std::string text(input);
  if (const auto time = app::parse_go_duration(text)) {
    require(time->count() >= 0 && *time <= longest);
    require(app::parse_go_duration(written(*time)) == time);
    require(text.find_first_of("+- eEx") == std::string::npos);
    // Nothing but 0 is 0: an operator who asks for little does not get "never".
    if (time->count() == 0) require(text.find_first_of("123456789") == std::string::npos);
  }
  for (const int base : {8, 10}) {
    const auto number = app::parse_number(text, base);
    if (!number) continue;
    require(!text.empty() && std::ranges::all_of(text, base::is_digit));
    if (base == 10) require(app::parse_number(std::to_string(*number)) == number);
  }
  if (const auto value = app::parse_go_bool(text)) {
    require(text.size() <= 5 && app::parse_go_bool(*value ? "true" : "false") == value);
  }
}

// LISTEN_PID, LISTEN_FDS, TUS_HANDOVER and NOTIFY_SOCKET, one a line.
void inherited(std::string_view input) {
  const auto lines = lines_of(input);
  variables = &lines;
  const auto found = app::read_inherited(variable, 42);
  variables = nullptr;
  if (!found.complaint.empty()) {
    require(found.from_manager.empty() && found.from_predecessor.empty() && !found.handover);
    return;
  }
  // Descriptors are counted from 3 on, each is there once, and the numbers stay small.
  auto all = found.from_manager;
  all.insert(all.end(), found.from_predecessor.begin(), found.from_predecessor.end());
  require(all.size() <= 64);
  for (std::size_t i = 0; i < all.size(); ++i) require(all[i] == 3 + static_cast<int>(i));
  if (found.handover) require(*found.handover >= 0 && *found.handover <= 67);
}

// An event, then each line the value of a field, in both forms.
void log_line(std::string_view input) {
  static constexpr const char* keys[] = {"path", "id", "remote", "requestId", "error"};
  const auto lines = lines_of(input);
  std::vector<app::LogFormat> formats{app::LogFormat::text, app::LogFormat::json};
  std::vector<LogField> fields;
  // All of it as one value, line ends included.
  fields.push_back({"method", input});
  for (std::size_t i = 0; i < lines.size(); ++i) fields.push_back({keys[i % 5], lines[i]});
  for (const auto format : formats) {
    std::string out;
    app::append_log_fields(out, format, LogLevel::info, "RequestFailed", fields);
    if (out.ends_with('\n')) out.pop_back();
    check_line(out);
    require(format != app::LogFormat::json || out.ends_with('}'));
    // A quote that does not end would take the next field into this one.
    std::size_t quotes = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (out[i] == '\\') {
        ++i;
      } else if (out[i] == '"') {
        ++quotes;
      }
    }
    require(quotes % 2 == 0);
  }
}

}  // namespace tus::fuzz
