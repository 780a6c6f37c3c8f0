#include "net/loop_runners.h"

#include <algorithm>
#include <chrono>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace net {

namespace {

constexpr std::size_t scratch_bytes = 256 * 1024;
// A job that is seen by two looks in a row blocks.
constexpr std::chrono::milliseconds look_interval{2};
constexpr int looks_before_sleep = 5;
// What the page cache answers takes tens of microseconds. Once may be the kernel that gave the processor to
// somebody else; twice in a row is a disk.
constexpr std::chrono::microseconds quick_job{500};
constexpr std::uint32_t slow_jobs_at_most = 2;
// After a job that blocked, so many go to the pool before the next is tried here.
constexpr std::uint32_t jobs_for_the_pool = 64;
// When so many threads hang in jobs, hardly anything is tried here.
constexpr std::size_t many_runners = 64;
constexpr std::uint32_t jobs_when_many_hang = 1 << 16;

}  // namespace

struct LoopRunners::Loop {
  // One thread at a time runs it: Asio then spares itself the wake-ups for sharing work.
  class Context : public asio::io_context {
   public:
    Context() : asio::io_context(1) {}
    // What waits on one loop may own sockets and timers of another, so all loops drop their handlers
    // before the first one is destroyed.
    void drop_handlers() noexcept { shutdown(); }
  };

  Context context;

  // Of the thread that runs the loop.
  std::vector<BlockingPool::Job> jobs;
  std::uint32_t left_to_the_pool = 0;
  std::uint32_t slow_jobs = 0;  // in a row

  std::mutex mutex;         // guards what follows
  std::uint32_t owner = 0;  // grows with every hand-over; who has an older number has lost the loop
  std::uint64_t job_number = 0;
  bool in_job = false;

  std::uint64_t seen_job = 0;  // of the watcher
};

struct LoopRunners::Runner {
  std::thread thread;
  std::condition_variable wake;  // with LoopRunners::mutex_
  Loop* loop = nullptr;          // nothing: parked; with LoopRunners::mutex_
  std::uint32_t owner = 0;
  std::unique_ptr<std::byte[]> scratch;
};

namespace {

// What take() and in_job() know of the thread they are called on. Set only while it is true.
thread_local void* handlers_of = nullptr;
thread_local bool job_runs = false;

}  // namespace

LoopRunners::LoopRunners(unsigned loops) {
  for (unsigned i = 0; i < std::max(loops, 1u); ++i) loops_.push_back(std::make_unique<Loop>());
  for (auto& loop : loops_) guards_.push_back(asio::make_work_guard(loop->context));
  try {
    std::lock_guard lock(mutex_);
    for (auto& loop : loops_) new_runner()->loop = loop.get();
    watcher_ = std::thread([this] { watch(); });
  } catch (...) {
    stop();
    throw;
  }
}

LoopRunners::~LoopRunners() {
  stop();
  for (auto& loop : loops_) loop->jobs.clear();
  for (auto& loop : loops_) loop->context.drop_handlers();
}

std::vector<asio::any_io_executor> LoopRunners::executors() const {
  std::vector<asio::any_io_executor> out;
  for (const auto& loop : loops_) out.emplace_back(loop->context.get_executor());
  return out;
}

LoopFigures LoopRunners::figures() const {
  std::lock_guard lock(mutex_);
  LoopFigures figures;
  figures.loops = static_cast<unsigned>(loops_.size());
  figures.threads = static_cast<unsigned>(runners_.size());
  // Every loop has a thread; who has none and is not parked has lost it to another one.
  const auto with_work = runners_.size() - std::min(parked_.size(), runners_.size());
  figures.failures = failures_.load(std::memory_order_relaxed);
  figures.blocked = static_cast<unsigned>(with_work - std::min(loops_.size(), with_work));
  return figures;
}

void LoopRunners::stop() noexcept {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto* runner : parked_) runner->wake.notify_one();
  }
  watcher_wake_.notify_one();
  // The watcher is the only one who starts runners, so it ends first.
  if (watcher_.joinable()) watcher_.join();
  guards_.clear();
  for (auto& loop : loops_) loop->context.stop();
  for (auto& runner : runners_) {
    if (runner->thread.joinable()) runner->thread.join();
  }
}

bool LoopRunners::take(BlockingPool::Job& job) {
  auto* loop = static_cast<Loop*>(handlers_of);
  if (loop == nullptr) return false;
  if (loop->left_to_the_pool > 0) {
    --loop->left_to_the_pool;
    return false;
  }
  loop->jobs.push_back(std::move(job));
  return true;
}

bool LoopRunners::in_job() noexcept { return job_runs; }

void LoopRunners::run(Runner& self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    self.wake.wait(lock, [&] { return stopping_ || self.loop != nullptr; });
    if (self.loop == nullptr) return;
    lock.unlock();
    run_loop(self);
    lock.lock();
    self.loop = nullptr;
    parked_.push_back(&self);
  }
}

void LoopRunners::run_loop(Runner& self) {
  auto& loop = *self.loop;
  while (do_jobs(self)) {
    handlers_of = &loop;
    const bool goes_on = run_handler(loop);
    handlers_of = nullptr;
    if (!goes_on) return;
  }
}

