// What the contract cannot ask: memory that runs out.
#include <tus/memory_locker.h>
#include <tus/testing/coro_test.h>
#include <tus/testing/fake_lease.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// Allocations of this thread until one fails; negative: none does.
thread_local long left = -1;

void* allocate(std::size_t size) {
  if (left == 0) throw std::bad_alloc();
  if (left > 0) --left;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tus {
namespace {

using testing::FakeHolder;
using testing::run;
using testing::TestLoop;
using LeaseResult = Result<std::unique_ptr<Lease>>;

const char* const name = "an-id-that-is-too-long-to-fit-into-a-small-string-without-an-allocation";

Awaitable<bool> acquire_without_memory(Locker& locker, long allocations, Deadline deadline) {
  auto id = *UploadId::parse(name);
  auto holder = std::make_shared<FakeHolder>();
  bool thrown = false;
  left = allocations;
  try {
    (void)co_await locker.acquire(std::move(id), deadline, std::move(holder));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  left = -1;
  co_return thrown;
}

// Each allocation fails once.  [LOCK-12]
TEST(MemoryLocker, HoldsNothingWhenMemoryRunsOut) {
  const auto locker = make_memory_locker();
  const auto id = *UploadId::parse(name);
  long failing = 0;
  while (run(acquire_without_memory(*locker, failing, Deadline::never()))) {
    EXPECT_FALSE(*run(locker->is_held(id))) << "allocation " << failing;
    ++failing;
  }
  EXPECT_GE(failing, 2) << "the table and the lease need memory";
  EXPECT_FALSE(*run(locker->is_held(id)));
}

Awaitable<void> keep(Locker& locker, std::unique_ptr<Lease>& lease) {
  lease = *co_await locker.acquire(*UploadId::parse(name), Deadline::never(),
                                   std::make_shared<FakeHolder>());
}

Awaitable<void> wait_without_memory(Locker& locker, long allocations, bool& thrown) {
  thrown = co_await acquire_without_memory(locker, allocations, Deadline::never());
}

// The same for one that waits: whether it fails before or after the lease is handed to it.  [LOCK-12]
TEST(MemoryLocker, HoldsNothingWhenMemoryRunsOutInTheLine) {
  const auto locker = make_memory_locker();
  const auto id = *UploadId::parse(name);
  bool thrown = true;
  long failing = 0;
  for (; thrown; ++failing) {
    std::unique_ptr<Lease> lease;
    run(keep(*locker, lease));
    TestLoop loop;
    loop.spawn(wait_without_memory(*locker, failing, thrown));
    loop.run_until_idle();
    // It has used up its memory up to here, and now needs some more.
    lease.reset();
    loop.run();
    EXPECT_FALSE(*run(locker->is_held(id))) << "allocation " << failing;
  }
  EXPECT_GE(failing, 4);
}

}  // namespace
}  // namespace tus
