#include "metrics/prometheus_metrics.h"

#include <tus/hooks.h>
#include <tus/testing/manual_clock.h>
#include <tus/version.h>

#include <gmock/gmock.h>

#include <map>
#include <sstream>
#include <string>

namespace tus::metrics {
namespace {

using namespace std::chrono_literals;

UploadInfo upload(std::string id, std::uint64_t length) {
  UploadInfo info;
  info.id = *UploadId::parse(std::move(id));
  info.length = length;
  return info;
}

struct Exposition : ::testing::Test {
  // Series with their values, as text.
  std::map<std::string, std::string> series() const {
    std::istringstream lines(metrics.text(samples));
    std::map<std::string, std::string> result;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with('#')) continue;
      const auto space = line.rfind(' ');
      EXPECT_TRUE(result.emplace(line.substr(0, space), line.substr(space + 1)).second) << line;
    }
    return result;
  }
  std::string value(const std::string& name) const {
    const auto all = series();
    const auto found = all.find(name);
    return found == all.end() ? "(none)" : found->second;
  }

  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  PrometheusMetrics metrics{clock};
  Samples samples;
};

TEST_F(Exposition, HasWhatTusdsDashboardsShowFromTheBeginning) {  // [METRIC-1]
  const auto all = series();
  for (const auto* name :
       {"tusd_requests_total{method=\"DELETE\"}", "tusd_requests_total{method=\"GET\"}",
        "tusd_requests_total{method=\"HEAD\"}", "tusd_requests_total{method=\"OPTIONS\"}",
        "tusd_requests_total{method=\"PATCH\"}", "tusd_requests_total{method=\"POST\"}",
        "tusd_bytes_received", "tusd_uploads_created", "tusd_uploads_finished",
        "tusd_uploads_terminated", "tusd_connections_open",
        "tusd_hook_invocations_total{hooktype=\"pre-create\"}",
        "tusd_hook_invocations_total{hooktype=\"post-finish\"}",
        "tusd_hook_errors_total{hooktype=\"post-receive\"}",
        "tusd_hook_errors_total{hooktype=\"pre-terminate\"}",
        "tusd_errors_total{status=\"404\",code=\"ERR_UPLOAD_NOT_FOUND\"}",
        "tusd_errors_total{status=\"507\",code=\"ERR_INSUFFICIENT_STORAGE\"}",
        "tusd_requests_rejected_total{status=\"400\"}"}) {
    ASSERT_TRUE(all.contains(name)) << name;
    EXPECT_EQ(all.at(name), "0") << name;
  }
}

TEST_F(Exposition, CountsUnderTusdsNames) {  // [METRIC-1]
  metrics.request("PATCH");
  metrics.request("PATCH");
  metrics.request("BREW");
  metrics.error(ErrorCode::mismatched_offset);
  metrics.error(ErrorCode::mismatched_offset);
  metrics.error(ErrorCode::upload_not_found);
  metrics.error(ErrorCode::method_not_allowed);
  metrics.bytes_received(1ull << 40);
  metrics.upload_created(upload("a", 5));
  metrics.upload_created(upload("b", 5));
  metrics.upload_finished(upload("a", 5));
  metrics.upload_terminated(upload("b", 5));
  metrics.connection_opened();
  metrics.connection_opened();
  metrics.connection_closed();
  metrics.hook_called(HookEvent::pre_finish);
  metrics.hook_called(HookEvent::pre_finish);
  metrics.hook_failed(HookEvent::pre_finish);
  EXPECT_EQ(value("tusd_requests_total{method=\"PATCH\"}"), "2");
  EXPECT_EQ(value("tusd_errors_total{status=\"409\",code=\"ERR_MISMATCHED_OFFSET\"}"), "2");
  EXPECT_EQ(value("tusd_errors_total{status=\"404\",code=\"ERR_UPLOAD_NOT_FOUND\"}"), "1");
  EXPECT_EQ(value("tusd_bytes_received"), "1099511627776");
  EXPECT_EQ(value("tusd_uploads_created"), "2");
  EXPECT_EQ(value("tusd_uploads_finished"), "1");
  EXPECT_EQ(value("tusd_uploads_terminated"), "1");
  EXPECT_EQ(value("tusd_connections_open"), "1");
  EXPECT_EQ(value("tusd_connections_accepted_total"), "2");
  EXPECT_EQ(value("tusd_hook_invocations_total{hooktype=\"pre-finish\"}"), "2");
  EXPECT_EQ(value("tusd_hook_errors_total{hooktype=\"pre-finish\"}"), "1");
  int requests = 0;
  int errors = 0;
  for (const auto& [name, count] : series()) {
    if (name.starts_with("tusd_requests_total")) ++requests;
    if (name.starts_with("tusd_errors_total") && count != "0") ++errors;
    EXPECT_FALSE(name.contains("code=\"\"")) << "405 has no code, in tusd neither";
  }
  EXPECT_EQ(requests, 6) << "a client must not make series";
  EXPECT_EQ(errors, 2);
}

