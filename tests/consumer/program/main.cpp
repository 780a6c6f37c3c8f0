#include <tus/version.h>

#include <iostream>

int main() {
  std::cout << "linked with tus " << tus::version() << '\n';
  return tus::version().empty() ? 1 : 0;
}
