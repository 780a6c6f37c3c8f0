// Appends with a checksum where something else happens meanwhile.
#include "core/service_test_kit.h"
#include "digest/hasher.h"
#include "protocol/header_values.h"

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

std::string sum_of(const std::string& bytes) {
  const auto digest = digest::digest_of(ChecksumAlgorithm::crc32c, std::as_bytes(std::span(bytes)));
  return "crc32c " + protocol::encode_base64(digest);
}

struct Checked : ::testing::Test {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  Bench bench{store};

  static Fields fields(std::uint64_t offset, const std::string& checksum) {
    auto result = Bench::patch_fields(offset);
    result.add("Upload-Checksum", checksum);
    return result;
  }
  // In pieces, so that it is not looked at before it is stored.
  Response patch(const std::string& path, std::uint64_t offset, const std::string& bytes,
                 const std::string& checksum) {
    return bench.request("PATCH", path, fields(offset, checksum), BodyScript::chunked(bytes, 2));
  }
  std::string offset(const std::string& path) {
    return field(bench.inspect(path), "Upload-Offset");
  }
};

TEST_F(Checked, IsCommittedBeforeItIsFinished) {  // [CHECK-57] [FIN-1]
  const auto path = bench.create(5);
  store->faults->failures = 1;
  EXPECT_EQ(patch(path, 0, "hello", sum_of("hello")).status, 204);
  EXPECT_EQ(store->faults->commits, 1);
  EXPECT_EQ(store->faults->finishes, 2);
  EXPECT_EQ(offset(path), "5");
}

TEST_F(Checked, NothingCountsWhenAnotherRequestTakesOver) {  // [CHECK-60] [LOCK-1]
  const auto path = bench.create(5);
  auto script = BodyScript::whole("hell");
  script.announced = 5;
  script.hold_before = 1;
  FakeExchange stalled(Bench::head("PATCH", path, fields(0, sum_of("hello"))), script);
  auto done = asio::co_spawn(bench.context(), bench.handler().handle(stalled), asio::use_future);
  ASSERT_TRUE(bench.run(stalled.body().held(Bench::in(5s))));
  EXPECT_EQ(offset(path), "0");
  ASSERT_TRUE(stalled.final_response());
  bench.context().restart();
  bench.context().poll();
  EXPECT_EQ(done.wait_for(0s), std::future_status::ready);
  EXPECT_EQ(stalled.final_response()->status, 423);
  EXPECT_EQ(field(*stalled.final_response(), "Upload-Offset"), "0");
  EXPECT_EQ(store->faults->rollbacks, 1);
  EXPECT_EQ(bench.patch(path, 0, "hello").status, 204);
}

TEST_F(Checked, NothingCountsWhenTheRollbackFailsToo) {  // [CHECK-58]
  const auto path = bench.create(5);
  store->faults->rollback_fails = true;
  const auto refused = patch(path, 0, "hello", sum_of("other"));
  EXPECT_EQ(refused.status, 460);
  EXPECT_EQ(field(refused, "Upload-Offset"), "0");
  EXPECT_EQ(offset(path), "0");
  EXPECT_EQ(patch(path, 0, "hello", sum_of("hello")).status, 204);
}

// A commit whose answer is lost may have happened: taking the bytes away would take back what counts.
TEST_F(Checked, ACommitOfUnknownOutcomeIsNotTakenBack) {  // [CHECK-57]
  const auto path = bench.create(9);
  store->faults->commit_answer_is_lost = true;
  EXPECT_EQ(patch(path, 0, "hello", sum_of("hello")).status, 503);
  EXPECT_EQ(store->faults->rollbacks, 0);
  store->faults->commit_answer_is_lost = false;
  EXPECT_EQ(offset(path), "5");
}

TEST_F(Checked, ASmallBodyIsLookedAtFirst) {  // [CHECK-57]
  const auto path = bench.create(10);
  auto script = BodyScript::whole("hello");
  script.arrived = 1;
  EXPECT_EQ(bench.request("PATCH", path, fields(0, sum_of("hello")), script).status, 204);
  EXPECT_EQ(store->faults->commits, 0) << "stored like any other";
  EXPECT_EQ(bench.request("PATCH", path, fields(5, sum_of("hella")), script).status, 460);
  EXPECT_EQ(offset(path), "5");
}

TEST_F(Checked, IsNotOfferedByAStoreThatCannotStage) {  // [CHECK-55] [ERR-7]
  store->faults->can_little = true;
  const auto path = bench.create(5);
  const auto refused = patch(path, 0, "hello", sum_of("hello"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(refused.body.starts_with("ERR_CHECKSUM_UNSUPPORTED")) << refused.body;
  EXPECT_EQ(offset(path), "0");
  EXPECT_EQ(field(bench.request("OPTIONS", "/files/", {}), "Tus-Checksum-Algorithm"), "(none)");
}

}  // namespace
}  // namespace tus::core::test
