// A client that sends bytes in given pieces and collects what comes back.
#pragma once

#include <tus/testing/raw_client.h>

#include <string>
#include <string_view>
#include <vector>

namespace tus::http_tests {

class WireClient {
 public:
  explicit WireClient(testing::RawClient connection) : connection_(std::move(connection)) {}

  // Each piece on its own: before the next one, the server has read it, where the socket can tell that.
  void send(const std::vector<std::string_view>& pieces);
  void half_close() { connection_.shutdown_write(); }

  // Waits for more bytes, or the end. False when neither comes within 10 seconds.
  bool receive();
  bool receive_to_end();

  const std::string& received() const noexcept { return received_; }
  bool at_end() const noexcept { return at_end_; }
  bool was_reset() const noexcept { return was_reset_; }

 private:
  void send_piece(std::string_view piece);
  void wait_until_read();
  void take();

  testing::RawClient connection_;
  std::string received_;
  bool at_end_ = false;
  bool was_reset_ = false;
};

}  // namespace tus::http_tests
