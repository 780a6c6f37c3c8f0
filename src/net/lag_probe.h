// How late an event loop is: what it does at a time that was agreed on comes the later the busier it is.
#pragma once

#include <tus/async.h>

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace tus::net {

class LagProbe : public std::enable_shared_from_this<LagProbe> {
 public:
  using Report = std::function<void(std::chrono::nanoseconds)>;
  static constexpr std::chrono::milliseconds standard_interval{1000};

  // Goes on until stop(). `report` is called on the executor.
  static std::shared_ptr<LagProbe> start(const asio::any_io_executor& executor, Report report,
                                         std::chrono::milliseconds interval = standard_interval);
  // Any thread.
  void stop();

 private:
  LagProbe(const asio::any_io_executor& executor, Report report,
           std::chrono::milliseconds interval);
  void wait();

  asio::steady_timer timer_;
  Report report_;
  std::chrono::milliseconds interval_;
  bool stopped_ = false;
};

}  // namespace tus::net
