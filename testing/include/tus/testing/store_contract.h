// What every store has to do. A backend's test says how to make one, and gets all tests for it:
//
//   const int registered = tus::testing::add_store_contract("memory", make_backend);
//
// Each test gets a backend of its own, with nothing in it.
#pragma once

#include <tus/store.h>
#include <tus/testing/script_source.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

TUS_NAMESPACE_BEGIN

namespace testing {

// Limits of a product, never excuses for a bug of ours. The reason stands where one is set. Each has tests
// of its own: that the product is really like that.
struct StoreDeviations {
  StoreDeviations() = default;

  bool forgets_at_restart = false;   // restart() gives an empty store
  bool ignores_old_tokens = false;   // a writer with an older token is not refused by the store
  bool reads_only_finished = false;  // read() does not give bytes of an unfinished upload
  bool commits_in_pieces = false;  // a commit that is cut off may have kept the first of the bytes
  bool arrives_late = false;       // what a killed process has sent may still arrive after its end
};

// A store with its storage.
class StoreBackend {
 public:
  virtual ~StoreBackend() = default;

  virtual StoreDeviations deviations() const { return {}; }
  virtual Store& store() = 0;
  // As if the process had been killed and started again: a new store over what is stored. The old one has
  // to stay in memory, for a call that is still in the middle, until the next restart() or the end.
  virtual void restart() = 0;
  // After so many more steps towards the storage (system calls, requests) nothing reaches it: as if the
  // process had been killed there. Until restart(). Not asked of a store that forgets.
  virtual void die_after(int steps) { (void)steps; }
  // The first `count` bytes of an upload; by default the store is asked.
  virtual std::string peek(const UploadId& id, std::uint64_t count);
  // At most so many bytes fit, those of all uploads together. Called while nothing is stored.
  virtual void limit_space(std::uint64_t bytes) = 0;

  // So many bytes are joined in more than one step.
  virtual std::uint64_t more_than_one_step() const { return 80 << 20; }

  // Instead of `usual` uploads, rounds or moments to fail at: fewer, at least two, where each takes long.
  virtual int repeats(int usual) const { return usual; }

  enum class FinishFault : std::uint8_t {
    none,
    fails,        // nothing is done
    answer_lost,  // it is done, but reported as failed
    hangs,  // nothing is done, and no answer comes before the deadline; where a store cannot be
            // kept from answering: fails
  };
  // So long a creation or a finish takes at most while nothing is wrong: what hangs is waited for that long.
  virtual std::chrono::milliseconds time_of_a_finish() const {
    return std::chrono::milliseconds(20);
  }
  // What becomes of each finish() from now on. Only asked of a store that needs_finish.
  virtual void fail_finishes(FinishFault fault) { (void)fault; }

  // What bodies are moved into files with, so that it can fail and run out of space. Empty: pwrite(2).
  virtual FileWriter file_writer() { return {}; }
};

using MakeStoreBackend = std::function<std::unique_ptr<StoreBackend>()>;

// Before main(); returns the number of tests.
int add_store_contract(const std::string& name, MakeStoreBackend make);

}  // namespace testing

TUS_NAMESPACE_END
