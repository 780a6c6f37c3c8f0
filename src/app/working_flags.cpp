// The rows of what this build does.
#include "app/flag_setters.h"
#include "app/flag_table.h"

#include <array>

namespace tus::app {

namespace {

using enum FlagGroup;

constexpr std::array listening_rows{
    Flag{.name = "host",
         .group = listening,
         .value = "ADDRESS",
         .standard = "0.0.0.0",
         .help = "address to listen on, or several with commas; 0.0.0.0 is all, IPv4 and IPv6",
         .set = [](Config& c, std::string_view v) { return set_text(c.host, v); }},
    Flag{.name = "port",
         .group = listening,
         .kind = FlagKind::number,
         .value = "PORT",
         .standard = "1080",
         .help = "port to listen on; 0 picks a free one",
         .set = set_port},
    Flag{.name = "unix-sock",
         .group = listening,
         .kind = FlagKind::file,
         .value = "PATH",
         .help = "listen on a Unix socket at this path instead of a TCP port",
         .set = [](Config& c, std::string_view v) { return set_text(c.unix_sock, v); }},
    Flag{.name = "unix-sock-perms",
         .group = listening,
         .kind = FlagKind::mode,
         .value = "MODE",
         .help = "mode of the Unix socket, octal (without it what the umask leaves of 0777)",
         .set = [](Config& c,
                   std::string_view v) { return set_perms(c.unix_sock_perms.emplace(), v); }},
    Flag{.name = "base-path",
         .group = listening,
         .value = "PATH",
         .standard = "/files/",
         .help = "URL path under which uploads live, or the whole URL by which clients know it",
         .set = set_base_path},
    Flag{
        .name = "behind-proxy",
        .group = listening,
        .kind = FlagKind::boolean,
        .standard = "false",
        .help =
            "believe X-Forwarded-Host, -Proto, -Prefix, -For, X-Real-IP and Forwarded; the proxy "
            "in "
            "front has to set or remove all of them, and clients must not reach the server past it",
        .set = [](Config& c, std::string_view v) { return set_bool(c.location.behind_proxy, v); }},
    Flag{.name = "relative-location",
         .group = listening,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "tell clients the path of a new upload only, without scheme and host",
         .set = [](Config& c, std::string_view v) { return set_bool(c.location.relative, v); }},
    Flag{.name = "allowed-hosts",
         .group = listening,
         .value = "LIST",
         .help = "hosts that URLs of uploads may name, with commas, such as "
                 "uploads.example.org,*.example.com; requests for others are told the path only",
         .set = set_allowed_hosts},
};

constexpr std::array upload_rows{
    Flag{.name = "max-size",
         .group = protocol,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "0",
         .help = "largest upload that is accepted; 0 for no limit",
         .set = set_max_size},
    Flag{.name = "disable-concatenation",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "refuse to join uploads",
         .set = [](Config& c, std::string_view v) { return set_bool(c.disable_concatenation, v); }},
    Flag{.name = "concat-remove-parts",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "remove partial uploads once the final upload that was made of them is finished",
         .set = [](Config& c, std::string_view v) { return set_bool(c.concat_remove_parts, v); }},
    Flag{.name = "expire-after",
         .group = protocol,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "0s",
         .help = "remove unfinished uploads to which no bytes have come for this time; 0 for never",
         .set = [](Config& c, std::string_view v) { return set_duration(c.expire_after, v); }},
    Flag{.name = "expire-left-overs",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "true",
         .help = "with -expire-after, also remove what is as old and belongs to no upload: data "
                 "without .info under names that the server has made, locks of dead processes",
         .set = [](Config& c, std::string_view v) { return set_bool(c.expire_left_overs, v); }},
    Flag{.name = "finish-attempts",
         .group = protocol,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "20",
         .help = "how often the finish of an upload is tried before it is given up, visibly",
         .set =
             [](Config& c, std::string_view v) {
               return set_number(c.finish_attempts, v, {.least = 1, .most = 1'000'000});
             }},
    Flag{.name = "disable-download",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "refuse GET of uploads",
         .set = [](Config& c, std::string_view v) { return set_bool(c.disable_download, v); }},
    Flag{.name = "disable-termination",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "refuse DELETE of uploads",
         .set = [](Config& c, std::string_view v) { return set_bool(c.disable_termination, v); }},
    Flag{.name = "disable-termination-finished",
         .group = protocol,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "refuse DELETE of uploads that have all their bytes",
         .set = [](Config& c,
                   std::string_view v) { return set_bool(c.disable_termination_finished, v); }},
};

constexpr std::array cors_rows{
    Flag{.name = "disable-cors",
         .group = cors,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "send no CORS headers and look at no Origin",
         .set = [](Config& c, std::string_view v) { return set_bool(c.disable_cors, v); }},
    Flag{.name = "cors-allow-origin",
         .group = cors,
         .value = "REGEX",
         .standard = ".*",
         .help = "regular expression for the origins that are allowed; it matches anywhere in them "
                 "unless it has ^ and $. Others are refused",
         .set = set_cors_allow_origin},
    Flag{
        .name = "cors-allow-credentials",
        .group = cors,
        .kind = FlagKind::boolean,
        .standard = "false",
        .help = "allow credentials in cross-origin requests",
        .set = [](Config& c, std::string_view v) { return set_bool(c.cors_allow_credentials, v); }},
    Flag{.name = "cors-allow-methods",
         .group = cors,
         .value = "LIST",
         .help = "more methods that are allowed, with commas",
         .set = [](Config& c,
                   std::string_view v) { return set_token_list(c.cors_allow_methods, v); }},
    Flag{.name = "cors-allow-headers",
         .group = cors,
         .value = "LIST",
         .help = "more request headers that are allowed, with commas",
         .set = [](Config& c,
                   std::string_view v) { return set_token_list(c.cors_allow_headers, v); }},
    Flag{.name = "cors-max-age",
         .group = cors,
         .kind = FlagKind::number,
         .value = "SECONDS",
         .standard = "86400",
         .help = "how long browsers may remember an answer to a preflight request",
         .set =
             [](Config& c, std::string_view v) {
               return set_number(c.cors_max_age, v, {.most = UINT32_MAX});
             }},
    Flag{.name = "cors-expose-headers",
         .group = cors,
         .value = "LIST",
         .help = "more response headers that scripts may read, with commas",
         .set = [](Config& c,
                   std::string_view v) { return set_token_list(c.cors_expose_headers, v); }},
};

constexpr std::array digest_rows{
    Flag{.name = "digest",
         .group = protocol,
         .kind = FlagKind::choice,
         .value = "none|sha256",
         .standard = "none",
         .help = "make a digest of every upload while its bytes come, and tell it as Repr-Digest; "
                 "switches zero-copy off",
         .set = set_digest},
};

constexpr std::array storage_rows{
    Flag{.name = "upload-dir",
         .aliases = "dir",
         .group = file_storage,
         .kind = FlagKind::directory,
         .value = "DIR",
         .standard = "./data",
         .help = "directory for uploads, made when missing",
         .set = set_directory},
    Flag{.name = "dir-perms",
         .group = file_storage,
         .kind = FlagKind::mode,
         .value = "MODE",
         .standard = "0775",
         .help = "mode of new directories, octal, less the umask",
         .set = [](Config& c, std::string_view v) { return set_perms(c.files.dir_perms, v); }},
    Flag{.name = "file-perms",
         .group = file_storage,
         .kind = FlagKind::mode,
         .value = "MODE",
         .standard = "0664",
         .help = "mode of new files, octal, less the umask",
         .set = [](Config& c, std::string_view v) { return set_perms(c.files.file_perms, v); }},
    Flag{.name = "store",
         .group = file_storage,
         .kind = FlagKind::choice,
         .value = "file|memory|s3",
         .standard = "file",
         .help = "where uploads are kept; memory forgets them at exit, -s3-bucket says s3",
         .set = set_store},
    Flag{.name = "fsync",
         .group = file_storage,
         .kind = FlagKind::choice,
         .value = "off|finish|always",
         .standard = "finish",
         .help = "what survives a power cut: nothing, finished uploads, or every acknowledged byte",
         .set = set_fsync},
    Flag{.name = "locker",
         .group = file_storage,
         .kind = FlagKind::choice,
         .value = "file|memory|none",
         .help =
             "how uploads are locked: between processes on one directory (standard with files), "
             "within this process (standard in memory), or not at all",
         .set = set_locker},
    Flag{.name = "filelock-holder-poll-interval",
         .group = file_storage,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "5s",
         .help =
             "how often the holder of a lock looks whether somebody wants it, where polling is all "
             "there is",
         .set = [](Config& c, std::string_view v) { return set_duration(c.lock_holder_poll, v); }},
    Flag{
        .name = "filelock-acquirer-poll-interval",
        .group = file_storage,
        .kind = FlagKind::duration,
        .value = "DURATION",
        .standard = "2s",
        .help =
            "how often somebody who wants a lock looks whether it is free, where polling is all "
            "there is",
        .set = [](Config& c, std::string_view v) { return set_duration(c.lock_acquirer_poll, v); }},
};

constexpr std::array space_rows{
    Flag{.name = "store-size",
         .group = file_storage,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "0",
         .help =
             "most bytes that all uploads together may take, with what is still to come of them; "
             "0 for no limit",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.store_size, v); }},
    Flag{
        .name = "store-evict",
        .group = file_storage,
        .kind = FlagKind::choice,
        .value = "none|biggest|oldest",
        .standard = "none",
        .help =
            "with -store-size: unfinished uploads that are deleted when there is no room for a new "
            "one, which is otherwise refused (tusd 1: biggest)",
        .set = set_evict},
    Flag{.name = "store-evict-finished",
         .group = file_storage,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "with -store-evict: finished uploads are deleted, too",
         .set = [](Config& c, std::string_view v) { return set_bool(c.evict_finished, v); }},
    Flag{.name = "min-free-space",
         .group = file_storage,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "0",
         .help = "refuse uploads and their bytes where less than this would stay free on the file "
                 "system "
                 "of -upload-dir; 0 to fill it",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.files.min_free_space, v); }},
};

