#include "app/reload.h"

namespace tus::app {

void reload_config(Config& current, Server& server, const ReadConfig& read) {
  const auto fresh = read();
  if (!fresh) {
    server.logger->log(LogLevel::error, "ConfigNotReloaded", {{"error", fresh.error()}});
    return;
  }
  current.verbose = fresh->verbose;
  current.max_size = fresh->max_size;
  current.max_connections = fresh->max_connections;
  current.max_connections_per_address = fresh->max_connections_per_address;
  current.max_uploads_per_address = fresh->max_uploads_per_address;
  current.min_upload_rate = fresh->min_upload_rate;
  current.header_timeout = fresh->header_timeout;
  current.network_timeout = fresh->network_timeout;
  current.acquire_lock_timeout = fresh->acquire_lock_timeout;
  current.shutdown_timeout = fresh->shutdown_timeout;
  current.request_completion_timeout = fresh->request_completion_timeout;
  apply_live(server, current);
  server.logger->log(LogLevel::info, "ConfigReloaded", {});
}

}  // namespace tus::app
