// How the values of the table's rows get into the configuration.
#pragma once

#include "app/flag_table.h"

namespace tus::app {

Complaint set_bool(bool& target, std::string_view text);
Complaint set_duration(std::chrono::milliseconds& target, std::string_view text);
Complaint set_text(std::string& target, std::string_view text);
Complaint set_bytes(std::uint64_t& target, std::string_view text);
Complaint set_perms(unsigned& target, std::string_view text);
// From 0 or `least` up to `most`.
struct Range {
  unsigned least = 0;
  unsigned most = 0;
};
Complaint set_number(unsigned& target, std::string_view text, Range range);

// Names of header fields or methods.
Complaint set_token_list(std::string& target, std::string_view text);
Complaint set_cors_allow_origin(Config& config, std::string_view text);

Complaint set_port(Config& config, std::string_view text);
Complaint set_base_path(Config& config, std::string_view text);
Complaint set_allowed_hosts(Config& config, std::string_view text);
Complaint set_metrics_path(Config& config, std::string_view text);
Complaint set_max_size(Config& config, std::string_view text);
Complaint set_timeout_ms(Config& config, std::string_view text);
Complaint set_directory(Config& config, std::string_view text);
Complaint set_store(Config& config, std::string_view text);
Complaint set_locker(Config& config, std::string_view text);
Complaint set_evict(Config& config, std::string_view text);
Complaint set_fsync(Config& config, std::string_view text);
Complaint set_digest(Config& config, std::string_view text);
Complaint set_zero_copy(Config& config, std::string_view text);
Complaint set_log_format(Config& config, std::string_view text);

}  // namespace tus::app
