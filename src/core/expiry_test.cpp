#include "core/expiry.h"

#include "core/service_test_kit.h"
#include "protocol/http_date.h"

#include <tus/testing/fake_lease.h>
#include <tus/testing/script_source.h>
#include <tus/testing/shifted_clock.h>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_seconds;

// What a sweep reports, as numbers.
struct Counts final : MetricsSink {
  void request(std::string_view) noexcept override {}
  void error(ErrorCode) noexcept override {}
  void bytes_received(std::uint64_t) noexcept override {}
  void upload_created(const UploadInfo&) noexcept override {}
  void upload_finished(const UploadInfo&) noexcept override {}
  void upload_terminated(const UploadInfo&) noexcept override { ++terminated; }
  void upload_expired(std::uint64_t bytes) noexcept override {
    ++expired;
    expired_bytes += bytes;
  }
  void connection_opened() noexcept override {}
  void connection_closed() noexcept override {}

  int terminated = 0;
  int expired = 0;
  std::uint64_t expired_bytes = 0;
};

struct Expiring : ::testing::Test {
  std::shared_ptr<testing::ShiftedClock> clock = std::make_shared<testing::ShiftedClock>();
  std::shared_ptr<Store> store = make_memory_store({}, clock);
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  std::shared_ptr<Counts> counts = std::make_shared<Counts>();
  Bench bench{store, hooks};

  void SetUp() override {
    bench.options.expire_after = 24h;
    bench.parts.clock = clock;
    bench.parts.metrics = counts;
  }

  std::string created(const std::string& concat, const std::string& length) {
    Fields fields;
    fields.add("Upload-Concat", concat);
    if (!length.empty()) fields.add("Upload-Length", length);
    const auto location = field(bench.request("POST", "/files/", fields), "Location");
    return location.substr(std::string("http://example.org").size());
  }
  SweepReport sweep() {
    auto report = bench.run(bench.handler().sweep());
    EXPECT_TRUE(report);
    return report ? *report : SweepReport();
  }
  std::size_t uploads() { return bench.run(store->usage(Deadline::never()))->uploads; }
  static std::optional<sys_seconds> expires(const Response& response) {
    return protocol::parse_http_date(field(response, "Upload-Expires"));
  }
  void expect_end(const Response& response) {
    const auto end = expires(response);
    ASSERT_TRUE(end) << field(response, "Upload-Expires");
    const auto expected = std::chrono::floor<std::chrono::seconds>(clock->wall()) + 24h;
    EXPECT_LE(*end, expected);
    EXPECT_GE(*end, expected - 2s);
  }
};

TEST_F(Expiring, TellsTheEnd) {  // [EXPIRE-50] [EXPIRE-51] [EXPIRE-52] [EXPIRE-54]
  Fields fields;
  fields.add("Upload-Length", "10");
  const auto made = bench.request("POST", "/files/", fields);
  EXPECT_EQ(made.status, 201);
  expect_end(made);
  const auto path = field(made, "Location").substr(std::string("http://example.org").size());
  expect_end(bench.inspect(path));
  clock->advance(10h);
  expect_end(bench.patch(path, 0, "hello"));
  expect_end(bench.inspect(path));
  // Where the offset is told beside an error, the end is too.
  const auto refused = bench.patch(path, 3, "x");
  EXPECT_EQ(refused.status, 409);
  expect_end(refused);
}

TEST_F(Expiring, HasNoEndOnceItIsWhole) {  // [EXPIRE-53]
  const auto path = bench.create(5);
  const auto last = bench.patch(path, 0, "hello");
  EXPECT_EQ(last.status, 204);
  EXPECT_EQ(field(last, "Upload-Expires"), "(none)");
  EXPECT_EQ(field(bench.inspect(path), "Upload-Expires"), "(none)");
  clock->advance(1000h);
  EXPECT_EQ(sweep().uploads, 0u);
  EXPECT_EQ(bench.inspect(path).status, 200);
}

