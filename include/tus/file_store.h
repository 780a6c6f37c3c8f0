// Uploads as files in a directory, laid out as Go's tusd does it.
#pragma once

#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/logger.h>
#include <tus/metrics_sink.h>
#include <tus/store.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

TUS_NAMESPACE_BEGIN

enum class FsyncPolicy : std::uint8_t {
  off,     // acknowledged bytes survive the death of the process, not a power cut
  finish,  // and a finished upload survives a power cut; unfinished ones fall back to a durable prefix
  always,  // and every acknowledged byte survives a power cut
};

struct FileStoreOptions {
  FileStoreOptions() = default;

  std::filesystem::path directory = "./data";  // made when missing
  FsyncPolicy fsync = FsyncPolicy::finish;
  // So much stays free on the file system: beyond it creations and appends end with no_space.
  std::uint64_t min_free_space = 0;
  unsigned dir_perms = 0775;
  unsigned file_perms = 0664;
  std::uint64_t durable_bytes = 256ull << 20;  // fsync=finish: a running upload is made durable
  std::chrono::milliseconds durable_interval{30'000};  //   at least this often
  std::shared_ptr<MetricsSink> metrics;                // none: nobody hears how long syncs take
};

// `pool` runs all file work. The directory is made, and probed for writing, before this returns; error:
// store_unavailable with a sentence for the operator in detail().
TUS_EXPORT Result<std::shared_ptr<Store>> make_file_store(FileStoreOptions options,
                                                          std::shared_ptr<BlockingPool> pool,
                                                          std::shared_ptr<Clock> clock,
                                                          std::shared_ptr<Logger> logger);

TUS_NAMESPACE_END
