// Completion for bash, zsh and fish.
#include "app/flag_docs.h"

namespace tus::app {

namespace {

bool is_offered(const Flag& flag) {
  return flag.scope != FlagScope::hidden && flag.support != FlagSupport::never;
}

std::string words_of(const Flag& flag) {
  if (flag.kind == FlagKind::boolean) return "true false";
  std::string words;
  for (const auto choice : choices_of(flag)) {
    if (!words.empty()) words += ' ';
    words += choice;
  }
  return words;
}

// Within single quotes of a shell.
std::string in_quotes(std::string_view text) {
  std::string safe = "'";
  for (const char c : text) {
    if (c == '\'') {
      safe += "'\\''";
    } else {
      safe += c;
    }
  }
  return safe + "'";
}

// What zsh's _arguments would read as the end of a description or of a message.
std::string for_zsh(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') safe += '\\';
    safe += c;
  }
  return safe;
}

std::string zsh_action(const Flag& flag) {
  if (flag.kind == FlagKind::file) return "_files";
  if (flag.kind == FlagKind::directory) return "_files -/";
  const auto words = words_of(flag);
  return words.empty() ? " " : "(" + words + ")";
}

}  // namespace

std::string bash_completion(std::span<const Flag> table) {
  std::string names;
  std::string cases;
  for (const auto& flag : table) {
    if (!is_offered(flag)) continue;
    std::string patterns;
    for (const auto name : names_of(flag)) {
      names += (names.empty() ? "-" : " -") + std::string(name);
      patterns += (patterns.empty() ? "-" : "|-") + std::string(name);
      patterns += "|--" + std::string(name);
    }
    std::string action;
    if (flag.kind == FlagKind::directory) {
      action = "COMPREPLY=($(compgen -d -- \"$value\"))";
    } else if (flag.kind == FlagKind::file) {
      action = "COMPREPLY=($(compgen -f -- \"$value\"))";
    } else if (const auto words = words_of(flag); !words.empty()) {
      action = "COMPREPLY=($(compgen -W '" + words + "' -- \"$value\"))";
    } else {
      action = "COMPREPLY=()";
    }
    // A boolean needs no value: the next word may as well be a flag.
    const auto guard = flag.kind == FlagKind::boolean
                           ? "[[ $value == -* ]] || { " + action + "; return; }"
                           : action + "; return";
    cases += "    " + patterns + ") " + guard + " ;;\n";
  }
  return "# bash completion for tusd; made by tusd -generate=bash\n"
         "_tusd() {\n"
         "  local value=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  COMPREPLY=()\n"
         "  if [[ $value == = ]]; then\n"
         "    value=\n"
         "  elif [[ $flag == = && $COMP_CWORD -gt 1 ]]; then\n"
         "    flag=${COMP_WORDS[COMP_CWORD-2]}\n"
         "  fi\n"
         "  case $flag in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=($(compgen -W '" +
         names +
         "' -- \"${value/#--/-}\"))\n"
         "}\n"
         "complete -o filenames -F _tusd tusd\n";
}

std::string zsh_completion(std::span<const Flag> table) {
  std::string specs;
  for (const auto& flag : table) {
    if (!is_offered(flag)) continue;
    for (const auto name : names_of(flag)) {
      std::string spec = "-" + std::string(name);
      const bool is_switch = flag.kind == FlagKind::boolean;
      spec += is_switch ? "=-[" : "=[";
      spec += for_zsh(described(flag)) + "]";
      spec += is_switch ? "::" : ":";
      spec += for_zsh(is_switch ? std::string_view("true or false") : flag.value) + ":" +
              zsh_action(flag);
      specs += " \\\n    " + in_quotes(spec);
    }
  }
  return "#compdef tusd\n"
         "# zsh completion for tusd; made by tusd -generate=zsh\n"
         "_tusd() {\n"
         "  _arguments" +
         specs +
         "\n"
         "}\n"
         "if [ \"$funcstack[1]\" = \"_tusd\" ]; then\n"
         "  _tusd \"$@\"\n"
         "else\n"
         "  compdef _tusd tusd\n"
         "fi\n";
}

std::string fish_completion(std::span<const Flag> table) {
  std::string text =
      "# fish completion for tusd; made by tusd -generate=fish\ncomplete -c tusd -f\n";
  for (const auto& flag : table) {
    if (!is_offered(flag)) continue;
    for (const auto name : names_of(flag)) {
      text += "complete -c tusd -o " + std::string(name);
      if (flag.kind == FlagKind::file) {
        text += " -r -F";
      } else if (flag.kind == FlagKind::directory) {
        text += " -x -a '(__fish_complete_directories)'";
      } else if (const auto words = words_of(flag); flag.kind == FlagKind::choice) {
        text += " -x -a '" + words + "'";
      } else if (flag.kind != FlagKind::boolean) {
        text += " -x";
      }
      // fish reads \' within single quotes, and nothing else.
      std::string help;
      for (const char c : described(flag)) {
        if (c == '\'' || c == '\\') help += '\\';
        help += c;
      }
      text += " -d '" + help + "'\n";
    }
  }
  return text;
}

}  // namespace tus::app
