// The rows about hooks.
#include "app/flag_setters.h"
#include "app/flag_table.h"
#include "app/flag_values.h"
#include "hooks/common/events.h"

#include <algorithm>
#include <array>

namespace tus::app {

namespace {

using enum FlagGroup;

constexpr unsigned largest_exit_code = 599;  // or status
constexpr unsigned most_processes = 10'000;
constexpr unsigned most_attempts = 1'000;

Complaint set_events(Config& config, std::string_view text) {
  const auto events = hooks::EventSet::parse(text);
  if (!events) return events.error();
  return set_text(config.hooks.events, text);
}

Complaint set_format(Config& config, std::string_view text) {
  if (text != "v2" && text != "legacy") return "want v2 or legacy";
  config.hooks.format = text == "v2" ? HookFormat::v2 : HookFormat::legacy;
  return {};
}

// The command line of Go's tusd took seconds here for a long time.
Complaint set_backoff(Config& config, std::string_view text) {
  const auto seconds = parse_number(text);
  constexpr std::uint64_t longest = 86'400;
  if (!seconds) return set_duration(config.hooks.http_backoff, text);
  if (*seconds > longest) return "want at most 86400 seconds";
  config.hooks.http_backoff = std::chrono::seconds(*seconds);
  return {};
}

// Much shorter, and a server that is busy for a moment is taken for dead.
Complaint set_lease_time(Config& config, std::string_view text) {
  constexpr std::chrono::seconds shortest{3};
  constexpr std::chrono::hours longest{1};
  auto complaint = set_duration(config.hooks.lease_time, text);
  if (!complaint.empty()) return complaint;
  const auto said = config.hooks.lease_time;
  return said < shortest || said > longest ? "want 3s to 1h" : Complaint();
}

Complaint set_url(Config& config, std::string_view text) {
  const bool is_url = text.empty() || text.starts_with("http://") || text.starts_with("https://");
  if (!is_url) return "want a URL that begins with http:// or https://";
  return set_text(config.hooks.url, text);
}

Complaint set_attempts(Config& config, std::string_view text) {
  auto complaint = set_number(config.hooks.http_retry, text, {0, most_attempts});
  // Go's: none at all is still one.
  config.hooks.http_retry = std::max(config.hooks.http_retry, 1u);
  return complaint;
}

constexpr std::array rows{
    Flag{.name = "hooks-enabled-events",
         .group = hooks,
         .value = "LIST",
         .standard = "pre-create,post-create,post-receive,post-terminate,post-finish",
         .help = "events for which hooks are called, with commas; also pre-finish, pre-terminate "
                 "and pre-access",
         .set = set_events},
    Flag{.name = "hooks-format",
         .group = hooks,
         .kind = FlagKind::choice,
         .value = "v2|legacy",
         .standard = "v2",
         .help = "messages of tusd's version 2, or the flat ones from before it",
         .set = set_format},
    Flag{.name = "hooks-stop-code",
         .group = hooks,
         .kind = FlagKind::number,
         .value = "CODE",
         .standard = "0",
         .help = "with -hooks-format=legacy: exit code with which a program for post-receive "
                 "ends an upload; 0 for none",
         .set =
             [](Config& c, std::string_view v) {
               return set_number(c.hooks.stop_code, v, {0, largest_exit_code});
             }},
    Flag{.name = "progress-hooks-interval",
         .group = hooks,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "1s",
         .help = "how often post-receive is sent for a running upload",
         .set = [](Config& c,
                   std::string_view v) { return set_duration(c.hooks.progress_interval, v); }},
    Flag{
        .name = "hooks-access-cache",
        .group = hooks,
        .kind = FlagKind::duration,
        .value = "DURATION",
        .standard = "5s",
        .help =
            "how long a permission of pre-access counts for more requests of the same client for "
            "the same upload; 0 to ask for each",
        .set = [](Config& c, std::string_view v) { return set_duration(c.hooks.access_cache, v); }},
    Flag{.name = "hooks-confine-paths",
         .group = hooks,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "refuse storage paths of hooks that lead out of the upload directory",
         .set = [](Config& c, std::string_view v) { return set_bool(c.hooks.confine_paths, v); }},
    Flag{.name = "hooks-retry-delay",
         .group = hooks,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "1s",
         .help =
             "wait before a post-create, post-finish or post-terminate that failed is sent again; "
             "doubles each time, up to 5 minutes",
         .set = [](Config& c, std::string_view v) { return set_duration(c.hooks.retry_delay, v); }},
    Flag{.name = "hooks-give-up-after",
         .group = hooks,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "24h",
         .help = "age at which such an event is given up; -replay-hooks sends it again",
         .set = [](Config& c,
                   std::string_view v) { return set_duration(c.hooks.give_up_after, v); }},
    Flag{.name = "hooks-lease-time",
         .group = hooks,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "1m0s",
         .help = "with -s3-bucket: a server that does not say for so long that it lives has its "
                 "events delivered by another one",
         .set = set_lease_time},

    Flag{.name = "hooks-dir",
         .group = file_hooks,
         .kind = FlagKind::file,
         .value = "DIR",
         .help = "directory with the hook programs",
         .set = [](Config& c, std::string_view v) { return set_text(c.hooks.directory, v); }},
    Flag{
        .name = "hooks-file-concurrency",
        .group = file_hooks,
        .kind = FlagKind::number,
        .value = "N",
        .standard = "0",
        .help =
            "most programs that run at the same time; 0 for two for each processor, and at least 8",
        .set =
            [](Config& c, std::string_view v) {
              return set_number(c.hooks.file_concurrency, v, {0, most_processes});
            }},
    Flag{
        .name = "hooks-file-timeout",
        .group = file_hooks,
        .kind = FlagKind::duration,
        .value = "DURATION",
        .standard = "1m0s",
        .help = "time after which a program, and all that it started, is killed",
        .set = [](Config& c, std::string_view v) { return set_duration(c.hooks.file_timeout, v); }},

    Flag{.name = "hooks-http",
         .group = http_hooks,
         .value = "URL",
         .help = "where events are sent to",
         .set = set_url,
         .secrecy = FlagSecrecy::secret},
    Flag{.name = "hooks-http-forward-headers",
         .group = http_hooks,
         .value = "LIST",
         .help = "request headers that are passed on",
         .set = [](Config& c,
                   std::string_view v) { return set_token_list(c.hooks.forward_headers, v); }},
    Flag{.name = "hooks-http-retry",
         .group = http_hooks,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "3",
         .help = "attempts to deliver an event",
         .set = set_attempts},
    Flag{.name = "hooks-http-backoff",
         .group = http_hooks,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "1s",
         .help = "wait between two attempts; a bare number means seconds",
         .set = set_backoff},
    Flag{
        .name = "hooks-http-timeout",
        .group = http_hooks,
        .kind = FlagKind::duration,
        .value = "DURATION",
        .standard = "15s",
        .help = "time for all attempts together",
        .set = [](Config& c, std::string_view v) { return set_duration(c.hooks.http_timeout, v); }},
    Flag{
        .name = "hooks-http-size-limit",
        .group = http_hooks,
        .kind = FlagKind::number,
        .value = "BYTES",
        .standard = "5120",
        .help = "largest reply that is read",
        .set = [](Config& c, std::string_view v) { return set_bytes(c.hooks.http_size_limit, v); }},
    Flag{
        .name = "hooks-http-skip-verify",
        .group = http_hooks,
        .kind = FlagKind::boolean,
        .standard = "false",
        .help = "do not check the certificate of the endpoint: only for tests",
        .set = [](Config& c, std::string_view v) { return set_bool(c.hooks.http_skip_verify, v); }},
    Flag{.name = "hooks-http-secret",
         .group = http_hooks,
         .value = "SECRET",
         .help = "key with which requests are signed, so that the endpoint knows them for ours",
         .set = [](Config& c, std::string_view v) { return set_text(c.hooks.http_secret, v); },
         .secrecy = FlagSecrecy::secret},

    Flag{.name = "dead-hooks",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "print the events that were given up, one a line, and exit",
         .set = [](Config& c, std::string_view v) { return set_bool(c.list_dead_hooks, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "replay-hooks",
         .group = other,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help =
             "let the server that runs, or starts next, send the events again that were given up, "
             "and exit",
         .set = [](Config& c, std::string_view v) { return set_bool(c.replay_hooks, v); },
         .scope = FlagScope::command_line_only},
};

}  // namespace

std::span<const Flag> hook_flags() { return rows; }

}  // namespace tus::app
