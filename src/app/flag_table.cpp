#include "app/flag_table.h"

#include <algorithm>
#include <array>

namespace tus::app {

namespace {

constexpr std::array group_names{
    FlagGroupName{FlagGroup::listening, "Listening options", "listening"},
    FlagGroupName{FlagGroup::tls, "TLS options", "tls"},
    FlagGroupName{FlagGroup::protocol, "Upload protocol options", "protocol"},
    FlagGroupName{FlagGroup::cors, "CORS options", "cors"},
    FlagGroupName{FlagGroup::file_storage, "File storage options", "file-storage"},
    FlagGroupName{FlagGroup::s3, "AWS S3 storage options", "s3"},
    FlagGroupName{FlagGroup::gcs, "Google Cloud Storage options", "gcs"},
    FlagGroupName{FlagGroup::azure, "Azure Storage options", "azure"},
    FlagGroupName{FlagGroup::hooks, "General hook options", "hooks"},
    FlagGroupName{FlagGroup::file_hooks, "File hook options", "file-hooks"},
    FlagGroupName{FlagGroup::http_hooks, "HTTP hook options", "http-hooks"},
    FlagGroupName{FlagGroup::grpc_hooks, "gRPC hook options", "grpc-hooks"},
    FlagGroupName{FlagGroup::plugin_hooks, "Plugin hook options", "plugin-hooks"},
    FlagGroupName{FlagGroup::monitoring, "Monitoring, profiling, logging options", "monitoring"},
    FlagGroupName{FlagGroup::limits, "Limits against abuse", "limits"},
    FlagGroupName{FlagGroup::timeouts, "Timeout options", "timeouts"},
    FlagGroupName{FlagGroup::performance, "Performance options", "performance"},
    FlagGroupName{FlagGroup::other, "Other options", "other"},
};

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

std::span<const FlagGroupName> flag_groups() { return group_names; }

const FlagGroupName& name_of(FlagGroup group) {
  return *std::ranges::find(group_names, group, &FlagGroupName::group);
}

std::vector<Flag> make_flag_table() {
  std::vector<Flag> table;
  for (const auto& group : group_names) {
    for (const auto rows : {working_flags(), hook_flags(), s3_flags(), missing_flags()}) {
      for (const auto& row : rows) {
        if (row.group == group.group) table.push_back(row);
      }
    }
  }
  return table;
}

const Flag* find_flag(std::span<const Flag> table, std::string_view name) {
  const auto has_name = [&](const Flag& flag) {
    return std::ranges::any_of(names_of(flag), [&](auto known) { return known == name; });
  };
  const auto found = std::ranges::find_if(table, has_name);
  return found == table.end() ? nullptr : &*found;
}

std::vector<std::string_view> names_of(const Flag& flag) {
  auto names = split(flag.aliases, ' ');
  names.insert(names.begin(), flag.name);
  return names;
}

std::vector<std::string_view> choices_of(const Flag& flag) {
  if (flag.kind != FlagKind::choice) return {};
  return split(flag.value, '|');
}

}  // namespace tus::app
