// Symbol visibility and the versioned namespace of the library.
#pragma once

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 14
#error "tus needs clang 19 or g++ 14: older g++ destroys temporaries twice around co_await"
#endif

#if defined(TUS_SHARED)
#define TUS_EXPORT __attribute__((visibility("default")))
#else
#define TUS_EXPORT
#endif

// The inline namespace changes with every incompatible release, so that two of them linked into one
// program by accident fail at link time instead of at run time.
#define TUS_NAMESPACE_BEGIN \
  namespace tus {           \
  inline namespace v0 {
#define TUS_NAMESPACE_END \
  }                       \
  }
