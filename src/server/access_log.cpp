#include "server/access_log.h"

#include "base/digits.h"

namespace tus::server {

void log_access(Logger& logger, const AccessLine& line) noexcept {
  using base::Digits;
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  const Digits status(static_cast<std::uint64_t>(line.status));
  const Digits in(line.bytes_in);
  const Digits out(line.bytes_out);
  const Digits micros(
      static_cast<std::uint64_t>(duration_cast<microseconds>(line.duration).count()));
  const bool broken = line.delivery == Delivery::broken;
  logger.log(LogLevel::info, "Access",
             {{"status", status.view(), LogKind::number},
              {"bytesIn", in.view(), LogKind::number},
              {"bytesOut", out.view(), LogKind::number},
              {"durationUs", micros.view(), LogKind::number},
              {"broken", broken ? "true" : ""},
              {"method", line.method},
              {"path", line.path},
              {"remote", line.remote},
              {"requestId", line.request_id}});
}

}  // namespace tus::server
