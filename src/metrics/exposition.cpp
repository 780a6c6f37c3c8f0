#include "metrics/exposition.h"

#include "metrics/families.h"
#include "metrics/s3_exposition.h"

#include <tus/version.h>

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace tus::metrics {

namespace {

using Families = std::vector<prometheus::MetricFamily>;

constexpr std::array<std::string_view, 2> byte_paths{"spliced", "copied"};
constexpr std::array<std::string_view, 4> lock_outcomes{"granted", "refused", "timed_out",
                                                        "failed"};
constexpr std::array<std::string_view, 4> refusals{"descriptors", "connections", "address",
                                                   "uploads"};
constexpr std::array<std::size_t, 7> usual_rejections{400, 414, 431, 500, 501, 503, 505};
constexpr std::array<std::string_view, hook_transport_count> hook_transports{"file", "http"};
constexpr std::array<std::string_view, 3> kept_notifications{"post-create", "post-finish",
                                                             "post-terminate"};
constexpr std::array<std::string_view, 2> sync_targets{"data", "directory"};

// ---- tusd's

void add_tusd_requests(Families& out, const Counters& counters) {
  auto requests = metrics::counters("tusd_requests_total", "Requests for uploads, by method.");
  for (std::size_t i = 0; i < tusd_methods; ++i) {
    requests.add_counter(counters.requests[i].get(), {{"method", methods[i]}});
  }
  out.push_back(std::move(requests).take());

  // All that there can be, from the beginning: a rise from nothing to 1 is no rise for Prometheus, and the first error
  // of a kind is the one to hear of. Some codes of ours have the same words for the outside.
  std::map<std::pair<int, std::string_view>, double> by_words;
  for (std::size_t i = 0; i < counters.errors.size(); ++i) {
    const auto count = counters.errors[i].get();
    const auto& words = describe(static_cast<ErrorCode>(i));
    // Not 405, which tusd's router answers before its metrics.
    if (!words.code.empty()) by_words[{words.status, words.code}] += count;
  }
  auto errors = metrics::counters("tusd_errors_total",
                                  "Answers that report an error, by HTTP status and code.");
  for (const auto& [words, count] : by_words) {
    errors.add_counter(count, {{"status", std::to_string(words.first)}, {"code", words.second}});
  }
  out.push_back(std::move(errors).take());
}

void add_hooks(Families& out, const Counters& counters) {
  auto called = metrics::counters("tusd_hook_invocations_total", "Calls of hooks, by type.");
  auto failed = metrics::counters("tusd_hook_errors_total", "Calls of hooks that failed, by type.");
  for (std::size_t i = 0; i < hook_types.size(); ++i) {
    called.add_counter(counters.hooks_called[i].get(), {{"hooktype", hook_types[i]}});
    failed.add_counter(counters.hooks_failed[i].get(), {{"hooktype", hook_types[i]}});
  }
  out.push_back(std::move(called).take());
  out.push_back(std::move(failed).take());
}

void add_tusd(Families& out, const Counters& c) {
  using metrics::counters;
  add_tusd_requests(out, c);
  out.push_back(counters("tusd_bytes_received", "Bytes of uploads that were received and kept.")
                    .counter(c.bytes_received.get())
                    .take());
  out.push_back(counters("tusd_uploads_created", "Uploads that were created.")
                    .counter(c.created.get())
                    .take());
  out.push_back(counters("tusd_uploads_finished", "Uploads that were finished.")
                    .counter(c.finished.get())
                    .take());
  out.push_back(counters("tusd_uploads_terminated", "Uploads that were deleted.")
                    .counter(c.terminated.get())
                    .take());
  out.push_back(gauges("tusd_connections_open", "Connections that are open now.")
                    .gauge(c.connections_open.get())
                    .take());
  add_hooks(out, c);
}

// ---- ours

void add_connections(Families& out, const Counters& c) {
  using metrics::counters;
  out.push_back(counters("tusd_connections_accepted_total", "Connections that were accepted.")
                    .counter(c.connections_accepted.get())
                    .take());
  auto refused =
      counters("tusd_connections_refused_total",
               "Connections that were answered 503 unread, by what there was too much of.");
  for (std::size_t i = 0; i < refusals.size() - 1; ++i) {
    refused.add_counter(c.connections_refused[i].get(), {{"reason", refusals[i]}});
  }
  out.push_back(std::move(refused).take());
  out.push_back(counters("tusd_connections_shed_total",
                         "Connections that were closed while they waited, to make room for others.")
                    .counter(c.connections_shed.get())
                    .take());
  auto requests = counters("tusd_requests_refused_total",
                           "Requests that were answered 503 for a limit by address, by the limit.");
  for (std::size_t i = 0; i < c.requests_refused.size(); ++i) {
    requests.add_counter(c.requests_refused[i].get(), {{"reason", refusals[i + 2]}});
  }
  out.push_back(std::move(requests).take());
  out.push_back(
      gauges("tusd_requests_in_flight",
             "Requests for uploads that are received or answered now, stalled ones among them.")
          .gauge(c.requests_in_flight.get())
          .take());
  auto durations =
      histograms("tusd_request_duration_seconds",
                 "From the head of a request to the end of its answer, by method and status.");
  c.durations.for_each([&](std::string_view method, int status, const Histogram& histogram) {
    durations.add_histogram(histogram, {{"method", method}, {"status", std::to_string(status)}});
  });
  out.push_back(std::move(durations).take());
  auto rejected = counters(
      "tusd_requests_rejected_total",
      "Requests that were refused unread: malformed, too large, too slow, or during a stop.");
  for (std::size_t status = 0; status < c.rejected.size(); ++status) {
    const auto count = c.rejected[status].get();
    if (count > 0 || std::ranges::find(usual_rejections, status) != usual_rejections.end())
      rejected.add_counter(count, {{"status", std::to_string(status)}});
  }
  out.push_back(std::move(rejected).take());
}

void add_bytes(Families& out, const Counters& c) {
  auto up =
      metrics::counters("tusd_upload_bytes_total",
                        "Bytes of bodies that were given to the store, by the way they took.");
  auto down = metrics::counters("tusd_download_bytes_total",
                                "Bytes of downloads that were sent, by the way they took.");
  for (std::size_t i = 0; i < byte_paths.size(); ++i) {
    up.add_counter(c.bodies[i].get(), {{"path", byte_paths[i]}});
    down.add_counter(c.contents[i].get(), {{"path", byte_paths[i]}});
  }
  out.push_back(std::move(up).take());
  out.push_back(std::move(down).take());
  out.push_back(histograms("tusd_upload_first_byte_seconds",
                           "From the head of a request to the first byte of its body in the store.")
                    .histogram(c.first_byte)
                    .take());
}

void add_uploads(Families& out, const Counters& c) {
  using metrics::counters;
  out.push_back(histograms("tusd_upload_size_bytes", "Sizes of finished uploads.")
                    .histogram(c.upload_sizes)
                    .take());
  out.push_back(histograms("tusd_upload_duration_seconds",
                           "From creation to finish, of uploads that this process has created.")
                    .histogram(c.upload_lifetimes)
                    .take());
  auto locks =
      histograms("tusd_lock_wait_seconds", "Waits for an upload's lock, by how they ended.");
  for (std::size_t i = 0; i < lock_outcomes.size(); ++i) {
    locks.add_histogram(c.locks[i], {{"outcome", lock_outcomes[i]}});
  }
  out.push_back(std::move(locks).take());
  out.push_back(counters("tusd_uploads_taken_over_total",
                         "Requests whose body was ended by a newer request for the same upload.")
                    .counter(c.taken_over.get())
                    .take());
  out.push_back(counters("tusd_finish_failures_total", "Attempts to finish an upload that failed.")
                    .counter(c.finish_failures.get())
                    .take());
  out.push_back(counters("tusd_uploads_abandoned_total",
                         "Uploads whose finish was given up after the last attempt.")
                    .counter(c.abandoned.get())
                    .take());
}

void add_sweeps(Families& out, const Counters& c) {
  using metrics::counters;
  out.push_back(
      counters("tusd_uploads_expired_total", "Unfinished uploads that were removed for their age.")
          .counter(c.expired.get())
          .take());
  out.push_back(counters("tusd_left_overs_removed_total",
                         "Old files that were removed and belonged to no upload.")
                    .counter(c.left_overs.get())
                    .take());
  out.push_back(
      counters("tusd_swept_bytes_total", "Bytes of both.").counter(c.swept_bytes.get()).take());
  out.push_back(
      counters("tusd_uploads_evicted_total", "Uploads that were ended to make room for others.")
          .counter(c.evicted.get())
          .take());
}

// Of the transport that is in use.
void add_hook_calls(Families& out, const Counters& c, HookTransport transport) {
  const auto index = static_cast<std::size_t>(transport);
  const auto name = hook_transports.at(index);
  auto durations = histograms("tusd_hook_call_duration_seconds",
                              "Calls of hooks with all their attempts, by type and transport.");
  auto failures = metrics::counters("tusd_hook_call_failures_total",
                                    "Calls of hooks that failed, by type and transport.");
  for (std::size_t i = 0; i < hook_types.size(); ++i) {
    const auto& calls = c.hook_calls.at(index)[i];
    const auto labels = {Label{"hooktype", hook_types[i]}, Label{"transport", name}};
    durations.add_histogram(calls.durations, labels);
    failures.add_counter(calls.failures.get(), labels);
  }
  out.push_back(std::move(durations).take());
  out.push_back(std::move(failures).take());
}

void add_deliveries(Families& out, const Counters& c, const HookSamples& hooks) {
  add_hook_calls(out, c, hooks.transport);
  out.push_back(gauges("tusd_hook_events_waiting", "Events that have happened and wait for a hook.")
                    .gauge(static_cast<double>(hooks.waiting))
                    .take());
  out.push_back(gauges("tusd_hook_oldest_event_age_seconds",
                       "Age of the oldest event that waits for a hook; 0 when none does.")
                    .gauge(std::chrono::duration<double>(hooks.oldest_age).count())
                    .take());
  auto given_up = metrics::counters("tusd_hook_events_given_up_total",
                                    "Events that were set aside because no hook took them.");
  for (std::size_t i = 0; i < hook_types.size(); ++i) {
    if (std::ranges::find(kept_notifications, hook_types[i]) == kept_notifications.end()) continue;
    given_up.add_counter(c.hooks_given_up[i].get(), {{"hooktype", hook_types[i]}});
  }
  out.push_back(std::move(given_up).take());
  if (!hooks.dead_letters) return;
  out.push_back(
      gauges("tusd_hook_dead_letters", "Events that were set aside and wait for a replay.")
          .gauge(static_cast<double>(*hooks.dead_letters))
          .take());
}

void add_machine(Families& out, const Counters& c, const Samples& samples) {
  auto syncs =
      histograms("tusd_fsync_duration_seconds", "How long the disk took to make something safe.");
  for (std::size_t i = 0; i < sync_targets.size(); ++i) {
    syncs.add_histogram(c.syncs[i], {{"target", sync_targets[i]}});
  }
  out.push_back(std::move(syncs).take());
  out.push_back(metrics::counters("tusd_fsync_failures_total", "Syncs that failed.")
                    .counter(c.sync_failures.get())
                    .take());
  out.push_back(histograms("tusd_event_loop_lag_seconds",
                           "How late an event loop comes to what is due, measured once a second.")
                    .histogram(c.loop_lag)
                    .take());
  out.push_back(gauges("tusd_event_loops", "Event loops.").gauge(samples.loops.loops).take());
  out.push_back(
      metrics::counters(
          "tusd_event_loop_failures_total",
          "Connections and tasks that were lost because there was no memory to wait with.")
          .counter(static_cast<double>(samples.loops.failures))
          .take());
  out.push_back(
      gauges("tusd_event_loop_threads_blocked",
             "Threads of event loops that hang in file operations; others run the loops meanwhile.")
          .gauge(samples.loops.blocked)
          .take());
  out.push_back(gauges("tusd_pool_threads", "Threads for work that blocks.")
                    .gauge(samples.pool.threads)
                    .take());
  out.push_back(gauges("tusd_pool_threads_busy", "Threads for work that blocks that have some.")
                    .gauge(samples.pool.busy)
                    .take());
  out.push_back(gauges("tusd_pool_queue_length", "Work that blocks and waits for a thread.")
                    .gauge(static_cast<double>(samples.pool.waiting))
                    .take());
}

void add_state(Families& out, const Samples& samples) {
  if (samples.ready) {
    out.push_back(gauges("tusd_ready", "Whether uploads can be taken: 1 where /readyz says so.")
                      .gauge(*samples.ready ? 1 : 0)
                      .take());
  }
  if (samples.storage) {
    out.push_back(
        gauges("tusd_storage_free_bytes", "Room on the file system of the upload directory.")
            .gauge(static_cast<double>(samples.storage->free))
            .take());
    out.push_back(
        gauges("tusd_storage_size_bytes", "Size of the file system of the upload directory.")
            .gauge(static_cast<double>(samples.storage->size))
            .take());
  }
  out.push_back(gauges("tusd_build_info", "1, with the version of the server.")
                    .gauge(1, {{"version", version()}})
                    .take());
}

// Under the names that all clients of Prometheus use.
void add_process(Families& out, const ProcessFigures& process) {
  out.push_back(metrics::counters("process_cpu_seconds_total",
                                  "Time on processors, in the program and in the kernel.")
                    .counter(process.cpu_seconds)
                    .take());
  const auto gauge = [&out](const char* name, const char* help, double value) {
    out.push_back(gauges(name, help).gauge(value).take());
  };
  gauge("process_start_time_seconds", "When the process began, since 1970.", process.start_time);
  gauge("process_virtual_memory_bytes", "Address space in use.",
        static_cast<double>(process.virtual_bytes));
  gauge("process_resident_memory_bytes", "Memory in use.",
        static_cast<double>(process.resident_bytes));
  gauge("process_open_fds", "Descriptors in use.", static_cast<double>(process.open_descriptors));
  gauge("process_max_fds", "Descriptors that may be in use.",
        static_cast<double>(process.most_descriptors));
  gauge("process_threads", "Threads.", static_cast<double>(process.threads));
}

}  // namespace

std::string write_metrics(const Counters& counters, const Samples& samples) {
  Families families;
  add_tusd(families, counters);
  add_connections(families, counters);
  add_bytes(families, counters);
  add_uploads(families, counters);
  add_sweeps(families, counters);
  if (samples.hooks) add_deliveries(families, counters, *samples.hooks);
  if (samples.s3) add_s3(families, counters.s3, *samples.s3);
  add_machine(families, counters, samples);
  add_state(families, samples);
  add_process(families, samples.process);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tus::metrics