TEST_F(Expiring, IsRefusedFromItsEndOn) {  // [EXPIRE-53]
  const auto path = bench.create(10);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
  clock->advance(24h - 2s);
  EXPECT_EQ(bench.inspect(path).status, 200);
  clock->advance(4s);
  for (const char* method : {"HEAD", "GET"}) {
    EXPECT_EQ(bench.request(method, path, {}).status, 410) << method;
  }
  const auto patched = bench.patch(path, 5, " you");
  EXPECT_EQ(patched.status, 410);
  EXPECT_EQ(patched.body, "ERR_UPLOAD_GONE: upload is gone\n");
  // Also one whose bytes are taken while it is opened.
  BodyScript script = BodyScript::whole("world");
  script.arrived = 1;
  auto fields = Bench::patch_fields(5);
  EXPECT_EQ(bench.request("PATCH", path, fields, script).status, 410);
  const auto info = bench.run(store->inspect(*UploadId::parse(path.substr(7)), Deadline::never()));
  EXPECT_EQ(info->offset, 5u);
  EXPECT_EQ(bench.request("DELETE", path, {}).status, 204);
}

TEST_F(Expiring, GoesWithTheNextSweep) {  // [EXPIRE-49] [EXPIRE-53] [EXPIRE-55]
  hooks->wanted = {HookEvent::post_terminate, HookEvent::pre_terminate};
  const auto old = bench.create(10);
  EXPECT_EQ(bench.patch(old, 0, "hello").status, 204);
  clock->advance(23h);
  const auto young = bench.create(10);
  clock->advance(2h);
  const auto report = sweep();
  EXPECT_EQ(report.uploads, 1u);
  EXPECT_EQ(report.upload_bytes, 5u);
  EXPECT_EQ(counts->expired, 1);
  EXPECT_EQ(counts->expired_bytes, 5u);
  EXPECT_EQ(counts->terminated, 0);
  EXPECT_EQ(uploads(), 1u);
  EXPECT_EQ(hooks->heard,
            (std::vector<std::string>{"promise post-terminate", "happened post-terminate"}));
  for (const char* method : {"HEAD", "GET", "DELETE"}) {
    EXPECT_EQ(bench.request(method, old, {}).status, 410) << method;
  }
  EXPECT_EQ(bench.patch(old, 5, " you").status, 410);
  EXPECT_EQ(bench.inspect("/files/never").status, 404);
  EXPECT_EQ(bench.inspect(young).status, 200);
  EXPECT_EQ(sweep().uploads, 0u);
}

TEST_F(Expiring, LivesAsLongAsBytesCome) {  // [EXPIRE-49]
  const auto path = bench.create(100);
  for (std::uint64_t at = 0; at < 50; at += 10) {
    clock->advance(20h);
    EXPECT_EQ(bench.patch(path, at, "0123456789").status, 204);
    EXPECT_EQ(sweep().uploads, 0u);
  }
  EXPECT_EQ(field(bench.inspect(path), "Upload-Offset"), "50");
}

TEST_F(Expiring, LeavesWhatSomebodyHolds) {  // [EXPIRE-56]
  const auto path = bench.create(10);
  clock->advance(25h);
  auto lease =
      bench.run(bench.parts.locker->acquire(*UploadId::parse(path.substr(7)), Deadline::never(),
                                            std::make_shared<testing::FakeHolder>()));
  ASSERT_TRUE(lease);
  EXPECT_EQ(sweep().uploads, 0u);
  EXPECT_EQ(uploads(), 1u);
  lease->reset();
  EXPECT_EQ(sweep().uploads, 1u);
}

// Between the look and the lease a PATCH may have come.  [EXPIRE-56]
TEST_F(Expiring, LooksAgainUnderTheLease) {
  const auto faulty = std::make_shared<FaultyStore>(store);
  bench.parts.store = faulty;
  bench.create(10);
  clock->advance(25h);
  faulty->faults->before_open = [&] {
    clock->advance(-25h);  // as if its bytes had come now
  };
  EXPECT_EQ(sweep().uploads, 0u);
  EXPECT_EQ(uploads(), 1u);
}

// It is told, and tried again with the next pass.  [EXPIRE-61]
TEST_F(Expiring, OneThatCannotBeRemovedKeepsNoOther) {
  const auto faulty = std::make_shared<FaultyStore>(store);
  bench.parts.store = faulty;
  std::string first = "~";
  for (int i = 0; i < 3; ++i) first = std::min(first, bench.create(10).substr(7));
  clock->advance(25h);
  faulty->faults->open_fails_for = first;
  const auto report = bench.run(bench.handler().sweep());
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error() == ErrorCode::store_unavailable);
  EXPECT_EQ(uploads(), 1u);
  faulty->faults->open_fails_for.clear();
  EXPECT_EQ(sweep().uploads, 1u);
}

