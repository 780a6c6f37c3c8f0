// The rows about S3.
#include "app/flag_setters.h"
#include "app/flag_table.h"
#include "app/flag_values.h"

#include <array>

namespace tus::app {

namespace {

using enum FlagGroup;

constexpr unsigned most_parts_at_once = 10'000;

// It says by itself that uploads go there, as with Go's tusd.
Complaint set_bucket(Config& config, std::string_view text) {
  if (!text.empty()) config.store = StoreKind::s3;
  return set_text(config.s3.store.bucket, text);
}

Complaint set_endpoint(Config& config, std::string_view text) {
  const bool other_scheme = text.find("://") != std::string_view::npos &&
                            !text.starts_with("http://") && !text.starts_with("https://");
  if (other_scheme) return "want a URL that begins with http:// or https://";
  return set_text(config.s3.store.endpoint, text);
}

Complaint set_encryption(Config& config, std::string_view text) {
  auto& to = config.s3.store.encryption;
  if (text.empty())
    to = S3Encryption::as_bucket;
  else if (text == "AES256")
    to = S3Encryption::sse_s3;
  else if (text == "aws:kms")
    to = S3Encryption::sse_kms;
  else
    return "want AES256 or aws:kms";
  return {};
}

constexpr std::array rows{
    Flag{.name = "s3-bucket",
         .group = s3,
         .value = "NAME",
         .help = "bucket to store uploads in; keys as AWS's own tools find them",
         .set = set_bucket},
    Flag{
        .name = "s3-object-prefix",
        .group = s3,
        .value = "PREFIX",
        .help = "what the names of objects begin with",
        .set = [](Config& c, std::string_view v) { return set_text(c.s3.store.object_prefix, v); }},
    Flag{.name = "s3-metadata-object-prefix",
         .group = s3,
         .value = "PREFIX",
         .help = "the same for .info and .part objects, where theirs differs",
         .set = [](Config& c,
                   std::string_view v) { return set_text(c.s3.store.metadata_object_prefix, v); }},
    Flag{.name = "s3-endpoint",
         .group = s3,
         .value = "URL",
         .help = "endpoint of a service that is compatible with S3; AWS without it",
         .set = set_endpoint},
    Flag{.name = "s3-part-size",
         .group = s3,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "52428800",
         .help = "preferred size of a part of an upload",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.s3.store.part_size, v); }},
    Flag{.name = "s3-min-part-size",
         .group = s3,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "5242880",
         .help = "smallest part that the service accepts",
         .set = [](Config& c,
                   std::string_view v) { return set_bytes(c.s3.store.min_part_size, v); }},
    Flag{.name = "s3-max-buffered-parts",
         .group = s3,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "20",
         .help = "most parts of an upload that are on their way or wait for that, in memory",
         .set =
             [](Config& c, std::string_view v) {
               return set_number(c.s3.store.max_buffered_parts, v, {1, most_parts_at_once});
             }},
    Flag{.name = "s3-concurrent-part-uploads",
         .group = s3,
         .kind = FlagKind::number,
         .value = "N",
         .standard = "10",
         .help = "parts that are sent at the same time",
         .set =
             [](Config& c, std::string_view v) {
               return set_number(c.s3.store.concurrent_part_uploads, v, {1, most_parts_at_once});
             }},
    Flag{.name = "s3-max-memory",
         .group = s3,
         .kind = FlagKind::number,
         .value = "BYTES",
         .standard = "268435456",
         .help = "most memory for bodies on their way, of all uploads together",
         .set = [](Config& c, std::string_view v) { return set_bytes(c.s3.store.max_memory, v); }},
    Flag{.name = "s3-single-instance",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "no other server writes into the bucket: what is remembered is not checked",
         .set = [](Config& c,
                   std::string_view v) { return set_bool(c.s3.store.single_instance, v); }},
    Flag{
        .name = "s3-storage-class",
        .group = s3,
        .value = "CLASS",
        .help = "storage class of the data, e.g. STANDARD_IA; the bucket's without it",
        .set = [](Config& c, std::string_view v) { return set_text(c.s3.store.storage_class, v); }},
    Flag{.name = "s3-server-side-encryption",
         .group = s3,
         .value = "AES256|aws:kms",
         .help = "encryption at rest; the bucket's without it",
         .set = set_encryption},
    Flag{.name = "s3-kms-key-id",
         .group = s3,
         .value = "ID",
         .help = "with aws:kms: the key; the account's without it",
         .set = [](Config& c, std::string_view v) { return set_text(c.s3.store.kms_key, v); }},
    Flag{
        .name = "s3-cache-control",
        .group = s3,
        .value = "VALUE",
        .help = "Cache-Control of the objects",
        .set = [](Config& c, std::string_view v) { return set_text(c.s3.store.cache_control, v); }},
    Flag{.name = "s3-content-disposition",
         .group = s3,
         .value = "VALUE",
         .help = "Content-Disposition of the objects",
         .set = [](Config& c,
                   std::string_view v) { return set_text(c.s3.store.content_disposition, v); }},
    Flag{.name = "s3-disable-content-hashes",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "over HTTP: do not hash what is sent",
         .set = [](Config& c,
                   std::string_view v) { return set_bool(c.s3.store.disable_content_hashes, v); }},
    Flag{.name = "s3-disable-ssl",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "HTTP instead of HTTPS where -s3-endpoint does not say which",
         .set = [](Config& c, std::string_view v) { return set_bool(c.s3.store.disable_ssl, v); }},
    Flag{.name = "s3-transfer-acceleration",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "use AWS's accelerated endpoint",
         .set = [](Config& c,
                   std::string_view v) { return set_bool(c.s3.store.transfer_acceleration, v); }},
    Flag{
        .name = "s3-log-api-calls",
        .group = s3,
        .kind = FlagKind::boolean,
        .standard = "false",
        .help = "log every request to the service",
        .set = [](Config& c, std::string_view v) { return set_bool(c.s3.store.log_api_calls, v); }},
    Flag{.name = "s3-skip-check",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "start without asking whether the bucket can be used",
         .set = [](Config& c, std::string_view v) { return set_bool(c.s3.skip_check, v); }},
    Flag{.name = "s3-repair",
         .group = s3,
         .kind = FlagKind::boolean,
         .standard = "false",
         .help = "mend what a crash has left in the bucket, so that Go's tusd can go on with it, "
                 "then exit; no server may be working on the bucket",
         .set = [](Config& c, std::string_view v) { return set_bool(c.s3.repair, v); },
         .scope = FlagScope::command_line_only},
    Flag{.name = "s3-repair-after",
         .group = s3,
         .kind = FlagKind::duration,
         .value = "DURATION",
         .standard = "10m",
         .help = "leave uploads alone that have changed since; 0s where it is sure that no server "
                 "is running",
         .set = [](Config& c, std::string_view v) { return set_duration(c.s3.repair_after, v); },
         .scope = FlagScope::command_line_only},
};

}  // namespace

std::span<const Flag> s3_flags() { return rows; }

}  // namespace tus::app
