#include <tus/version.h>

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "-version" || arg == "--version") {
      std::printf("Version: %.*s\n", static_cast<int>(tus::version().size()),
                  tus::version().data());
      return 0;
    }
  }
  std::fputs("tusd: only -version so far\n", stderr);
  return 1;
}
