#include "bench/body_memory.h"
#include "bench/modes.h"
#include "bench/process_stats.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <latch>
#include <memory>
#include <optional>
#include <thread>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What the workers of one run share.
struct Run {
  explicit Run(const Options& chosen) : options(chosen), ready(chosen.connections) {}

  const Options& options;
  BodyMemory body;
  std::latch ready;
  std::latch go{1};
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> errors{0};
  std::atomic<std::uint64_t> bytes{0};

  void count_error(const std::exception& error) {
    if (errors.fetch_add(1) < 5) std::fprintf(stderr, "loadgen: %s\n", error.what());
  }
};

// One connection and its thread's loop. It outlives the measured time, because closing costs the server.
class Worker {
 public:
  explicit Worker(Run& run) : run_(run), options_(run.options) {}

  void work();
  const std::vector<Seconds>& latencies() const { return latencies_; }

 private:
  void prepare();
  void one_operation();
  void post();
  std::string create();
  void patch(const std::string& path);
  void head();
  Response receive(Answer kind, int expected_status);
  void expect_offset(const Response& response, std::uint64_t offset);
  Connection& connection();

  Run& run_;
  const Options& options_;
  std::optional<Connection> connection_;
  std::string upload_;
  std::vector<Seconds> latencies_;
};

void Worker::work() {
  try {
    prepare();
  } catch (const std::exception& error) {
    run_.count_error(error);
  }
  run_.ready.count_down();
  run_.go.wait();
  while (run_.next.fetch_add(1) < options_.operations) {
    const auto start = Clock::now();
    try {
      one_operation();
      latencies_.emplace_back(Clock::now() - start);
    } catch (const std::exception& error) {
      run_.count_error(error);
      connection_.reset();
    }
  }
}

void Worker::prepare() {
  connection();
  if (options_.mode == Mode::head) upload_ = create();
}

void Worker::one_operation() {
  switch (options_.mode) {
    case Mode::post:
      return post();
    case Mode::create:
      create();
      return;
    case Mode::head:
      return head();
    default:
      return patch(create());
  }
}

void Worker::post() {
  auto& wire = connection();
  wire.send_head(create_head(options_.target, options_.size, options_.size));
  wire.send_body(run_.body, 0, options_.size);
  expect_offset(receive(Answer::with_body, 201), options_.size);
  run_.bytes += options_.size;
}

std::string Worker::create() {
  connection().send(create_head(options_.target, options_.size, 0));
  return receive(Answer::with_body, 201).location;
}

void Worker::patch(const std::string& path) {
  const auto step = options_.chunk > 0 ? options_.chunk : options_.size;
  for (std::uint64_t at = 0; at < options_.size;) {
    const auto part = std::min(step, options_.size - at);
    auto& wire = connection();
    wire.send_head(patch_head(options_.target, path, at, part));
    wire.send_body(run_.body, at, part);
    at += part;
    expect_offset(receive(Answer::with_body, 204), at);
    run_.bytes += part;
  }
}

void Worker::head() {
  connection().send(head_head(options_.target, upload_));
  expect_offset(receive(Answer::to_head, 200), 0);
}

Response Worker::receive(Answer kind, int expected_status) {
  auto response = connection_->receive(kind);
  if (response.status != expected_status) {
    throw Failure("status " + std::to_string(response.status) + " instead of " +
                  std::to_string(expected_status));
  }
  if (response.close) connection_.reset();
  return response;
}

void Worker::expect_offset(const Response& response, std::uint64_t offset) {
  if (response.offset != offset) {
    throw Failure("Upload-Offset is not " + std::to_string(offset));
  }
}

Connection& Worker::connection() {
  if (!connection_) connection_.emplace(options_.target);
  return *connection_;
}

}  // namespace

Figures run_throughput(const Options& options) {
  Run run(options);
  std::vector<std::unique_ptr<Worker>> workers;
  for (unsigned i = 0; i < options.connections; ++i) {
    workers.push_back(std::make_unique<Worker>(run));
  }
  std::vector<std::jthread> threads;
  for (auto& worker : workers) threads.emplace_back(&Worker::work, worker.get());
  run.ready.wait();
  const double cpu_before = cpu_seconds(options.pid);
  const auto start = Clock::now();
  run.go.count_down();
  threads.clear();  // joins
  const Seconds wall = Clock::now() - start;
  // The server tidies up behind its last answer; that is part of the work.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double cpu = cpu_seconds(options.pid) - cpu_before;

  std::vector<Seconds> latencies;
  for (const auto& worker : workers) {
    latencies.insert(latencies.end(), worker->latencies().begin(), worker->latencies().end());
  }
  const auto done = static_cast<double>(std::max<std::size_t>(latencies.size(), 1));
  const double gib = static_cast<double>(run.bytes.load()) / (1ull << 30);
  Figures figures{{"operations", static_cast<double>(latencies.size())},
                  {"errors", static_cast<double>(run.errors.load())},
                  {"seconds", wall.count()},
                  {"operations_per_second", done / wall.count()},
                  {"cpu_seconds", cpu},
                  {"cpu_us_per_operation", cpu / done * 1e6}};
  if (gib > 0) {
    figures.emplace_back("gib", gib);
    figures.emplace_back("gib_per_second", gib / wall.count());
    figures.emplace_back("cpu_seconds_per_gib", cpu / gib);
  }
  add_percentiles(figures, "latency", latencies);
  return figures;
}

}  // namespace bench
