// Hooks that are programs in a directory, each named as its event.
#pragma once

#include "hooks/common/transport.h"

#include <tus/async.h>
#include <tus/blocking_pool.h>
#include <tus/logger.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <thread>

namespace tus::hooks {

struct FileHookOptions {
  std::filesystem::path directory;  // absolute
  Format format = Format::v2;
  // Programs that run at once; others wait in order of arrival, as long as their deadlines allow.
  unsigned concurrency = std::max(8u, 2 * std::thread::hardware_concurrency());
  std::chrono::milliseconds timeout{30000};  // of one program, from its start
  std::size_t largest_output = 64 << 10;  // bytes on stdout; a program that writes more is killed
};

// Starting a program blocks a thread until its file is loaded (0.15 ms when a processor is free at once, however
// large we are; tens when none is, or the file is on a network), so that is a job for `pool`. Whoever runs is looked
// after on `executor`, whose loop must go on until close() has returned. The environment of the programs is ours at
// this moment.
std::unique_ptr<Transport> make_file_transport(FileHookOptions options,
                                               std::shared_ptr<BlockingPool> pool,
                                               asio::any_io_executor executor,
                                               std::shared_ptr<Logger> logger);

}  // namespace tus::hooks