TEST_F(Expiring, AFinalUploadLivesAsLongAsItsParts) {  // [EXPIRE-57]
  const auto a = created("partial", "10");
  const auto b = created("partial", "5");
  EXPECT_EQ(bench.patch(b, 0, "world").status, 204);
  const auto whole = created("final;" + a + " " + b, "");
  for (std::uint64_t at = 0; at < 8; at += 2) {
    clock->advance(20h);
    EXPECT_EQ(bench.patch(a, at, "xx").status, 204);
    EXPECT_EQ(sweep().uploads, 0u);
    expect_end(bench.inspect(whole));
  }
  clock->advance(25h);
  EXPECT_EQ(bench.inspect(whole).status, 410);
  EXPECT_EQ(bench.inspect(a).status, 410);
  EXPECT_EQ(bench.inspect(b).status, 200) << "it is finished";
  // Whichever of the two goes first.
  EXPECT_EQ(sweep().uploads, 2u);
  EXPECT_EQ(uploads(), 1u);
  EXPECT_EQ(bench.inspect(whole).status, 410);
  EXPECT_EQ(bench.inspect(b).status, 200);
}

// Its last part may have come through another server that died then: it is to be joined, however late.
TEST_F(Expiring, AFinalUploadWithAllItsPartsStays) {  // [EXPIRE-57]
  const auto a = created("partial", "5");
  const auto whole = created("final;" + a, "");
  {
    testing::FakeLease lease(1'000'000);
    auto part = bench.run(store->open(*UploadId::parse(a.substr(7)), lease, Deadline::never()));
    ASSERT_TRUE(part);
    testing::ScriptSource source(BodyScript::whole("hello"));
    const auto outcome =
        bench.run((*part)->append(lease, source, AppendRequest(0), Deadline::never()));
    EXPECT_EQ(outcome.safe_offset, 5u);
  }
  clock->advance(100h);
  EXPECT_EQ(sweep().uploads, 0u);
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Offset"), "5");
}

TEST_F(Expiring, APartThatHasExpiredIsNotJoined) {  // [EXPIRE-57]
  const auto a = created("partial", "10");
  clock->advance(25h);
  Fields fields;
  fields.add("Upload-Concat", "final;" + a);
  EXPECT_EQ(bench.request("POST", "/files/", fields).status, 404);
}

TEST_F(Expiring, IsAdvertised) {  // [EXPIRE-49]
  EXPECT_NE(field(bench.request("OPTIONS", "/files/", {}), "Tus-Extension").find(",expiration"),
            std::string::npos);
}

struct NotExpiring : Expiring {
  void SetUp() override {
    Expiring::SetUp();
    bench.options.expire_after = 0s;
  }
};

TEST_F(NotExpiring, StaysForEver) {  // [EXPIRE-49]
  const auto path = bench.create(10);
  clock->advance(100'000h);
  const auto head = bench.inspect(path);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(field(head, "Upload-Expires"), "(none)");
  const auto report = bench.run(bench.handler().sweep());
  ASSERT_FALSE(report);
  EXPECT_TRUE(report.error() == ErrorCode::not_implemented);
  EXPECT_EQ(uploads(), 1u);
  EXPECT_EQ(field(bench.request("OPTIONS", "/files/", {}), "Tus-Extension").find("expiration"),
            std::string::npos);
}

TEST(Departed, ForgetsTheOldestFirst) {  // [EXPIRE-58]
  Departed departed;
  for (int i = 0; i < 70'000; ++i) departed.add(std::to_string(i));
  departed.add("69999");
  EXPECT_FALSE(departed.contains("0"));
  EXPECT_FALSE(departed.contains("4000"));
  EXPECT_TRUE(departed.contains("5000"));
  EXPECT_TRUE(departed.contains("69999"));
  EXPECT_FALSE(departed.contains("70000"));
}

}  // namespace
}  // namespace tus::core::test
