// What every public header starts with: which compilers are fit, and how symbols leave the library.
//
// Everything public lives in the inline namespace of the ABI version, so that two versions of the library in one
// process collide at link time and not at run time. Users write tus::store; headers and the sources that define what
// they declare write
//
//     namespace tus::inline v0 { ... }
//
#pragma once

#if defined(__clang__)
#if __clang_major__ < 19
#error "tus needs clang 19 or newer: older ones cannot compile std::expected of libstdc++."
#endif
#elif defined(__GNUC__) && __GNUC__ < 14
#error "tus needs g++ 14 or newer: older ones destroy temporaries twice in expressions with co_await."
#endif

// The library is built with hidden symbols. Functions and classes with out-of-line members that users call carry this.
#define TUS_EXPORT __attribute__((visibility("default")))
