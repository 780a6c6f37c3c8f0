#include "app/flags.h"

#include <utility>

namespace tus::app {

namespace {

struct Argument {
  std::string_view name;
  std::optional<std::string_view> value;
};

std::optional<Argument> split(std::string_view arg) {
  if (!arg.starts_with('-')) return std::nullopt;
  arg.remove_prefix(arg.starts_with("--") ? 2 : 1);
  if (arg.empty() || arg[0] == '-' || arg[0] == '=') return std::nullopt;
  const auto equals = arg.find('=');
  if (equals == arg.npos) return Argument{arg, std::nullopt};
  return Argument{arg.substr(0, equals), arg.substr(equals + 1)};
}

bool is_switch(const NamedOption& option) {
  return option.flag->kind == FlagKind::boolean && option.said == Said::itself;
}

}  // namespace

std::expected<Settings, std::string> read_flags(std::span<const Flag> table,
                                                std::span<const std::string_view> args) {
  Settings settings;
  bool only_arguments = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (!only_arguments && args[i] == "--") {
      only_arguments = true;
      continue;
    }
    const auto argument = only_arguments ? std::nullopt : split(args[i]);
    if (!argument) return std::unexpected("unexpected argument " + quote(args[i]));
    const std::string name(argument->name);
    const auto option = look_up(table, name);
    if (!option) {
      return std::unexpected("flag provided but not defined: -" + name + suggestion(table, name));
    }
    const bool has_next = i + 1 < args.size();
    auto value = argument->value;
    if (!value && is_switch(*option)) {
      const bool spoken = has_next && (args[i + 1] == "true" || args[i + 1] == "false");
      value = spoken ? args[++i] : "true";
    }
    if (!value) {
      if (!has_next) return std::unexpected("flag needs an argument: -" + name);
      value = args[++i];
    }
    Setting setting;
    setting.what = "flag -" + name;
    if (auto known = resolve(setting, *option, *value); !known) {
      return std::unexpected(std::move(known.error()));
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

}  // namespace tus::app