TEST_F(Exposition, RequestsByMethodAndStatus) {  // [METRIC-4]
  metrics.request_begun();
  metrics.request_begun();
  metrics.request_ended();
  metrics.request_done({"PATCH", 204, 20ms});
  metrics.request_done({"PATCH", 204, 3h});
  metrics.request_done({"PATCH", 500, 1s});
  metrics.request_done({"<script>", 501, 1us});
  metrics.request_done({"GET", 99, 1us});
  metrics.request_done({"GET", 600, 1us});
  metrics.request_done({"GET", -1, 1us});
  metrics.request_rejected(400);
  metrics.request_rejected(400);
  metrics.request_rejected(-1);
  metrics.request_rejected(10'000);
  metrics.connection_refused(Refusal::no_descriptor);
  metrics.connection_refused(Refusal::per_address);
  metrics.connection_shed();
  metrics.request_refused(Refusal::uploads);
  const std::string patch = "tusd_request_duration_seconds_";
  EXPECT_EQ(value(patch + "count{method=\"PATCH\",status=\"204\"}"), "2");
  EXPECT_EQ(value(patch + "sum{method=\"PATCH\",status=\"204\"}"), "10800.02");
  EXPECT_EQ(value(patch + "bucket{method=\"PATCH\",status=\"204\",le=\"0.005\"}"), "0");
  EXPECT_EQ(value(patch + "bucket{method=\"PATCH\",status=\"204\",le=\"0.025\"}"), "1");
  EXPECT_EQ(value(patch + "bucket{method=\"PATCH\",status=\"204\",le=\"7200\"}"), "1");
  EXPECT_EQ(value(patch + "bucket{method=\"PATCH\",status=\"204\",le=\"+Inf\"}"), "2");
  EXPECT_EQ(value(patch + "count{method=\"PATCH\",status=\"500\"}"), "1");
  EXPECT_EQ(value(patch + "count{method=\"other\",status=\"501\"}"), "1");
  EXPECT_EQ(value("tusd_requests_in_flight"), "1");
  EXPECT_EQ(value("tusd_requests_rejected_total{status=\"400\"}"), "2");
  EXPECT_EQ(value("tusd_connections_refused_total{reason=\"descriptors\"}"), "1");
  EXPECT_EQ(value("tusd_connections_refused_total{reason=\"connections\"}"), "0");
  EXPECT_EQ(value("tusd_connections_refused_total{reason=\"address\"}"), "1");
  EXPECT_EQ(value("tusd_connections_shed_total"), "1");
  EXPECT_EQ(value("tusd_requests_refused_total{reason=\"address\"}"), "0");
  EXPECT_EQ(value("tusd_requests_refused_total{reason=\"uploads\"}"), "1");
  int counts = 0;
  for (const auto& [name, count] : series()) {
    if (name.starts_with(patch + "count")) ++counts;
  }
  EXPECT_EQ(counts, 3);
}

TEST_F(Exposition, UploadsBySizeAndTime) {  // [METRIC-5]
  metrics.upload_created(upload("a", 1 << 20));
  metrics.upload_created(upload("gone", 1));
  clock->advance(10s);
  metrics.upload_finished(upload("a", 1 << 20));
  metrics.upload_finished(upload("from-an-earlier-process", 3ull << 30));
  metrics.upload_terminated(upload("gone", 1));
  metrics.upload_finished(upload("gone", 1));
  EXPECT_EQ(value("tusd_upload_size_bytes_count"), "3");
  EXPECT_EQ(value("tusd_upload_size_bytes_sum"), std::to_string((3ull << 30) + (1ull << 20) + 1));
  EXPECT_EQ(value("tusd_upload_size_bytes_bucket{le=\"1048576\"}"), "2");
  EXPECT_EQ(value("tusd_upload_duration_seconds_count"), "1");
  EXPECT_EQ(value("tusd_upload_duration_seconds_sum"), "10");
  EXPECT_EQ(value("tusd_upload_duration_seconds_bucket{le=\"5\"}"), "0");
  EXPECT_EQ(value("tusd_upload_duration_seconds_bucket{le=\"15\"}"), "1");
}

TEST_F(Exposition, BytesByTheirWayAndTheFirstOfThem) {  // [METRIC-3]
  metrics.body_moved(BytePath::spliced, 10);
  metrics.body_moved(BytePath::spliced, 20);
  metrics.body_moved(BytePath::copied, 3);
  metrics.content_moved(BytePath::copied, 4);
  metrics.first_byte_stored(2ms);
  EXPECT_EQ(value("tusd_upload_bytes_total{path=\"spliced\"}"), "30");
  EXPECT_EQ(value("tusd_upload_bytes_total{path=\"copied\"}"), "3");
  EXPECT_EQ(value("tusd_download_bytes_total{path=\"spliced\"}"), "0");
  EXPECT_EQ(value("tusd_download_bytes_total{path=\"copied\"}"), "4");
  EXPECT_EQ(value("tusd_upload_first_byte_seconds_sum"), "0.002");
  EXPECT_EQ(value("tusd_upload_first_byte_seconds_count"), "1");
}

TEST_F(Exposition, LocksAndFinishes) {  // [METRIC-6] [METRIC-7]
  metrics.lock_waited(LockOutcome::granted, 0ns);
  metrics.lock_waited(LockOutcome::granted, 2s);
  metrics.lock_waited(LockOutcome::timed_out, 20s);
  metrics.upload_taken_over();
  metrics.finish_failed();
  metrics.finish_failed();
  metrics.upload_abandoned();
  metrics.upload_expired(100);
  metrics.upload_expired(20);
  metrics.left_over_removed(3);
  metrics.upload_evicted();
  EXPECT_EQ(value("tusd_lock_wait_seconds_count{outcome=\"granted\"}"), "2");
  EXPECT_EQ(value("tusd_lock_wait_seconds_sum{outcome=\"granted\"}"), "2");
  EXPECT_EQ(value("tusd_lock_wait_seconds_bucket{outcome=\"granted\",le=\"0.0005\"}"), "1");
  EXPECT_EQ(value("tusd_lock_wait_seconds_count{outcome=\"timed_out\"}"), "1");
  EXPECT_EQ(value("tusd_lock_wait_seconds_count{outcome=\"refused\"}"), "0");
  EXPECT_EQ(value("tusd_lock_wait_seconds_count{outcome=\"failed\"}"), "0");
  EXPECT_EQ(value("tusd_uploads_taken_over_total"), "1");
  EXPECT_EQ(value("tusd_finish_failures_total"), "2");
  EXPECT_EQ(value("tusd_uploads_abandoned_total"), "1");
  EXPECT_EQ(value("tusd_uploads_expired_total"), "2");
  EXPECT_EQ(value("tusd_uploads_evicted_total"), "1");
  EXPECT_EQ(value("tusd_left_overs_removed_total"), "1");
  EXPECT_EQ(value("tusd_swept_bytes_total"), "123");
}

TEST_F(Exposition, HooksWhereThereAreAny) {  // [METRIC-13]
  EXPECT_EQ(value("tusd_hook_events_waiting"), "(none)");
  samples.hooks = HookSamples{.transport = HookTransport::http,
                              .waiting = 7,
                              .oldest_age = 1500ms,
                              .dead_letters = std::nullopt};
  metrics.hook_took(HookTransport::http, HookEvent::post_finish, HookOutcome::good, 2ms);
  metrics.hook_took(HookTransport::http, HookEvent::post_finish, HookOutcome::failed, 1s);
  metrics.hook_given_up(HookEvent::post_terminate);
  const std::string labels = "{hooktype=\"post-finish\",transport=\"http\"";
  EXPECT_EQ(value("tusd_hook_call_duration_seconds_count" + labels + "}"), "2");
  EXPECT_EQ(value("tusd_hook_call_duration_seconds_bucket" + labels + ",le=\"0.0025\"}"), "1");
  EXPECT_EQ(value("tusd_hook_call_failures_total" + labels + "}"), "1");
  EXPECT_EQ(value("tusd_hook_call_failures_total{hooktype=\"pre-create\",transport=\"http\"}"), "0")
      << "from the beginning";
  EXPECT_EQ(value("tusd_hook_events_waiting"), "7");
  EXPECT_EQ(value("tusd_hook_oldest_event_age_seconds"), "1.5");
  EXPECT_EQ(value("tusd_hook_events_given_up_total{hooktype=\"post-terminate\"}"), "1");
  EXPECT_EQ(value("tusd_hook_events_given_up_total{hooktype=\"post-create\"}"), "0");
  EXPECT_EQ(value("tusd_hook_dead_letters"), "(none)") << "nobody has looked";
  samples.hooks->dead_letters = 3;
  EXPECT_EQ(value("tusd_hook_dead_letters"), "3");
  for (const auto& [name, count] : series()) EXPECT_FALSE(name.contains("transport=\"file\""));
}

TEST_F(Exposition, TheMachine) {  // [METRIC-8] [METRIC-9]
  metrics.synced(SyncTarget::data, SyncOutcome::safe, 30ms);
  metrics.synced(SyncTarget::directory, SyncOutcome::failed, 1ms);
  metrics.loop_was_late(4ms);
  samples.pool = {8, 3, 17};
  samples.loops = {2, 5, 1};
  EXPECT_EQ(value("tusd_fsync_duration_seconds_sum{target=\"data\"}"), "0.03");
  EXPECT_EQ(value("tusd_fsync_duration_seconds_count{target=\"directory\"}"), "1");
  EXPECT_EQ(value("tusd_fsync_failures_total"), "1");
  EXPECT_EQ(value("tusd_event_loop_lag_seconds_bucket{le=\"0.0025\"}"), "0");
  EXPECT_EQ(value("tusd_event_loop_lag_seconds_bucket{le=\"0.005\"}"), "1");
  EXPECT_EQ(value("tusd_event_loops"), "2");
  EXPECT_EQ(value("tusd_event_loop_threads_blocked"), "1");
  EXPECT_EQ(value("tusd_pool_threads"), "8");
  EXPECT_EQ(value("tusd_pool_threads_busy"), "3");
  EXPECT_EQ(value("tusd_pool_queue_length"), "17");
}

TEST_F(Exposition, WhatIsSampled) {  // [METRIC-10]
  EXPECT_EQ(value("tusd_ready"), "(none)");
  EXPECT_EQ(value("tusd_storage_free_bytes"), "(none)") << "uploads in memory have no file system";
  samples.ready = false;
  samples.storage = {5'000'000'000'000, 10'000'000'000'000};
  samples.process = {1.5, 1'700'000'000.25, 400, 300, 20, 1000, 12};
  EXPECT_EQ(value("tusd_ready"), "0");
  samples.ready = true;
  EXPECT_EQ(value("tusd_ready"), "1");
  EXPECT_EQ(value("tusd_storage_free_bytes"), "5000000000000");
  EXPECT_EQ(value("tusd_storage_size_bytes"), "10000000000000");
  EXPECT_EQ(value("tusd_build_info{version=\"" + std::string(version()) + "\"}"), "1");
  EXPECT_EQ(value("process_cpu_seconds_total"), "1.5");
  EXPECT_EQ(value("process_start_time_seconds"), "1700000000.25");
  EXPECT_EQ(value("process_virtual_memory_bytes"), "400");
  EXPECT_EQ(value("process_resident_memory_bytes"), "300");
  EXPECT_EQ(value("process_open_fds"), "20");
  EXPECT_EQ(value("process_max_fds"), "1000");
  EXPECT_EQ(value("process_threads"), "12");
}

S3Call s3_call(std::string_view operation, std::chrono::nanoseconds took) {
  S3Call figures;
  figures.operation = operation;
  figures.duration = took;
  return figures;
}

TEST_F(Exposition, S3IsToldWhereUploadsAreInABucket) {  // [METRIC-14]
  metrics.called(s3_call("upload_part", 1ms));
  for (const auto& [name, text] : series()) EXPECT_FALSE(name.contains("s3")) << name;
  samples.s3.emplace();
  EXPECT_EQ(value("tusd_s3_request_duration_ms_count{operation=\"upload_part\"}"), "1");
}

TEST_F(Exposition, S3CallsUnderTusdsNames) {  // [METRIC-14]
  samples.s3.emplace();
  for (int i = 1; i <= 100; ++i) metrics.called(s3_call("put_info_object", i * 1ms));
  const auto name = [](std::string_view what) {
    return "tusd_s3_request_duration_ms" + std::string(what);
  };
  EXPECT_EQ(value(name("_count{operation=\"put_info_object\"}")), "100");
  EXPECT_EQ(value(name("_sum{operation=\"put_info_object\"}")), "5050");
  const auto median = std::stod(value(name("{operation=\"put_info_object\",quantile=\"0.5\"}")));
  EXPECT_NEAR(median, 50, 5);
  const auto most = std::stod(value(name("{operation=\"put_info_object\",quantile=\"0.99\"}")));
  EXPECT_NEAR(most, 99, 1);
  EXPECT_EQ(value("tusd_s3_request_duration_seconds_bucket"
                  "{operation=\"put_info_object\",le=\"0.05\"}"),
            "50");
  EXPECT_EQ(value(name("_count{operation=\"upload_part\"}")), "(none)")
      << "as Go's, which makes it with the first call";
}

TEST_F(Exposition, S3FailuresRepetitionsAndBytes) {  // [METRIC-14]
  samples.s3.emplace();
  auto figures = s3_call("upload_part", 1ms);
  figures.attempts = 3;
  figures.bytes_sent = 300;
  metrics.called(figures);
  figures.failure = S3Failure::unavailable;
  metrics.called(figures);
  metrics.called(s3_call("a new one", 1ms));
  EXPECT_EQ(value("tusd_s3_request_retries_total{operation=\"upload_part\"}"), "4");
  EXPECT_EQ(value("tusd_s3_sent_bytes_total{operation=\"upload_part\"}"), "600");
  EXPECT_EQ(value("tusd_s3_request_errors_total{operation=\"upload_part\",kind=\"unavailable\"}"),
            "1");
  EXPECT_EQ(value("tusd_s3_request_errors_total{operation=\"upload_part\",kind=\"refused\"}"), "0");
  EXPECT_EQ(value("tusd_s3_request_duration_ms_count{operation=\"other\"}"), "1");
}

TEST_F(Exposition, MemoryForS3) {  // [METRIC-15]
  samples.s3.emplace();
  samples.s3->memory_used = 5;
  samples.s3->memory_limit = 10;
  samples.s3->memory_waiting = 2;
  samples.s3->sending = 3;
  samples.s3->part_slots_wanted = 12;
  samples.s3->part_slots = 10;
  metrics.memory_waited(MemoryOutcome::granted, 20ms);
  metrics.memory_waited(MemoryOutcome::timed_out, 70s);
  metrics.spilled(SpillReason::stalled, 100);
  metrics.spilled(SpillReason::shortage, 11);
  EXPECT_EQ(value("tusd_s3_memory_bytes"), "5");
  EXPECT_EQ(value("tusd_s3_memory_limit_bytes"), "10");
  EXPECT_EQ(value("tusd_s3_memory_waiting"), "2");
  EXPECT_EQ(value("tusd_s3_sending_bytes"), "3");
  EXPECT_EQ(value("tusd_s3_upload_semaphore_demand"), "12");
  EXPECT_EQ(value("tusd_s3_upload_semaphore_limit"), "10");
  EXPECT_EQ(value("tusd_s3_disk_write_duration_ms_count"), "0");
  EXPECT_EQ(value("tusd_s3_memory_wait_seconds_count{outcome=\"granted\"}"), "1");
  EXPECT_EQ(value("tusd_s3_memory_wait_seconds_bucket{outcome=\"timed_out\",le=\"60\"}"), "0");
  EXPECT_EQ(value("tusd_s3_spills_total{reason=\"stalled\"}"), "1");
  EXPECT_EQ(value("tusd_s3_spills_total{reason=\"shortage\"}"), "1");
  EXPECT_EQ(value("tusd_s3_spilled_bytes_total"), "111");
}

}  // namespace
}  // namespace tus::metrics