constexpr std::array monitoring_rows{
    Flag{.name = "expose-metrics",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "true",
         .help = "serve metrics for Prometheus",
         .set = [](Config& c, std::string_view v) { return set_bool(c.expose_metrics, v); }},
    Flag{.name = "metrics-path",
         .group = monitoring,
         .value = "PATH",
         .standard = "/metrics",
         .help = "URL path of the metrics",
         .set = set_metrics_path},
    Flag{.name = "expose-health",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "true",
         .help = "answer /healthz (the server runs) and /readyz (uploads can be taken)",
         .set = [](Config& c, std::string_view v) { return set_bool(c.expose_health, v); }},
    Flag{.name = "show-greeting",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "true",
         .help = "answer GET / with a page that says what is running here",
         .set = [](Config& c, std::string_view v) { return set_bool(c.show_greeting, v); }},
    Flag{.name = "show-startup-logs",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "true",
         .help = "print the configuration in use on stdout at the start",
         .set = [](Config& c, std::string_view v) { return set_bool(c.show_startup_logs, v); }},
    Flag{.name = "verbose",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help =
             "log every request, and refused ones with their reason; otherwise uploads, warnings "
             "and errors are logged (Go's tusd: true)",
         .set = [](Config& c, std::string_view v) { return set_bool(c.verbose, v); }},
    Flag{.name = "access-log",
         .group = monitoring,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "log a line for every request, with status, bytes and time",
         .set = [](Config& c, std::string_view v) { return set_bool(c.access_log, v); }},
    Flag{.name = "log-format",
         .group = monitoring,
         .kind = FlagKind::choice,
         .value = "text|json",
         .standard = "text",
         .help = "form of the log on stderr: key=value, or one JSON object a line",
         .set = set_log_format},
};

