#include "app/flags.h"

#include "app/flag_values.h"

#include <algorithm>
#include <array>
#include <optional>

namespace tus::app {

namespace {

// What a setter says when it does not accept a value; empty when it did.
using Complaint = std::string;

struct Flag {
  std::string_view names;  // the first is ours, the others are aliases, separated by spaces
  std::string_view group;
  std::string_view value;  // placeholder for -help; empty for a boolean
  std::string_view help;
  Complaint (*set)(Config&, std::string_view);
};

Complaint set_bool(bool& target, std::string_view text) {
  const auto value = parse_go_bool(text);
  if (!value) return "want true or false";
  target = *value;
  return {};
}

Complaint set_duration(std::chrono::milliseconds& target, std::string_view text) {
  const auto value = parse_go_duration(text);
  if (!value) return "want a duration such as 60s, 1m30s or 500ms";
  target = *value;
  return {};
}

Complaint set_perms(unsigned& target, std::string_view text) {
  const auto value = parse_number(text, 8);
  if (!value || *value > 07777) return "want an octal mode such as 0775";
  target = static_cast<unsigned>(*value);
  return {};
}

Complaint set_port(Config& c, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > 65535) return "want a port from 0 to 65535";
  c.port = static_cast<std::uint16_t>(*value);
  return {};
}

Complaint set_base_path(Config& c, std::string_view text) {
  std::string path(text);
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  if (!path.ends_with('/')) path += '/';
  const bool odd = std::ranges::any_of(
      path, [](char ch) { return ch <= ' ' || ch == '?' || ch == '#' || ch == '%' || ch == 127; });
  if (odd) return "want a plain path such as /files/";
  c.base_path = std::move(path);
  return {};
}

Complaint set_metrics_path(Config& c, std::string_view text) {
  if (!text.starts_with('/') || text.contains(' ')) return "want a path such as /metrics";
  c.metrics_path = text;
  return {};
}

Complaint set_max_size(Config& c, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > INT64_MAX) return "want a number of bytes, 0 for no limit";
  c.max_size = *value;
  return {};
}

Complaint set_timeout_ms(Config& c, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > UINT32_MAX) return "want a number of milliseconds, 0 for never";
  c.network_timeout = std::chrono::milliseconds(*value);
  return {};
}

Complaint set_threads(Config& c, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > 1024) return "want a number from 0 (one per core) to 1024";
  c.threads = static_cast<unsigned>(*value);
  return {};
}

Complaint set_store(Config& c, std::string_view text) {
  if (text == "file") {
    c.store = StoreKind::file;
  } else if (text == "memory") {
    c.store = StoreKind::memory;
  } else {
    return "want file or memory";
  }
  return {};
}

Complaint set_fsync(Config& c, std::string_view text) {
  if (text == "off") {
    c.files.fsync = FsyncPolicy::off;
  } else if (text == "finish") {
    c.files.fsync = FsyncPolicy::finish;
  } else if (text == "always") {
    c.files.fsync = FsyncPolicy::always;
  } else {
    return "want off, finish or always";
  }
  return {};
}

Complaint set_zero_copy(Config& c, std::string_view text) {
  if (text == "auto") {
    c.zero_copy = ZeroCopy::automatic;
  } else if (text == "always") {
    c.zero_copy = ZeroCopy::always;
  } else if (text == "never") {
    c.zero_copy = ZeroCopy::never;
  } else {
    return "want auto, always or never";
  }
  return {};
}

