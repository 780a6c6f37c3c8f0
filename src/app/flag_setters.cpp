#include "app/flag_setters.h"

#include "app/flag_values.h"
#include "app/origin_pattern.h"
#include "base/ascii.h"
#include "protocol/authority.h"
#include "protocol/forwarded.h"

#include <algorithm>
#include <array>
#include <utility>

namespace tus::app {

namespace {

template <class T>
struct Choice {
  std::string_view word;
  T value;
};

template <class T, std::size_t n>
Complaint choose(T& target, std::string_view text, const std::array<Choice<T>, n>& choices) {
  for (const auto& choice : choices) {
    if (choice.word != text) continue;
    target = choice.value;
    return {};
  }
  std::string complaint = "want ";
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) complaint += i + 1 == n ? " or " : ", ";
    complaint += choices[i].word;
  }
  return complaint;
}

bool is_path_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte < 127 && c != '?' && c != '#' && c != '%';
}

}  // namespace

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

Complaint set_text(std::string& target, std::string_view text) {
  target = text;
  return {};
}

Complaint set_token_list(std::string& target, std::string_view text) {
  const auto is_fine = [](char c) {
    return c > ' ' && c < 127 && c != '"' && c != ':' && c != ';';
  };
  if (!std::ranges::all_of(text, [is_fine](char c) { return c == ' ' || is_fine(c); })) {
    return "want names with commas between them";
  }
  target = text;
  return {};
}

Complaint set_cors_allow_origin(Config& config, std::string_view text) {
  if (const auto pattern = OriginPattern::compile(std::string(text)); !pattern)
    return pattern.error();
  config.cors_allow_origin = text;
  return {};
}

Complaint set_perms(unsigned& target, std::string_view text) {
  const auto value = parse_number(text, 8);
  if (!value || *value > 07777) return "want an octal mode such as 0775";
  target = static_cast<unsigned>(*value);
  return {};
}

Complaint set_number(unsigned& target, std::string_view text, Range range) {
  const auto value = parse_number(text);
  if (!value || *value < range.least || *value > range.most) {
    return "want a number from " + std::to_string(range.least) + " to " +
           std::to_string(range.most);
  }
  target = static_cast<unsigned>(*value);
  return {};
}

Complaint set_port(Config& config, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > 65535) return "want a port from 0 to 65535";
  config.port = static_cast<std::uint16_t>(*value);
  return {};
}

// A path, or a URL whose path is where uploads live and whose rest is what Location begins with.
Complaint set_base_path(Config& config, std::string_view text) {
  std::string origin;
  if (const auto mark = text.find("://"); mark != std::string_view::npos) {
    const auto scheme = protocol::known_scheme(text.substr(0, mark));
    text.remove_prefix(mark + 3);
    const auto host = text.substr(0, text.find('/'));
    if (scheme.empty() || !protocol::parse_authority(host)) {
      return "want a path such as /files/ or a URL such as https://uploads.example.org/files/";
    }
    origin = std::string(scheme) + "://" + std::string(host);
    text.remove_prefix(host.size());
  }
  std::string path(text);
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  if (!path.ends_with('/')) path += '/';
  const bool plain = std::ranges::all_of(path, is_path_character) && !path.contains("//");
  if (!plain) return "want a plain path such as /files/";
  config.base_path = std::move(path);
  config.location.origin = std::move(origin);
  return {};
}

Complaint set_allowed_hosts(Config& config, std::string_view text) {
  std::vector<std::string> hosts;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto host = base::trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto parsed = protocol::parse_authority(host);
    const bool only_in_front = host.substr(host.starts_with("*.") ? 1 : 0).find('*') == host.npos;
    if (!parsed || !only_in_front) {
      return "want hosts with commas between them, such as a.example,b.example:8443,*.c.example";
    }
    hosts.emplace_back(host);
  }
  config.location.allowed_hosts = std::move(hosts);
  return {};
}

Complaint set_metrics_path(Config& config, std::string_view text) {
  if (!text.starts_with('/') || !std::ranges::all_of(text, is_path_character)) {
    return "want a path such as /metrics";
  }
  config.metrics_path = text;
  return {};
}

Complaint set_bytes(std::uint64_t& target, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > INT64_MAX) return "want a number of bytes, 0 for no limit";
  target = *value;
  return {};
}

Complaint set_max_size(Config& config, std::string_view text) {
  return set_bytes(config.max_size, text);
}

Complaint set_evict(Config& config, std::string_view text) {
  constexpr std::array<Choice<EvictOrder>, 3> choices{{{"none", EvictOrder::none},
                                                       {"biggest", EvictOrder::biggest},
                                                       {"oldest", EvictOrder::oldest}}};
  return choose(config.evict, text, choices);
}

Complaint set_timeout_ms(Config& config, std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value > UINT32_MAX) return "want a number of milliseconds, 0 for never";
  config.network_timeout = std::chrono::milliseconds(*value);
  return {};
}

Complaint set_directory(Config& config, std::string_view text) {
  if (text.empty()) return "want a directory";
  config.files.directory = text;
  return {};
}

Complaint set_store(Config& config, std::string_view text) {
  constexpr std::array<Choice<StoreKind>, 3> choices{
      {{"file", StoreKind::file}, {"memory", StoreKind::memory}, {"s3", StoreKind::s3}}};
  return choose(config.store, text, choices);
}

Complaint set_locker(Config& config, std::string_view text) {
  constexpr std::array<Choice<LockerKind>, 3> choices{
      {{"file", LockerKind::file}, {"memory", LockerKind::memory}, {"none", LockerKind::none}}};
  return choose(config.locker, text, choices);
}

Complaint set_fsync(Config& config, std::string_view text) {
  constexpr std::array<Choice<FsyncPolicy>, 3> choices{{{"off", FsyncPolicy::off},
                                                        {"finish", FsyncPolicy::finish},
                                                        {"always", FsyncPolicy::always}}};
  return choose(config.files.fsync, text, choices);
}

Complaint set_digest(Config& config, std::string_view text) {
  constexpr std::array<Choice<WholeDigest>, 2> choices{
      {{"none", WholeDigest::none}, {"sha256", WholeDigest::sha256}}};
  return choose(config.digest, text, choices);
}

Complaint set_zero_copy(Config& config, std::string_view text) {
  constexpr std::array<Choice<ZeroCopy>, 3> choices{
      {{"auto", ZeroCopy::automatic}, {"always", ZeroCopy::always}, {"never", ZeroCopy::never}}};
  return choose(config.zero_copy, text, choices);
}

Complaint set_log_format(Config& config, std::string_view text) {
  constexpr std::array<Choice<LogFormat>, 2> choices{
      {{"text", LogFormat::text}, {"json", LogFormat::json}}};
  return choose(config.log_format, text, choices);
}

}  // namespace tus::app
