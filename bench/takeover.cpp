#include "bench/body_memory.h"
#include "bench/modes.h"

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

class TakeoverRun {
 public:
  explicit TakeoverRun(const Options& options) : options_(options) {}

  void work();
  Figures figures();

 private:
  void one_takeover();

  const Options& options_;
  BodyMemory body_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> errors_{0};
  std::mutex mutex_;
  std::vector<Seconds> heads_;
  std::vector<Seconds> patches_;
};

void TakeoverRun::work() {
  while (next_.fetch_add(1) < options_.operations) {
    try {
      one_takeover();
    } catch (const std::exception& error) {
      if (errors_.fetch_add(1) < 5) std::fprintf(stderr, "loadgen: %s\n", error.what());
    }
  }
}

// The first connection stays open and says nothing more, as a phone that lost its network does.
void TakeoverRun::one_takeover() {
  const auto& target = options_.target;
  Connection first(target);
  first.send(create_head(target, options_.size, 0));
  const auto created = first.receive(Answer::with_body);
  if (created.status != 201) throw Failure("create: status " + std::to_string(created.status));
  first.send_head(patch_head(target, created.location, 0, options_.size));
  first.send_body(body_, 0, options_.size / 2);
  std::this_thread::sleep_for(options_.pause);

  Connection second(target);
  auto start = Clock::now();
  second.send(head_head(target, created.location));
  const auto state = second.receive(Answer::to_head);
  const Seconds head_time = Clock::now() - start;
  if (state.status != 200 || !state.offset) {
    throw Failure("HEAD: status " + std::to_string(state.status));
  }
  const auto rest = options_.size - *state.offset;
  start = Clock::now();
  second.send_head(patch_head(target, created.location, *state.offset, rest));
  second.send_body(body_, *state.offset, rest);
  const auto done = second.receive(Answer::with_body);
  const Seconds patch_time = Clock::now() - start;
  if (done.status != 204 || done.offset != options_.size) {
    throw Failure("PATCH: status " + std::to_string(done.status));
  }
  const std::lock_guard lock(mutex_);
  heads_.push_back(head_time);
  patches_.push_back(patch_time);
}

Figures TakeoverRun::figures() {
  Figures figures{{"operations", static_cast<double>(heads_.size())},
                  {"errors", static_cast<double>(errors_.load())}};
  add_percentiles(figures, "head", heads_);
  add_percentiles(figures, "patch", patches_);
  return figures;
}

}  // namespace

Figures run_takeover(const Options& options) {
  TakeoverRun run(options);
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < options.connections; ++i) {
      threads.emplace_back(&TakeoverRun::work, &run);
    }
  }
  return run.figures();
}

}  // namespace bench
