// What a port throws, as an error.
#pragma once

#include <tus/error.h>

#include <exception>

namespace tus::core {

// Internal, with what the exception says in the detail.
inline Error error_from(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const std::exception& error) {
    return Error(ErrorCode::internal, error.what());
  } catch (...) {
    return Error(ErrorCode::internal, "unknown exception");
  }
}

}  // namespace tus::core