constexpr std::array flags{
    Flag{"host", "Listening", "ADDRESS",
         "address to listen on; 0.0.0.0 means all, IPv4 and IPv6 (default 0.0.0.0)",
         [](Config& c, std::string_view v) {
           c.host = v;
           return Complaint();
         }},
    Flag{"port", "Listening", "PORT", "port to listen on; 0 picks a free one (default 1080)",
         set_port},
    Flag{"base-path", "Listening", "PATH", "URL path under which uploads live (default /files/)",
         set_base_path},
    Flag{"network-timeout", "Listening", "DURATION",
         "end a request whose client sends or takes nothing for this long; 0 for never (default "
         "60s)",
         [](Config& c, std::string_view v) { return set_duration(c.network_timeout, v); }},
    Flag{"timeout", "Listening", "MS", "the same in milliseconds; 0 for never", set_timeout_ms},
    Flag{"shutdown-timeout", "Listening", "DURATION",
         "how long a stop waits for running requests (default 10s)",
         [](Config& c, std::string_view v) { return set_duration(c.shutdown_timeout, v); }},
    Flag{"upload-dir dir", "Storage", "DIR",
         "directory for uploads, made when missing (default ./data)",
         [](Config& c, std::string_view v) {
           if (v.empty()) return Complaint("want a directory");
           c.files.directory = v;
           return Complaint();
         }},
    Flag{"store", "Storage", "file|memory",
         "where uploads are kept; memory forgets them at exit (default file)", set_store},
    Flag{"fsync", "Storage", "off|finish|always",
         "what survives a power cut: nothing, finished uploads, or every acknowledged byte "
         "(default finish)",
         set_fsync},
    Flag{"dir-perms", "Storage", "MODE", "mode of new directories, octal (default 0775)",
         [](Config& c, std::string_view v) { return set_perms(c.files.dir_perms, v); }},
    Flag{"file-perms", "Storage", "MODE", "mode of new files, octal (default 0664)",
         [](Config& c, std::string_view v) { return set_perms(c.files.file_perms, v); }},
    Flag{"max-size", "Limits", "BYTES",
         "largest upload that is accepted; 0 for no limit (default 0)", set_max_size},
    Flag{"acquire-lock-timeout", "Limits", "DURATION",
         "how long a request waits for an upload that another one holds (default 20s)",
         [](Config& c, std::string_view v) { return set_duration(c.acquire_lock_timeout, v); }},
    Flag{"threads", "Performance", "N", "event loops; 0 for one per core (default 0)", set_threads},
    Flag{"zero-copy", "Performance", "auto|always|never",
         "move bytes from socket to file without copying them (default auto)", set_zero_copy},
    Flag{"expose-metrics", "Monitoring", "", "serve metrics for Prometheus (default true)",
         [](Config& c, std::string_view v) { return set_bool(c.expose_metrics, v); }},
    Flag{"metrics-path", "Monitoring", "PATH", "URL path of the metrics (default /metrics)",
         set_metrics_path},
    Flag{"verbose", "Monitoring", "", "log refused requests too (default false)",
         [](Config& c, std::string_view v) { return set_bool(c.verbose, v); }},
    Flag{"version", "Other", "", "print the version and exit",
         [](Config& c, std::string_view v) { return set_bool(c.show_version, v); }},
    Flag{"help h", "Other", "", "print this text and exit",
         [](Config& c, std::string_view v) { return set_bool(c.show_help, v); }},
};

bool has_name(const Flag& flag, std::string_view name) {
  auto rest = flag.names;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

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

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

std::expected<Config, std::string> parse_flags(std::span<const std::string_view> args) {
  Config config;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto argument = split(args[i]);
    if (!argument) return std::unexpected("unexpected argument " + quoted(args[i]));
    const auto flag =
        std::ranges::find_if(flags, [&](const Flag& f) { return has_name(f, argument->name); });
    if (flag == flags.end()) {
      return std::unexpected("flag provided but not defined: -" + std::string(argument->name));
    }
    auto value = argument->value;
    if (!value && flag->value.empty()) {
      const bool spoken = i + 1 < args.size() && (args[i + 1] == "true" || args[i + 1] == "false");
      value = spoken ? args[++i] : "true";
    }
    if (!value) {
      if (i + 1 == args.size()) {
        return std::unexpected("flag needs an argument: -" + std::string(argument->name));
      }
      value = args[++i];
    }
    const auto complaint = flag->set(config, *value);
    if (!complaint.empty()) {
      return std::unexpected("invalid value " + quoted(*value) + " for flag -" +
                             std::string(argument->name) + ": " + complaint);
    }
  }
  return config;
}

std::string flags_help() {
  std::string text = "Usage: tusd [flags]\n";
  std::string_view group;
  for (const auto& flag : flags) {
    if (flag.group != group) {
      group = flag.group;
      text += "\n" + std::string(group) + ":\n";
    }
    std::string names(flag.names);
    constexpr std::string_view comma = ", -";
    for (std::size_t at = 0; (at = names.find(' ', at)) != names.npos; at += comma.size()) {
      names.replace(at, 1, comma);
    }
    text += "  -" + names;
    if (!flag.value.empty()) text += " " + std::string(flag.value);
    text += "\n      " + std::string(flag.help) + "\n";
  }
  return text;
}

}  // namespace tus::app
