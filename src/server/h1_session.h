// The life of one HTTP/1.1 connection: read a head, have it answered, deal with what is left, repeat.
#pragma once

#include "server/accepted_socket.h"
#include "server/connection.h"
#include "server/context.h"
#include "server/h1_exchange.h"
#include "server/head_parser.h"
#include "server/loop.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tus::server {

class H1Session final : public LoopMember {
 public:
  // Takes the descriptor over, but not when it throws.
  H1Session(AcceptedSocket socket, std::shared_ptr<Loop> loop, std::shared_ptr<Context> context);

  ~H1Session() override;

  // Owns the session until the connection has ended. Runs on the session's loop.
  static Awaitable<void> run(std::unique_ptr<H1Session> session);

  void check_deadline(Deadline::Point now) override { connection_->check_deadline(now); }
  bool soft_stop() override;
  void hard_stop() override;
  void go_away() override;

 private:
  enum class Next : std::uint8_t { request, hang_up, rejected };

  void register_here();
  Awaitable<bool> read_request();
  Awaitable<void> answer_request();
  Awaitable<Next> read_head();
  Deadline head_deadline(bool begun, Deadline::Point since) const;
  Awaitable<Next> turn_away();
  Next make_room(HeadScanner& scanner);
  Next head_not_received(Connection::Waited why, bool begun);
  std::optional<Next> receive_head(HeadScanner& scanner);
  std::optional<Next> scan_head(std::string_view data, HeadScanner& scanner);
  // `data` begins with the request that is refused.
  Next reject(Rejection rejection, std::string_view data);
  std::string request_id(const RequestHead& head);

  Awaitable<bool> finish_request();
  Awaitable<void> send_rejection();
  Awaitable<void> linger();
  void log_rejection() const;
  void report_rejection(std::uint64_t bytes, Delivery delivery) const noexcept;
  void log_failure(std::exception_ptr thrown) const;

  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Context> context_;
  Admission::Place place_;
  std::unique_ptr<ClientShares::Share> share_;
  std::uint64_t number_;
  std::uint64_t requests_ = 0;
  Rejection rejection_;
  bool rejects_head_ = false;  // the refused request is a HEAD: its answer has no body
  bool registered_ = false;
  std::optional<H1Exchange> exchange_;  // the request that is being answered
};

}  // namespace tus::server
