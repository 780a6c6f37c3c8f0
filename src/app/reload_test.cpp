#include "app/reload.h"

#include <gtest/gtest.h>

namespace tus::app {
namespace {

using namespace std::chrono_literals;

TEST(Reload, TakesOverWhatMayChange) {  // [STOP-5] [ABUSE-31]
  Config config;
  config.store = StoreKind::memory;
  auto server = make_server(config);
  ASSERT_TRUE(server) << server.error();
  EXPECT_EQ(server->settings->max_size, 0u);
  EXPECT_EQ(server->settings->network_timeout.load(), 60s);
  EXPECT_FALSE(server->logger->enabled(LogLevel::debug));

  auto changed = config;
  changed.max_size = 1000;
  changed.network_timeout = 5s;
  changed.acquire_lock_timeout = 6s;
  changed.shutdown_timeout = 7s;
  changed.request_completion_timeout = 8s;
  changed.header_timeout = 9s;
  changed.max_connections = 10;
  changed.max_connections_per_address = 11;
  changed.max_uploads_per_address = 12;
  changed.min_upload_rate = 13;
  changed.verbose = true;
  changed.port = 9;
  reload_config(config, *server, [&] { return changed; });
  EXPECT_EQ(server->settings->max_size, 1000u);
  EXPECT_EQ(server->settings->network_timeout.load(), 5s);
  EXPECT_EQ(server->settings->acquire_lock_timeout.load(), 6s);
  EXPECT_EQ(server->settings->header_timeout.load(), 9s);
  EXPECT_EQ(server->settings->max_connections, 10u);
  EXPECT_EQ(server->settings->max_connections_per_address, 11u);
  EXPECT_EQ(server->settings->max_uploads_per_address, 12u);
  EXPECT_EQ(server->settings->min_upload_rate, 13u);
  EXPECT_EQ(config.shutdown_timeout, 7s);
  EXPECT_EQ(config.request_completion_timeout, 8s);
  EXPECT_TRUE(server->logger->enabled(LogLevel::debug));
  EXPECT_EQ(config.port, 1080) << "this needs a restart";
}

TEST(Reload, AnErrorChangesNothing) {  // [STOP-6]
  Config config;
  config.store = StoreKind::memory;
  config.max_size = 5;
  auto server = make_server(config);
  ASSERT_TRUE(server) << server.error();
  reload_config(config, *server,
                []() -> std::expected<Config, std::string> { return std::unexpected("no"); });
  EXPECT_EQ(server->settings->max_size, 5u);
  EXPECT_EQ(config.max_size, 5u);
}

}  // namespace
}  // namespace tus::app
