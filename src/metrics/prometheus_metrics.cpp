#include "metrics/prometheus_metrics.h"

#include "metrics/counters.h"
#include "metrics/exposition.h"
#include "metrics/lifetimes.h"

#include <utility>

namespace tus::metrics {

struct PrometheusMetrics::State {
  explicit State(std::shared_ptr<Clock> c) : clock(std::move(c)), lifetimes(clock->now()) {}

  std::shared_ptr<Clock> clock;
  Counters counters;
  Lifetimes lifetimes;
};

namespace {

template <class Enum>
constexpr std::size_t index_of(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

}  // namespace

PrometheusMetrics::PrometheusMetrics(std::shared_ptr<Clock> clock)
    : state_(std::make_unique<State>(std::move(clock))) {}

PrometheusMetrics::~PrometheusMetrics() = default;

void PrometheusMetrics::request(std::string_view method) noexcept {
  const auto index = index_of_method(method);
  if (index < tusd_methods) state_->counters.requests[index].add();
}

void PrometheusMetrics::error(ErrorCode code) noexcept {
  state_->counters.errors[index_of(code)].add();
}

void PrometheusMetrics::bytes_received(std::uint64_t bytes) noexcept {
  state_->counters.bytes_received.add(bytes);
}

void PrometheusMetrics::upload_created(const UploadInfo& upload) noexcept {
  state_->counters.created.add();
  state_->lifetimes.begin(upload.id.str(), state_->clock->now());
}

void PrometheusMetrics::upload_finished(const UploadInfo& upload) noexcept {
  auto& counters = state_->counters;
  counters.finished.add();
  counters.upload_sizes.observe(upload.length.value_or(upload.offset));
  // Not of uploads from before this process.
  const auto lifetime = state_->lifetimes.end(upload.id.str(), state_->clock->now());
  if (lifetime) counters.upload_lifetimes.observe(*lifetime);
}

void PrometheusMetrics::upload_terminated(const UploadInfo& upload) noexcept {
  state_->counters.terminated.add();
  (void)state_->lifetimes.end(upload.id.str(), state_->clock->now());
}

void PrometheusMetrics::connection_opened() noexcept {
  state_->counters.connections_open.add();
  state_->counters.connections_accepted.add();
}

void PrometheusMetrics::connection_closed() noexcept {
  state_->counters.connections_open.subtract();
}

void PrometheusMetrics::connection_refused(Refusal why) noexcept {
  state_->counters.connections_refused.at(index_of(why)).add();
}

void PrometheusMetrics::connection_shed() noexcept { state_->counters.connections_shed.add(); }

void PrometheusMetrics::request_refused(Refusal why) noexcept {
  state_->counters.requests_refused.at(index_of(why) - index_of(Refusal::per_address)).add();
}

void PrometheusMetrics::request_begun() noexcept { state_->counters.requests_in_flight.add(); }
void PrometheusMetrics::request_ended() noexcept { state_->counters.requests_in_flight.subtract(); }

void PrometheusMetrics::request_done(const RequestFigures& figures) noexcept {
  state_->counters.durations.observe(figures);
}

void PrometheusMetrics::request_rejected(int status) noexcept {
  auto& rejected = state_->counters.rejected;
  const auto index = static_cast<std::size_t>(status);
  if (status >= 0 && index < rejected.size()) rejected[index].add();
}

void PrometheusMetrics::body_moved(BytePath path, std::uint64_t bytes) noexcept {
  state_->counters.bodies[index_of(path)].add(bytes);
}

void PrometheusMetrics::content_moved(BytePath path, std::uint64_t bytes) noexcept {
  state_->counters.contents[index_of(path)].add(bytes);
}

void PrometheusMetrics::first_byte_stored(std::chrono::nanoseconds after) noexcept {
  state_->counters.first_byte.observe(after);
}

void PrometheusMetrics::loop_was_late(std::chrono::nanoseconds lag) noexcept {
  state_->counters.loop_lag.observe(lag);
}

void PrometheusMetrics::lock_waited(LockOutcome outcome,
                                    std::chrono::nanoseconds duration) noexcept {
  state_->counters.locks[index_of(outcome)].observe(duration);
}

void PrometheusMetrics::upload_taken_over() noexcept { state_->counters.taken_over.add(); }
void PrometheusMetrics::finish_failed() noexcept { state_->counters.finish_failures.add(); }
void PrometheusMetrics::upload_abandoned() noexcept { state_->counters.abandoned.add(); }

void PrometheusMetrics::upload_expired(std::uint64_t bytes) noexcept {
  state_->counters.expired.add();
  state_->counters.swept_bytes.add(bytes);
}

void PrometheusMetrics::left_over_removed(std::uint64_t bytes) noexcept {
  state_->counters.left_overs.add();
  state_->counters.swept_bytes.add(bytes);
}

void PrometheusMetrics::upload_evicted() noexcept { state_->counters.evicted.add(); }

void PrometheusMetrics::hook_called(HookEvent event) noexcept {
  state_->counters.hooks_called[index_of(event)].add();
}

void PrometheusMetrics::hook_failed(HookEvent event) noexcept {
  state_->counters.hooks_failed[index_of(event)].add();
}

void PrometheusMetrics::hook_took(HookTransport transport, HookEvent event, HookOutcome outcome,
                                  std::chrono::nanoseconds duration) noexcept {
  auto& calls = state_->counters.hook_calls[index_of(transport)][index_of(event)];
  calls.durations.observe(duration);
  if (outcome == HookOutcome::failed) calls.failures.add();
}

void PrometheusMetrics::hook_given_up(HookEvent event) noexcept {
  state_->counters.hooks_given_up[index_of(event)].add();
}

void PrometheusMetrics::synced(SyncTarget target, SyncOutcome outcome,
                               std::chrono::nanoseconds duration) noexcept {
  state_->counters.syncs[index_of(target)].observe(duration);
  if (outcome == SyncOutcome::failed) state_->counters.sync_failures.add();
}

void PrometheusMetrics::called(const S3Call& figures) noexcept {
  state_->counters.s3.called(figures);
}

void PrometheusMetrics::memory_waited(MemoryOutcome outcome,
                                      std::chrono::nanoseconds duration) noexcept {
  state_->counters.s3.memory_waits[index_of(outcome)].observe(duration);
}

void PrometheusMetrics::spilled(SpillReason why, std::uint64_t bytes) noexcept {
  state_->counters.s3.spills[index_of(why)].add();
  state_->counters.s3.spilled_bytes.add(bytes);
}

std::string PrometheusMetrics::text(const Samples& samples) const {
  return write_metrics(state_->counters, samples);
}

}  // namespace tus::metrics
