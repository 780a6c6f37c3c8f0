#include "net/lag_probe.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace tus::net {

LagProbe::LagProbe(const asio::any_io_executor& executor, Report report,
                   std::chrono::milliseconds interval)
    : timer_(executor), report_(std::move(report)), interval_(interval) {}

std::shared_ptr<LagProbe> LagProbe::start(const asio::any_io_executor& executor, Report report,
                                          std::chrono::milliseconds interval) {
  std::shared_ptr<LagProbe> probe(new LagProbe(executor, std::move(report), interval));
  asio::post(probe->timer_.get_executor(), [probe] { probe->wait(); });
  return probe;
}

void LagProbe::stop() {
  asio::post(timer_.get_executor(), [self = shared_from_this()] {
    self->stopped_ = true;
    self->timer_.cancel();
  });
}

void LagProbe::wait() {
  if (stopped_) return;
  timer_.expires_after(interval_);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
    if (ec || self->stopped_) return;
    self->report_(std::chrono::steady_clock::now() - self->timer_.expiry());
    self->wait();
  });
}

}  // namespace tus::net
