// What an operator can say about S3.
#pragma once

#include <tus/s3_store.h>

#include <chrono>

namespace tus::app {

struct S3Config {
  S3Config() = default;

  S3StoreOptions store;
  bool skip_check = false;
  bool repair = false;  // instead of serving
  std::chrono::milliseconds repair_after{600'000};
};

}  // namespace tus::app
