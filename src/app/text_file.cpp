#include "app/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace tus::app {

std::expected<std::string, std::string> read_text_file(const std::string& path,
                                                       std::size_t largest) {
  errno = 0;
  const std::unique_ptr<std::FILE, decltype([](std::FILE* f) { std::fclose(f); })> file(
      std::fopen(path.c_str(), "re"));
  std::string text;
  if (file) {
    text.resize(largest + 1);
    text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  }
  if (!file || std::ferror(file.get()) != 0) {
    return std::unexpected("cannot read " + path + ": " + std::strerror(errno));
  }
  if (text.size() > largest) {
    return std::unexpected("cannot read " + path + ": it is larger than " +
                           std::to_string(largest) + " bytes");
  }
  return text;
}

}  // namespace tus::app
