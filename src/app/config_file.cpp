#include "app/config_file.h"

#include "app/text_file.h"
#include "app/toml.h"

#include <algorithm>
#include <set>
#include <utility>

namespace tus::app {

namespace {

using Sentence = std::unexpected<std::string>;

std::string wanted_type(const Flag& flag) {
  switch (flag.kind) {
    case FlagKind::boolean:
      return "true or false, without quotes";
    case FlagKind::number:
      return "a number, without quotes";
    case FlagKind::duration:
      return "a duration in quotes, such as \"60s\"";
    case FlagKind::mode:
      return "a mode in quotes, such as \"0775\"";
    default:
      return "a text in quotes";
  }
}

std::optional<std::string> value_as_said(const Flag& flag, const toml::node& node) {
  if (flag.kind == FlagKind::boolean) {
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    return std::nullopt;
  }
  if (flag.kind == FlagKind::number) {
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    return std::nullopt;
  }
  if (const auto* text = node.as_string()) return text->get();
  return std::nullopt;
}

class Reader {
 public:
  Reader(std::span<const Flag> table, const std::string& path) : table_(table), path_(path) {}

  std::expected<Settings, std::string> read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const auto group = std::ranges::find(flag_groups(), key.str(), &FlagGroupName::table);
      const auto* section = node.as_table();
      if (section == nullptr || group == flag_groups().end()) {
        entries_.push_back({&key, &node, nullptr});
        continue;
      }
      for (const auto& [inner_key, inner] : *section) {
        entries_.push_back({&inner_key, &inner, &*group});
      }
    }
    // A table has its keys in alphabetical order; a reader expects the first mistake of the file.
    std::ranges::sort(entries_, {}, [](const Entry& e) { return e.key->source().begin.line; });
    for (const auto& entry : entries_) {
      if (auto taken = take(*entry.key, *entry.node, entry.section); !taken) {
        return Sentence(taken.error());
      }
    }
    return std::move(settings_);
  }

 private:
  struct Entry {
    const toml::key* key;
    const toml::node* node;
    const FlagGroupName* section;  // nullptr: at the top
  };

  std::string place(const toml::key& key) const {
    return path_ + ":" + std::to_string(key.source().begin.line) + ": ";
  }

  Applied take(const toml::key& key, const toml::node& node, const FlagGroupName* section) {
    const std::string name(key.str());
    const auto option = look_up(table_, name);
    if (!option || option->flag->scope == FlagScope::hidden) {
      const auto kind = node.is_table() ? "unknown table [" + name + "]" : "unknown option " + name;
      return Sentence(place(key) + kind + (node.is_table() ? "" : hint(name)));
    }
    const auto& flag = *option->flag;
    if (flag.scope != FlagScope::everywhere) {
      return Sentence(place(key) + "option " + name + " has no place in a file");
    }
    if (section != nullptr && section->group != flag.group) {
      return Sentence(place(key) + "option " + name + " belongs to [" +
                      std::string(name_of(flag.group).table) + "], not to [" +
                      std::string(section->table) + "]");
    }
    // Under two names, or at the top and in its table: a file says one thing.
    if (!seen_.insert(&flag).second) {
      return Sentence(place(key) + "option " + name + " is in the file twice");
    }
    Setting setting;
    setting.place = place(key);
    setting.what = "option " + name;
    const auto said = option->said == Said::file_name ? node.value_exact<std::string>()
                                                      : value_as_said(flag, node);
    if (!said) {
      const auto wanted = option->said == Said::file_name ? "a text in quotes" : wanted_type(flag);
      return Sentence(setting.place + setting.what + " has the wrong type: want " + wanted);
    }
    if (auto known = resolve(setting, *option, *said); !known) return known;
    settings_.push_back(std::move(setting));
    return {};
  }

  std::string hint(std::string_view name) const {
    auto text = suggestion(table_, name);
    if (const auto dash = text.find(" -"); dash != text.npos) text.erase(dash + 1, 1);
    return text;
  }

  std::span<const Flag> table_;
  const std::string& path_;
  std::vector<Entry> entries_;
  Settings settings_;
  std::set<const Flag*> seen_;
};

}  // namespace

std::expected<Settings, std::string> parse_config(std::span<const Flag> table,
                                                  std::string_view text,
                                                  const std::string& path) try {
  const auto root = toml::parse(text, path);
  return Reader(table, path).read(root);
} catch (const toml::parse_error& error) {
  return Sentence(path + ":" + std::to_string(error.source().begin.line) + ": " +
                  std::string(error.description()));
}

std::expected<Settings, std::string> read_config_file(std::span<const Flag> table,
                                                      const std::string& path) {
  constexpr std::size_t largest = 1 << 20;
  const auto text = read_text_file(path, largest);
  if (!text) return Sentence("the config file: " + text.error());
  return parse_config(table, *text, path);
}

}  // namespace tus::app
