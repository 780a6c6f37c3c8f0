// The rows of what Go's tusd has and this build does not, and of what is planned: known, so that a command line is
// refused for the right reason. A row moves to working_flags.cpp when its feature is built.
#include "app/flag_table.h"

#include <array>

namespace tus::app {

namespace {

using enum FlagGroup;
using enum FlagSupport;

// A text, empty by default, which then asks for nothing.
constexpr Flag text(FlagGroup group, std::string_view name, std::string_view value,
                    std::string_view lacks, std::string_view help) {
  return {.name = name,
          .group = group,
          .value = value,
          .help = help,
          .support = not_built,
          .lacks = lacks,
          .nothing = ""};
}

constexpr Flag on_off(FlagGroup group, std::string_view name, std::string_view lacks,
                      std::string_view help) {
  return {.name = name,
          .group = group,
          .kind = FlagKind::boolean,
          .standard = "false",
          .help = help,
          .support = not_built,
          .lacks = lacks,
          .nothing = "false"};
}

// A detail of a feature: its default asks for nothing as long as the feature is not asked for.
constexpr Flag detail(FlagGroup group, FlagKind kind, std::string_view name, std::string_view value,
                      std::string_view standard, std::string_view lacks, std::string_view help) {
  return {.name = name,
          .group = group,
          .kind = kind,
          .value = value,
          .standard = standard,
          .help = help,
          .support = not_built,
          .lacks = lacks,
          .nothing = standard};
}

constexpr Flag pprof(FlagKind kind, std::string_view name, std::string_view value,
                     std::string_view standard, std::string_view help) {
  auto flag =
      detail(monitoring, kind, name, value, standard, "profile itself as Go programs do", help);
  flag.support = ignored;
  return flag;
}

constexpr Flag for_good(Flag flag) {
  flag.support = never;
  return flag;
}

constexpr std::string_view no_tls = "serve HTTPS; put a proxy in front for that";
constexpr std::string_view no_gcs = "store uploads in Google Cloud Storage";
constexpr std::string_view no_azure = "store uploads in Azure Blob Storage";
constexpr std::string_view no_grpc_hooks = "call hooks over gRPC";

constexpr std::array rows{
    on_off(listening, "enable-h2c", "speak HTTP/2", "accept HTTP/2 without TLS"),

    text(tls, "tls-certificate", "FILE", no_tls, "file with the certificate and its chain"),
    text(tls, "tls-key", "FILE", no_tls, "file with the key of the certificate"),
    detail(tls, FlagKind::choice, "tls-mode", "tls13|tls12|tls12-strong", "tls12", no_tls,
           "versions and ciphers of TLS that are accepted"),

    on_off(protocol, "enable-experimental-protocol", "speak the IETF's resumable uploads",
           "speak the IETF's draft of resumable uploads beside tus 1.0"),

    text(gcs, "gcs-bucket", "NAME", no_gcs, "bucket to store uploads in"),
    text(gcs, "gcs-object-prefix", "PREFIX", no_gcs, "what the names of objects begin with"),

    text(azure, "azure-storage", "NAME", no_azure, "container to store uploads in"),
    text(azure, "azure-container-access-type", "TYPE", no_azure,
         "access to a container that is made: blob, container or nothing"),
    text(azure, "azure-blob-access-tier", "TIER", no_azure,
         "tier of new blobs: archive, cool, hot or nothing"),
    text(azure, "azure-object-prefix", "PREFIX", no_azure, "what the names of objects begin with"),
    text(azure, "azure-endpoint", "URL", no_azure, "endpoint of the service"),

    text(grpc_hooks, "hooks-grpc", "ADDRESS", no_grpc_hooks, "where events are sent to"),
    detail(grpc_hooks, FlagKind::number, "hooks-grpc-retry", "N", "3", no_grpc_hooks,
           "attempts to deliver an event"),
    detail(grpc_hooks, FlagKind::duration, "hooks-grpc-backoff", "DURATION", "1s", no_grpc_hooks,
           "wait between two attempts"),
    on_off(grpc_hooks, "hooks-grpc-secure", no_grpc_hooks, "use TLS"),
    text(grpc_hooks, "hooks-grpc-server-tls-certificate", "FILE", no_grpc_hooks,
         "certificate of the server"),
    text(grpc_hooks, "hooks-grpc-client-tls-certificate", "FILE", no_grpc_hooks,
         "certificate of ours"),
    text(grpc_hooks, "hooks-grpc-client-tls-key", "FILE", no_grpc_hooks, "key of our certificate"),
    text(grpc_hooks, "hooks-grpc-forward-headers", "LIST", no_grpc_hooks,
         "request headers that are passed on"),

    for_good(text(plugin_hooks, "hooks-plugin", "PATH", "load Go plugins, and none will",
                  "Go plugin with hooks")),

    pprof(FlagKind::boolean, "expose-pprof", "", "false", "serve Go's profiles"),
    pprof(FlagKind::text, "pprof-path", "PATH", "/debug/pprof/", "URL path of the profiles"),
    pprof(FlagKind::number, "pprof-block-profile-rate", "N", "0", "rate of the blocking profile"),
    pprof(FlagKind::number, "pprof-mutex-profile-rate", "N", "0", "rate of the mutex profile"),
};

}  // namespace

std::span<const Flag> missing_flags() { return rows; }

}  // namespace tus::app