constexpr std::array timeout_rows{
    Flag{.name = "header-timeout",
         .group = timeouts,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "30s",
         .help =
             "end a connection whose request line and headers are not complete after this long; "
             "0 for never",
         .set = [](Config& c, std::string_view v) { return set_duration(c.header_timeout, v); }},
    Flag{.name = "network-timeout",
         .group = timeouts,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "60s",
         .help = "end a request whose client sends or takes nothing for this long; 0 for never",
         .set = [](Config& c, std::string_view v) { return set_duration(c.network_timeout, v); }},
    Flag{.name = "timeout",
         .group = timeouts,
         .kind = FlagKind::number,
         .value = "MS",
         .standard = "60000",
         .help = "the same in milliseconds, as tusd 1 has it; 0 for never",
         .set = set_timeout_ms},
    Flag{.name = "shutdown-timeout",
         .group = timeouts,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "10s",
         .help = "how long a stop waits for running requests",
         .set = [](Config& c, std::string_view v) { return set_duration(c.shutdown_timeout, v); }},
    Flag{.name = "acquire-lock-timeout",
         .group = timeouts,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "20s",
         .help = "how long a request waits for an upload that another one holds",
         .set = [](Config& c,
                   std::string_view v) { return set_duration(c.acquire_lock_timeout, v); }},
    Flag{.name = "request-completion-timeout",
         .group = timeouts,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "10s",
         .help = "how long a stop lets the store go on saving after its requests have ended",
         .set = [](Config& c,
                   std::string_view v) { return set_duration(c.request_completion_timeout, v); }},
};

