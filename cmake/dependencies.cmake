# The libraries we use. What is found here is installed by tools/install_deps.

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS headers json)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(CURL 7.87 REQUIRED)
find_package(pugixml 1.13 REQUIRED CONFIG)
find_package(prometheus-cpp REQUIRED CONFIG)
# toml++ is used as headers, so that the server needs no library of it at run time.
find_path(TUS_TOML_INCLUDE toml++/toml.h REQUIRED)
if(TUS_BUILD_TESTS)
  find_package(GTest REQUIRED CONFIG)
  # Of tests/faultfs.
  find_path(TUS_FUSE_INCLUDES fuse3/fuse.h REQUIRED)
  find_library(TUS_FUSE_LIBRARY fuse3 REQUIRED)
  add_library(tus_fuse INTERFACE)
  target_include_directories(tus_fuse SYSTEM INTERFACE "${TUS_FUSE_INCLUDES}")
  target_link_libraries(tus_fuse INTERFACE "${TUS_FUSE_LIBRARY}" Threads::Threads)
endif()

# Asio, Beast and JSON as every layer that uses them sees them: the same definitions everywhere, because they share
# one precompiled header, and because Asio's functions are compiled once, in src/net/boost_impl.cpp.
add_library(tus_boost INTERFACE)
target_link_libraries(tus_boost INTERFACE Boost::headers Boost::json Threads::Threads)
set(TUS_ASIO_DEFINITIONS BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION)
target_compile_definitions(tus_boost INTERFACE ${TUS_ASIO_DEFINITIONS} BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_BEAST_USE_STD_STRING_VIEW)
