// Everything that is written about the options, made from their table.
#pragma once

#include "app/flag_table.h"

#include <span>
#include <string>
#include <string_view>

namespace tus::app {

// The text of -help: at most 100 columns wide.
std::string flags_help(std::span<const Flag> table);
std::string manual_page(std::span<const Flag> table);             // roff
std::string configuration_document(std::span<const Flag> table);  // Markdown
std::string bash_completion(std::span<const Flag> table);
std::string zsh_completion(std::span<const Flag> table);
std::string fish_completion(std::span<const Flag> table);

// One of the above, by the word after -generate; empty for any other word.
std::string generate(std::string_view form, std::span<const Flag> table);

// Words into lines of at most `width` columns, each behind `indent`.
std::string wrapped(std::string_view text, std::string_view indent, std::size_t width);
// The help with its default, and whether this build has it.
std::string described(const Flag& flag);

}  // namespace tus::app
