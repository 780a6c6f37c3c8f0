#include "app/start_lines.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>

namespace tus::app {

namespace {

std::string megabytes(std::uint64_t bytes) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.2fMB", static_cast<double>(bytes) / 1024 / 1024);
  return text.data();
}

}  // namespace

std::vector<std::string> start_lines(const Config& config, const std::string& extensions,
                                     const std::vector<ListenerLine>& listeners) {
  std::vector<std::string> lines;
  if (config.store == StoreKind::memory) {
    lines.push_back("Using memory as storage; uploads are forgotten at exit.");
  } else if (config.store == StoreKind::s3) {
    const auto& s3 = config.s3.store;
    lines.push_back(s3.endpoint.empty() ? "Using 's3://" + s3.bucket + "' as S3 bucket for storage."
                                        : "Using '" + s3.endpoint + "/" + s3.bucket +
                                              "' as S3 endpoint and bucket for storage.");
  } else {
    const auto absolute = std::filesystem::absolute(config.files.directory).lexically_normal();
    auto text = absolute.string();
    if (text.size() > 1 && text.ends_with('/')) text.pop_back();
    lines.push_back("Using '" + text + "' as directory storage.");
  }
  lines.push_back("Using " + megabytes(config.max_size) + " as maximum size.");
  lines.push_back("Supported tus extensions: " + extensions);
  for (const auto& listener : listeners) {
    lines.push_back("Using " + listener.address +
                    (listener.is_unix ? " as socket to listen." : " as address to listen."));
  }
  lines.push_back("Using " + config.location.origin + config.base_path + " as the base path.");
  if (config.expose_metrics)
    lines.push_back("Using " + config.metrics_path + " as the metrics path.");
  for (const auto& listener : listeners) {
    if (listener.is_unix) continue;
    lines.push_back("You can now upload files to: http://" + listener.address + config.base_path);
  }
  return lines;
}

std::string go_date_prefix(std::chrono::system_clock::time_point now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - seconds).count();
  const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
  std::tm local{};
  ::localtime_r(&time, &local);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y/%m/%d %H:%M:%S", &local);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s.%06d ", date.data(), static_cast<int>(micros));
  return text.data();
}

}  // namespace tus::app
