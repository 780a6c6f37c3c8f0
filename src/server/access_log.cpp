#include "server/access_log.h"

#include <array>
#include <charconv>

namespace tus::server {

namespace {

// A number as text, without memory of its own.
class Digits {
 public:
  explicit Digits(std::uint64_t number)
      : size_(static_cast<std::size_t>(
            std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr - text_.data())) {}

  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 20> text_{};
  std::size_t size_;
};

}  // namespace

void log_access(Logger& logger, const AccessLine& line) noexcept {
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
