// What every store has to do. A backend's test says how to make one, and gets all tests for it:
//
//   const int registered = tus::testing::add_store_contract("memory", make_backend);
//
// Each test gets a backend of its own, with nothing in it.
#pragma once

#include <tus/store.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

TUS_NAMESPACE_BEGIN

namespace testing {

// Limits of a product, never excuses for a bug of ours. The reason stands where one is set.
struct StoreDeviations {
  StoreDeviations() = default;

  bool forgets_at_restart = false;   // nothing outlives the store object
  bool has_no_size_limit = false;    // limit_space() cannot be done in a test
  bool finish_cannot_fail = false;   // fail_next_finish() cannot be done in a test
  bool ignores_old_tokens = false;   // a writer with an older token is not refused by the store
  bool reads_only_finished = false;  // read() does not give bytes of an unfinished upload
};

// A store with its storage.
class StoreBackend {
 public:
  virtual ~StoreBackend() = default;

  virtual StoreDeviations deviations() const { return {}; }
  virtual Store& store() = 0;
  // As if the process had died and started again: a new store over what is stored.
  virtual void restart() {}
  // The first `count` bytes of an upload; by default the store is asked.
  virtual std::string peek(const UploadId& id, std::uint64_t count);
  // From now on at most `bytes` more fit.
  virtual void limit_space(std::uint64_t bytes) { (void)bytes; }

  enum class FinishFault : std::uint8_t {
    fails,        // nothing was done
    answer_lost,  // it was done, but reported as failed
    hangs,        // nothing was done, and no answer came before the deadline
  };
  virtual void fail_next_finish(FinishFault fault) { (void)fault; }
};

using MakeStoreBackend = std::function<std::unique_ptr<StoreBackend>()>;

// Before main(); returns the number of tests.
int add_store_contract(const std::string& name, MakeStoreBackend make);

}  // namespace testing

TUS_NAMESPACE_END
