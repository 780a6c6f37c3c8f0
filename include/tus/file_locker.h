// Leases that other processes on the same directory see, Go's tusd among them.
#pragma once

#include <tus/blocking_pool.h>
#include <tus/locker.h>
#include <tus/logger.h>

#include <chrono>
#include <filesystem>
#include <memory>

TUS_NAMESPACE_BEGIN

struct FileLockerOptions {
  FileLockerOptions() = default;

  std::filesystem::path directory = "./data";  // that of the file store; has to be there
  unsigned dir_perms = 0775;
  unsigned file_perms = 0664;
  // How often a holder looks whether a process wants its lock that cannot ring, such as Go's; and how often
  // somebody who waits looks at the least.
  std::chrono::milliseconds holder_poll{5'000};
  std::chrono::milliseconds acquirer_poll{2'000};
};

// `pool` does the file work. Error: store_unavailable with a sentence for the operator in detail().
TUS_EXPORT Result<std::shared_ptr<Locker>> make_file_locker(FileLockerOptions options,
                                                            std::shared_ptr<BlockingPool> pool,
                                                            std::shared_ptr<Logger> logger);

// Grants everything to everybody: only where something else lets one request at a time to an upload.
TUS_EXPORT std::shared_ptr<Locker> make_no_locker();

TUS_NAMESPACE_END
