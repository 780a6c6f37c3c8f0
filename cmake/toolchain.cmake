# The compilers we accept, ccache, and the flags that every target of the project shares (tus_flags).

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} is refused: g++ before 14 destroys aggregate temporaries and lambda captures "
    "twice in expressions with co_await, which corrupts memory at run time. Use clang 19 or newer "
    "(cmake --preset dev), or g++ 14 or newer.")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "clang ${CMAKE_CXX_COMPILER_VERSION} is refused: clang before 19 cannot compile std::expected of libstdc++, "
    "and has known coroutine code generation bugs. Use clang 19 or newer (cmake --preset dev).")
elseif(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang|GNU")
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER_ID} is not supported: use clang 19 or newer, or g++ 14 or newer.")
endif()

if(NOT TUS_SANITIZE MATCHES "^(address|thread|fuzzer)?$")
  message(FATAL_ERROR "TUS_SANITIZE=${TUS_SANITIZE}: must be address, thread, fuzzer or empty.")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

find_program(TUS_CCACHE ccache)
if(TUS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these, ccache refuses everything that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${TUS_CCACHE})
endif()

add_library(tus_flags INTERFACE)
# -fPIC everywhere: the same objects serve the static and the shared library, and one precompiled header serves all.
target_compile_options(tus_flags INTERFACE
  -fPIC -fno-omit-frame-pointer
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wold-style-cast -Wcast-align
  -Wimplicit-fallthrough -Wextra-semi -Wundef -Wformat=2 -Wvla
  $<$<BOOL:${TUS_WERROR}>:-Werror>)
target_compile_definitions(tus_flags INTERFACE _GLIBCXX_ASSERTIONS $<$<BOOL:${BUILD_SHARED_LIBS}>:TUS_SHARED>)

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(tus_flags INTERFACE
    -Wimplicit-int-conversion -Wshorten-64-to-32 -Wthread-safety -Wloop-analysis -Wheader-hygiene
    -Wunreachable-code-return -Wsuggest-override -Wzero-as-null-pointer-constant -Wrange-loop-analysis
    # Options are passed as structs with defaults: naming only some members is the point.
    -Wno-missing-designated-field-initializers
    # Lets ccache recognise an unchanged precompiled header.
    "SHELL:-Xclang -fno-pch-timestamp")
  find_program(TUS_LLD NAMES ld.lld-19 ld.lld)
  if(TUS_LLD)
    target_link_options(tus_flags INTERFACE -fuse-ld=lld --ld-path=${TUS_LLD})
  endif()
endif()

if(TUS_SANITIZE STREQUAL "address")
  # The counters let the fuzz targets of this build see what an input reaches; they cost a few instructions a branch.
  set(TUS_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    list(APPEND TUS_SANITIZE_FLAGS -fsanitize-coverage=inline-8bit-counters,pc-table)
  endif()
elseif(TUS_SANITIZE STREQUAL "thread")
  set(TUS_SANITIZE_FLAGS -fsanitize=thread)
elseif(TUS_SANITIZE STREQUAL "fuzzer")
  set(TUS_SANITIZE_FLAGS -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
else()
  set(TUS_SANITIZE_FLAGS "")
  # Hardening that costs next to nothing; sanitizers bring their own.
  target_compile_options(tus_flags INTERFACE -fstack-protector-strong
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  target_link_options(tus_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
target_compile_options(tus_flags INTERFACE ${TUS_SANITIZE_FLAGS})
target_link_options(tus_flags INTERFACE ${TUS_SANITIZE_FLAGS})

if(TUS_LTO)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang" OR NOT TUS_LLD)
    message(FATAL_ERROR "TUS_LTO needs clang and lld.")
  endif()
  target_compile_options(tus_flags INTERFACE -flto=thin)
  # The cache makes a relink after a change in one file cheap.
  target_link_options(tus_flags INTERFACE -flto=thin -Wl,--thinlto-cache-dir=${PROJECT_BINARY_DIR}/lto.cache
    -Wl,--gc-sections)
endif()