// False when the loop was stopped. What a handler throws has come out of Asio itself, for want of memory: the coroutine
// that was about to wait is destroyed, and with it its connection. All others go on.
bool LoopRunners::run_handler(Loop& loop) {
  try {
    return loop.context.run_one() > 0;
  } catch (...) {
    failures_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
}

// False when the loop is somebody else's now.
bool LoopRunners::do_jobs(Runner& self) {
  auto& loop = *self.loop;
  while (!loop.jobs.empty()) {
    auto job = std::move(loop.jobs.back());
    loop.jobs.pop_back();
    {
      std::lock_guard lock(loop.mutex);
      ++loop.job_number;
      loop.in_job = true;
    }
    note_job();
    job_runs = true;
    const auto begun = std::chrono::steady_clock::now();
    job({self.scratch.get(), scratch_bytes});
    const bool slow = std::chrono::steady_clock::now() - begun > quick_job;
    job_runs = false;
    job = nullptr;
    std::lock_guard lock(loop.mutex);
    if (loop.owner != self.owner) return false;
    loop.in_job = false;
    // Too short to lose the loop for it, too long for all who wait.
    loop.slow_jobs = slow ? loop.slow_jobs + 1 : 0;
    if (loop.slow_jobs >= slow_jobs_at_most) loop.left_to_the_pool = jobs_for_the_pool;
  }
  return true;
}

void LoopRunners::note_job() noexcept {
  if (watching_.load(std::memory_order_relaxed)) return;
  {
    // Orders this with the watcher's decision to sleep.
    std::lock_guard lock(mutex_);
    watching_.store(true, std::memory_order_relaxed);
  }
  watcher_wake_.notify_one();
}

void LoopRunners::watch() {
  std::uint64_t last_sum = 0;
  int idle_looks = 0;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (idle_looks >= looks_before_sleep) {
      watching_.store(false, std::memory_order_relaxed);
      // A job that began before the store may have seen it too late to wake us, so look once more. One
      // that begins after this look sees it: both go through the loop's mutex.
      if (!anybody_in_job()) {
        watcher_wake_.wait(
            lock, [this] { return stopping_ || watching_.load(std::memory_order_relaxed); });
      }
      watching_.store(true, std::memory_order_relaxed);
      idle_looks = 0;
    }
    watcher_wake_.wait_for(lock, look_interval, [this] { return stopping_; });
    if (stopping_) return;
    std::uint64_t sum = 0;
    for (auto& loop : loops_) {
      look_after(*loop);
      sum += loop->seen_job;
    }
    idle_looks = sum == last_sum && !anybody_in_job() ? idle_looks + 1 : 0;
    last_sum = sum;
  }
}

bool LoopRunners::anybody_in_job() {
  return std::ranges::any_of(loops_, [](auto& loop) {
    std::lock_guard lock(loop->mutex);
    return loop->in_job;
  });
}

void LoopRunners::look_after(Loop& loop) {
  {
    std::lock_guard lock(loop.mutex);
    const bool same = loop.in_job && loop.job_number == loop.seen_job;
    loop.seen_job = loop.job_number;
    if (!same) return;
  }
  // Before the owner loses the loop: a loop without a thread would stand still for ever.
  auto* runner = spare_runner();
  if (runner != nullptr && !hand_over(loop, *runner)) parked_.push_back(runner);
}

// With mutex_ held. Nothing when the machine has no more threads: the loop then waits for its job, and
// the next look tries again.
LoopRunners::Runner* LoopRunners::spare_runner() noexcept {
  if (!parked_.empty()) {
    auto* runner = parked_.back();
    parked_.pop_back();
    return runner;
  }
  try {
    return new_runner();
  } catch (...) {
    return nullptr;
  }
}

// With mutex_ held. It waits for a loop.
LoopRunners::Runner* LoopRunners::new_runner() {
  parked_.reserve(runners_.size() + 1);
  runners_.push_back(std::make_unique<Runner>());
  auto* runner = runners_.back().get();
  try {
    // Not touched, and so not resident, before the first job that uses it.
    runner->scratch = std::make_unique_for_overwrite<std::byte[]>(scratch_bytes);
    runner->thread = std::thread([this, runner] { run(*runner); });
  } catch (...) {
    runners_.pop_back();
    throw;
  }
  return runner;
}

// With mutex_ held. False when the job has just ended. Else its thread does not touch the loop any more:
// it will find that its number is too old.
bool LoopRunners::hand_over(Loop& loop, Runner& runner) {
  {
    std::lock_guard lock(loop.mutex);
    if (!loop.in_job || loop.job_number != loop.seen_job) return false;
    runner.owner = ++loop.owner;
    loop.in_job = false;
  }
  const bool many = runners_.size() >= many_runners && parked_.empty();
  loop.left_to_the_pool = many ? jobs_when_many_hang : jobs_for_the_pool;
  runner.loop = &loop;
  runner.wake.notify_one();
  return true;
}

}  // namespace net

TUS_NAMESPACE_END
