#include "app/flag_docs.h"

#include "app/environment.h"

#include <tus/version.h>

#include <algorithm>

namespace tus::app {

namespace {

constexpr std::size_t help_width = 100;

std::string all_names(const Flag& flag, std::string_view between) {
  std::string text;
  for (const auto name : names_of(flag)) {
    if (!text.empty()) text += between;
    text += "-" + std::string(name);
  }
  return text;
}

template <class EachGroup, class EachFlag>
void walk(std::span<const Flag> table, EachGroup each_group, EachFlag each_flag) {
  for (const auto& group : flag_groups()) {
    bool begun = false;
    for (const auto& flag : table) {
      if (flag.group != group.group || flag.scope == FlagScope::hidden) continue;
      if (!begun) each_group(group);
      begun = true;
      each_flag(flag);
    }
  }
}

std::string_view state_of(const Flag& flag) {
  switch (flag.support) {
    case FlagSupport::works:
      return "";
    case FlagSupport::already:
      return "always so in this build";
    case FlagSupport::ignored:
      return "changes nothing";
    case FlagSupport::not_built:
      return "not built yet";
    case FlagSupport::never:
      break;
  }
  return "never";
}

// ---- roff

// A minus sign that stays one when it is copied, and no line that looks like a command.
std::string roff(std::string_view text) {
  std::string safe;
  if (text.starts_with('.') || text.starts_with('\'')) safe += "\\&";
  for (const char c : text) {
    if (c == '\\') {
      safe += "\\e";
    } else if (c == '-') {
      safe += "\\-";
    } else {
      safe += c;
    }
  }
  return safe;
}

constexpr std::string_view manual_introduction =
    ".SH NAME\n"
    "tusd \\- server for resumable uploads over HTTP\n"
    ".SH SYNOPSIS\n"
    ".B tusd\n"
    "[\\fIflags\\fR]\n"
    ".SH DESCRIPTION\n"
    "Receives uploads by the tus protocol and keeps them on disk. Flags may be written \\fB\\-flag "
    "value\\fR,\n"
    "\\fB\\-flag=value\\fR or with two dashes; a boolean one alone means true.\n"
    ".PP\n"
    "Every option is also an environment variable (\\fB\\-upload\\-dir\\fR is "
    "\\fBTUSD_UPLOAD_DIR\\fR) and a key\n"
    "of the TOML file named by \\fB\\-config\\fR. Flags come before the environment, the "
    "environment before the file.\n"
    ".SH OPTIONS\n";

constexpr std::string_view manual_end =
    ".SH EXIT STATUS\n"
    ".TP\n0\nstopped as asked\n"
    ".TP\n1\nthe server could not start (port taken, directory not writable)\n"
    ".TP\n2\nan option is unknown, has a bad value, or asks for what this build cannot do\n"
    ".SH SIGNALS\n"
    ".TP\nSIGTERM, SIGINT\nsave and answer what is running, then end; a second one ends at once\n"
    ".SH SEE ALSO\n"
    "https://tus.io/protocols/resumable\\-upload\n";

// ---- Markdown

std::string cell(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

constexpr std::string_view document_introduction = R"(# Configuration

<!-- Made from the table in src/app by `tusd -generate=markdown`: change it there, then run
     build/dev/tusd -generate=markdown >docs/configuration.md -->

Every option can be given in three places. Flags come before the environment, the environment before the file, the file
before the default.

| place | example |
|---|---|
| command line | `-upload-dir /srv/uploads`, `-upload-dir=/srv/uploads`, `--upload-dir=/srv/uploads`; a boolean alone is true, `-verbose=false` and `-verbose false` switch it off |
| environment | `TUSD_UPLOAD_DIR=/srv/uploads`; a variable that is empty counts as not set |
| file | `upload-dir = "/srv/uploads"` in the TOML file that `-config FILE` or `TUSD_CONFIG` names |

Durations are written as in Go: `60s`, `1m30s`, `500ms`. An option that is unknown, has a bad value, or asks for something that this
build cannot do ends the program with exit code 2 and a sentence that names it; `tusd -check-config` checks all of it, and the
directories, without starting. Variables that begin with `TUSD_` and are none of these are mentioned in the log.

An option that is a *secret* may be read from a file: `-hooks-http-file FILE`, `TUSD_HOOKS_HTTP_FILE=FILE` or `hooks-http-file = "FILE"`.
Its value is repeated in no message.

## The file

Keys are the names of the flags, at the top of the file or in the table of their group. Numbers and booleans are written without
quotes, everything else with them. What is wrong is named with its line.

```toml
max-size = 1073741824

[listening]
host = "127.0.0.1"
port = 8080

[file-storage]
upload-dir = "/srv/uploads"
dir-perms = "0750"

[timeouts]
network-timeout = "2m"
```

## The options

The state of an option is empty when it does what it says. *Not built yet* means that a value other than the default is refused.
)";

std::string secret_note(const Flag& flag) {
  return flag.secrecy == FlagSecrecy::secret ? "; a secret" : "";
}

std::string variable_note(const Flag& flag) {
  const bool has_one = flag.scope == FlagScope::everywhere || flag.scope == FlagScope::not_in_file;
  return has_one ? code(variable_name(flag.name)) : "";
}

}  // namespace

std::string wrapped(std::string_view text, std::string_view indent, std::size_t width) {
  std::string lines;
  std::string line(indent);
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto word = text.substr(0, end);
    const bool fresh = line.size() == indent.size();
    if (!fresh && line.size() + 1 + word.size() > width) {
      lines += line + "\n";
      line = indent;
    } else if (!fresh) {
      line += ' ';
    }
    line += word;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines + line + "\n";
}

std::string described(const Flag& flag) {
  std::string text(flag.help);
  if (!flag.standard.empty()) text += " (default " + std::string(flag.standard) + ")";
  const auto state = state_of(flag);
  if (!state.empty()) text += " [" + std::string(state) + "]";
  return text;
}

std::string flags_help(std::span<const Flag> table) {
  std::string text =
      "Usage: tusd [flags]\n\n"
      "Each flag is also an environment variable (-upload-dir: TUSD_UPLOAD_DIR) and a key of the "
      "file\n"
      "that -config names; flags come before the environment, the environment before the file.\n";
  walk(
      table, [&](const FlagGroupName& group) { text += "\n" + std::string(group.title) + ":\n"; },
      [&](const Flag& flag) {
        text += "  " + all_names(flag, ", ");
        if (!flag.value.empty()) text += " " + std::string(flag.value);
        text += "\n" + wrapped(described(flag), "        ", help_width);
      });
  return text;
}

std::string manual_page(std::span<const Flag> table) {
  std::string text = ".TH TUSD 1 \"\" \"tusd " + std::string(version()) + "\" \"User Commands\"\n";
  text += manual_introduction;
  walk(
      table, [&](const FlagGroupName& group) { text += ".SS " + roff(group.title) + "\n"; },
      [&](const Flag& flag) {
        text += ".TP\n\\fB" + roff(all_names(flag, ", ")) + "\\fR";
        if (!flag.value.empty()) text += " \\fI" + roff(flag.value) + "\\fR";
        text += "\n" + roff(described(flag)) + "\n";
      });
  text += manual_end;
  return text;
}

std::string configuration_document(std::span<const Flag> table) {
  std::string text(document_introduction);
  walk(
      table,
      [&](const FlagGroupName& group) {
        text += "\n### " + std::string(group.title) + "\n\nTable `[" + std::string(group.table) +
                "]`\n\n| flag | variable | default | meaning | state |\n|---|---|---|---|---|\n";
      },
      [&](const Flag& flag) {
        auto usage = all_names(flag, ", ");
        if (!flag.value.empty()) usage += " " + std::string(flag.value);
        text += "| " + code(usage) + " | " + variable_note(flag) + " | " + code(flag.standard) +
                " | " + cell(flag.help) + secret_note(flag) + " | " + std::string(state_of(flag)) +
                " |\n";
      });
  return text;
}

std::string generate(std::string_view form, std::span<const Flag> table) {
  if (form == "man") return manual_page(table);
  if (form == "markdown") return configuration_document(table);
  if (form == "bash") return bash_completion(table);
  if (form == "zsh") return zsh_completion(table);
  if (form == "fish") return fish_completion(table);
  return {};
}

}  // namespace tus::app
