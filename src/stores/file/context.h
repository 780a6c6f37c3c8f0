// What the uploads of one file store share.
#pragma once

#include "async/run_blocking.h"
#include "stores/file/durable.h"
#include "stores/file/file_io.h"
#include "stores/file/handover.h"
#include "stores/file/layout.h"
#include "stores/file/records.h"

#include <tus/blocking_pool.h>
#include <tus/clock.h>
#include <tus/file_store.h>
#include <tus/logger.h>

#include <memory>
#include <optional>
#include <string>

namespace tus::file_store {

// What a test replaces; the defaults are the machine's.
struct Machine {
  std::shared_ptr<Syscalls> calls = std::make_shared<Syscalls>();
  std::string boot_id;            // empty: asked from the kernel
  bool background_thread = true;  // false: somebody calls keeper->sync_due()
};

struct Context {
  Context(FileStoreOptions o, Machine m, std::shared_ptr<BlockingPool> p, std::shared_ptr<Clock> c,
          std::shared_ptr<Logger> l, Fd root, std::string path);

  bool always() const noexcept { return options.fsync == FsyncPolicy::always; }
  // How long a job takes that makes something safe.
  Blocking syncing() const noexcept { return off() ? Blocking::briefly : Blocking::for_long; }
  // How long an append's job takes: it may end with a sync.
  Blocking appending() const noexcept { return always() ? Blocking::for_long : Blocking::briefly; }
  bool off() const noexcept { return options.fsync == FsyncPolicy::off; }

  // How much may be written now without using what has to stay free; very much where nothing has to.
  Result<std::uint64_t> space_to_use();
  // Error: no_space, when so many bytes more would use it.
  Status has_space_for(std::uint64_t bytes);

  // What a call of the store answers. When the storage does not work, a look at the directory comes before it.
  template <class T>
  T checked(T result) {
    if (!result && result.error() == ErrorCode::store_unavailable && layout.reopen_if_gone()) {
      logger->log(LogLevel::warn, "DirectoryOpenedAgain", {{"path", layout.path()}});
    }
    return result;
  }

  FileStoreOptions options;
  Machine machine;
  std::shared_ptr<BlockingPool> pool;
  std::shared_ptr<Clock> clock;
  std::shared_ptr<Logger> logger;
  FileIo io;
  Layout layout;
  Records records;
  std::shared_ptr<Handover> handover;
  std::optional<DurableKeeper> keeper;  // fsync=finish
};

// Opens the directory, makes what is missing in it, and probes it for writing.
Result<std::unique_ptr<Context>> make_context(FileStoreOptions options, Machine machine,
                                              std::shared_ptr<BlockingPool> pool,
                                              std::shared_ptr<Clock> clock,
                                              std::shared_ptr<Logger> logger);

}  // namespace tus::file_store