constexpr std::array limit_rows{
    Flag{.name = "max-connections",
         .group = limits,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "0",
         .help = "most connections at once; for one more, the one that has waited longest for a "
                 "request is closed, else the new one is answered 503. 0 for what the limit of "
                 "descriptors allows, less what uploads need",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.max_connections, v); }},
    Flag{.name = "max-connections-per-address",
         .group = limits,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "0",
         .help =
             "most connections of one client (IPv6: of one /64), with -behind-proxy most requests "
             "at once of one client that the proxy names; beyond it 503. 0 for no limit",
         .set = [](Config& c,
                   std::string_view v) { return set_bytes(c.max_connections_per_address, v); }},
    Flag{.name = "max-uploads-per-address",
         .group = limits,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "0",
         .help =
             "most uploads that one client (as above) sends bytes of at the same time; beyond it "
             "503. 0 for no limit",
         .set = [](Config& c,
                   std::string_view v) { return set_bytes(c.max_uploads_per_address, v); }},
    Flag{.name = "min-upload-rate",
         .group = limits,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "0",
         .help = "end a request that brings fewer bytes a second than this, over 30 seconds of "
                 "waiting for it; 0 for no limit",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.min_upload_rate, v); }},
};

constexpr std::array performance_rows{
    Flag{.name = "threads",
         .group = performance,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "0",
         .help = "event loops; 0 for one per core",
         .set = [](Config& c,
                   std::string_view v) { return set_number(c.threads, v, {.most = 1024}); }},
    Flag{.name = "zero-copy",
         .group = performance,
         .kind = FlagKind::choice,
         .value = "auto|always|never",
         .standard = "auto",
         .help = "move bytes from socket to file without copying them",
         .set = set_zero_copy},
};

constexpr std::array other_rows{
    Flag{.name = "config",
         .group = other,
         .kind = FlagKind::file,
         .value = "FILE",
         .help = "read options from this TOML file; flags and environment come before it",
         .set = [](Config& c, std::string_view v) { return set_text(c.config_file, v); },
         .scope = FlagScope::not_in_file},
    Flag{.name = "check-config",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "check flags, environment, config file and directories, then exit: 0 when a start "
                 "would work, 2 when not",
         .set = [](Config& c, std::string_view v) { return set_bool(c.check_config, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "sweep",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "remove once what -expire-after says, then exit; also beside a running server, if "
                 "that one uses -locker=file",
         .set = [](Config& c, std::string_view v) { return set_bool(c.sweep, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "version",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "print the version and exit",
         .set = [](Config& c, std::string_view v) { return set_bool(c.show_version, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "help",
         .aliases = "h",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "print this text and exit",
         .set = [](Config& c, std::string_view v) { return set_bool(c.show_help, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "generate",
         .group = other,
         .kind = FlagKind::choice,
         .value = "man|bash|zsh|fish|markdown",
         .help = "print the manual page, a shell completion or docs/configuration.md",
         .set =
             [](Config& c, std::string_view v) {
               for (std::string_view form : {"man", "bash", "zsh", "fish", "markdown"}) {
                 if (v == form) return set_text(c.generate, v);
               }
               return Complaint("want man, bash, zsh, fish or markdown");
             },
         .scope = FlagScope::hidden},
};

template <std::size_t... n>
constexpr auto joined(const std::array<Flag, n>&... parts) {
  std::array<Flag, (n + ...)> all{};
  std::size_t at = 0;
  (
      [&] {
        for (const auto& row : parts) all[at++] = row;
      }(),
      ...);
  return all;
}

constexpr auto rows =
    joined(listening_rows, upload_rows, digest_rows, cors_rows, storage_rows, space_rows,
           monitoring_rows, limit_rows, timeout_rows, performance_rows, other_rows);

}  // namespace

std::span<const Flag> working_flags() { return rows; }

}  // namespace tus::app
