// What an operator can say about S3.
#pragma once

#include <tus/s3_store.h>

namespace tus::app {

struct S3Config {
  S3Config() = default;

  S3StoreOptions store;
  bool skip_check = false;
};

}  // namespace tus::app
