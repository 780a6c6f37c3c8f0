// The one table of options. The command line, the environment, the config file, -help, the manual page, shell
// completion and docs/configuration.md are all made from it.
#pragma once

#include "app/config.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tus::app {

enum class FlagGroup : std::uint8_t {  // in the order of -help
  listening,
  tls,
  protocol,
  cors,
  file_storage,
  s3,
  gcs,
  azure,
  hooks,
  file_hooks,
  http_hooks,
  grpc_hooks,
  plugin_hooks,
  monitoring,
  limits,
  timeouts,
  performance,
  other,
};

struct FlagGroupName {
  FlagGroup group;
  std::string_view title;  // as tusd's, where tusd has it
  std::string_view table;  // in the config file
};

std::span<const FlagGroupName> flag_groups();
const FlagGroupName& name_of(FlagGroup group);

enum class FlagKind : std::uint8_t {
  boolean,
  number,
  duration,
  mode,
  choice,
  text,
  directory,
  file
};

enum class FlagSupport : std::uint8_t {
  works,
  already,    // switches off what this build does not have, so it is true as it is
  ignored,    // accepted with a warning: nothing depends on it
  not_built,  // refused, unless the value asks for nothing
  never,      // refused for good
};

enum class FlagScope : std::uint8_t {
  everywhere,
  not_in_file,        // command line and environment
  command_line_only,  // says what this run shall do
  hidden,             // and is no business of operators
};

enum class FlagSecrecy : std::uint8_t {
  open,
  secret,  // never repeated in a message, and can be read from a file: -x-file, TUSD_X_FILE
};

// What a setter says when it does not accept a value; empty when it did.
using Complaint = std::string;

struct Flag {
  std::string_view name;
  std::string_view aliases = {};  // separated by spaces
  FlagGroup group = FlagGroup::other;
  FlagKind kind = FlagKind::text;
  std::string_view value = {};     // placeholder for help; "a|b|c" for a choice
  std::string_view standard = {};  // the default, as text
  std::string_view help = {};
  Complaint (*set)(Config&, std::string_view) = nullptr;  // none unless it works
  FlagSupport support = FlagSupport::works;
  // For what does not work: how the sentence "this build of tusd cannot ..." ends, and the value that
  // asks for nothing.
  std::string_view lacks = {};
  std::optional<std::string_view> nothing = std::nullopt;
  FlagScope scope = FlagScope::everywhere;
  FlagSecrecy secrecy = FlagSecrecy::open;
};

// All rows, group by group.
std::vector<Flag> make_flag_table();

// The parts it is made of.
std::span<const Flag> working_flags();
std::span<const Flag> hook_flags();
std::span<const Flag> s3_flags();
std::span<const Flag> missing_flags();

// nullptr when there is none of this name.
const Flag* find_flag(std::span<const Flag> table, std::string_view name);

// The name and the aliases, the name first.
std::vector<std::string_view> names_of(const Flag& flag);
std::vector<std::string_view> choices_of(const Flag& flag);

}  // namespace tus::app
