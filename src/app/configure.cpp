#include "app/configure.h"

#include "app/config_file.h"
#include "app/environment.h"
#include "app/flags.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace tus::app {

namespace {

namespace fs = std::filesystem;

std::string config_path(const Settings& flags, const Settings& environment) {
  for (const auto* settings : {&flags, &environment}) {
    const auto said =
        std::ranges::find_if(settings->rbegin(), settings->rend(),
                             [](const Setting& s) { return s.flag->name == "config"; });
    if (said != settings->rend()) return said->value;
  }
  return {};
}

// Options that are right one by one and make no sense together.
std::optional<std::string> find_contradiction(const Config& config) {
  const auto& metrics = config.metrics_path;
  if (config.expose_metrics && (metrics == config.base_path || metrics + '/' == config.base_path)) {
    return "-metrics-path and -base-path are both " + metrics +
           ": want another one, or -expose-metrics=false";
  }
  if (config.location.relative && !config.location.origin.empty()) {
    return "-relative-location and a whole URL as -base-path contradict each other";
  }
  if (config.evict != EvictOrder::none && config.store_size == 0) {
    return "-store-evict makes room under a limit: want -store-size, too";
  }
  if (config.evict_finished && config.evict == EvictOrder::none) {
    return "-store-evict-finished says what else may go: want -store-evict=biggest or oldest, too";
  }
  if (config.files.min_free_space > 0 && config.store != StoreKind::file) {
    return "-min-free-space is about the file system of -upload-dir: there is none with "
           "-store=memory";
  }
  if (config.store == StoreKind::s3 && config.s3.store.bucket.empty()) {
    return "-store=s3: say with -s3-bucket which one";
  }
  if (config.s3.store.part_size < config.s3.store.min_part_size) {
    return "-s3-part-size is smaller than -s3-min-part-size";
  }
  for (const std::string path : {health_path, ready_path}) {
    if (!config.expose_health) break;
    const bool is_metrics = config.expose_metrics && metrics == path;
    if (is_metrics || config.base_path == path + '/') {
      return (is_metrics ? "-metrics-path is " : "-base-path is ") + path +
             ", where the server tells whether it is well: want another one, or "
             "-expose-health=false";
    }
  }
  if ((config.files.dir_perms & 0700) != 0700) {
    return "-dir-perms must let the owner read, write and enter directories (07xx)";
  }
  if ((config.files.file_perms & 0600) != 0600) {
    return "-file-perms must let the owner read and write files (06xx)";
  }
  if (config.sweep && config.store == StoreKind::memory) {
    return "-sweep: uploads in memory do not outlive their server";
  }
  if (config.sweep && config.expire_after.count() == 0) {
    return "-sweep: say with -expire-after how old uploads have to be to go";
  }
  if (config.s3.repair && config.store != StoreKind::s3) {
    return "-s3-repair: say with -s3-bucket which bucket";
  }
  if ((config.list_dead_hooks || config.replay_hooks) && config.store == StoreKind::memory) {
    return "-dead-hooks and -replay-hooks: what is kept in memory does not outlive its server";
  }
  if (config.unix_sock.size() >= sizeof(sockaddr_un::sun_path)) {
    return "-unix-sock: the path " + config.unix_sock + " is too long for a socket";
  }
  return std::nullopt;
}

// The directory itself, or the one in which it would be made.
std::optional<std::string> cannot_write_to(const fs::path& directory) {
  std::error_code ec;
  auto nearest = fs::absolute(directory, ec).lexically_normal();
  while (!fs::exists(fs::status(nearest, ec)) && nearest.has_relative_path()) {
    nearest = nearest.parent_path();
  }
  if (!fs::is_directory(nearest, ec)) return nearest.string() + " is not a directory";
  if (::faccessat(AT_FDCWD, nearest.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return "cannot write to " + nearest.string() + ": " + std::strerror(errno);
  }
  return std::nullopt;
}

bool ends_before_serving(const Config& config) {
  return config.show_help || config.show_version || !config.generate.empty();
}

}  // namespace

std::expected<Config, std::string> configure(std::span<const std::string_view> args,
                                             std::span<const std::string_view> environment) {
  const auto table = make_flag_table();
  auto flags = read_flags(table, args);
  if (!flags) return std::unexpected(std::move(flags.error()));
  Config asked;
  if (auto applied = apply_settings(*flags, asked); !applied)
    return std::unexpected(applied.error());
  if (ends_before_serving(asked)) return asked;

  auto variables = read_environment(table, environment);
  if (!variables) return std::unexpected(std::move(variables.error()));
  Settings all;
  if (const auto path = config_path(*flags, variables->settings); !path.empty()) {
    auto file = read_config_file(table, path);
    if (!file) return std::unexpected(std::move(file.error()));
    all = std::move(*file);
  }
  all.insert(all.end(), variables->settings.begin(), variables->settings.end());
  all.insert(all.end(), flags->begin(), flags->end());
  Config config;
  config.warnings = std::move(variables->warnings);
  if (auto applied = apply_settings(all, config); !applied) return std::unexpected(applied.error());
  if (auto wrong = find_contradiction(config)) return std::unexpected(std::move(*wrong));
  if (!config.hooks.directory.empty() && !config.hooks.url.empty()) {
    config.warnings.emplace_back("-hooks-dir and -hooks-http: only the programs are called");
  }
  return config;
}

std::optional<std::string> find_obstacle(const Config& config) {
  if (config.store == StoreKind::file) {
    if (auto wrong = cannot_write_to(config.files.directory)) return "-upload-dir: " + *wrong;
  }
  std::error_code unreadable;
  if (!config.hooks.directory.empty() && !fs::is_directory(config.hooks.directory, unreadable)) {
    return "-hooks-dir: there is no directory " + config.hooks.directory;
  }
  if (!config.unix_sock.empty()) {
    const auto folder = fs::absolute(config.unix_sock).parent_path();
    std::error_code ec;
    if (!fs::is_directory(folder, ec))
      return "-unix-sock: there is no directory " + folder.string();
    if (auto wrong = cannot_write_to(folder)) return "-unix-sock: " + *wrong;
  }
  return std::nullopt;
}

}  // namespace tus::app
