#include "core/service_test_kit.h"

#include <algorithm>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds written{std::chrono::seconds(784111777)};

// What the store is asked for, and how its streams go wrong.
struct ReadLog {
  std::vector<ByteRange> reads;
  bool has_dates = true;
  bool breaks = false;  // after the first piece
  bool open_fails = false;
};

class LoggedStream final : public ReadStream {
 public:
  LoggedStream(std::unique_ptr<ReadStream> inner, std::shared_ptr<ReadLog> log)
      : inner_(std::move(inner)), log_(std::move(log)) {}
  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline deadline) override {
    if (log_->breaks && begun_) co_return fail(ErrorCode::store_unavailable, "told to break");
    begun_ = true;
    co_return co_await inner_->read(into.first(std::min<std::size_t>(into.size(), 3)), deadline);
  }
  std::optional<std::chrono::sys_seconds> last_modified() const noexcept override {
    return log_->has_dates ? std::optional(written) : std::nullopt;
  }

 private:
  std::unique_ptr<ReadStream> inner_;
  std::shared_ptr<ReadLog> log_;
  bool begun_ = false;
};

// The memory store, whose uploads know when they were written.
class LoggedStore final : public Store {
 public:
  StoreCapabilities capabilities() const noexcept override { return inner_->capabilities(); }
  Awaitable<Result<std::unique_ptr<Upload>>> create(UploadDraft draft, const Lease& lease,
                                                    std::span<const std::byte> first,
                                                    Deadline deadline) override {
    return inner_->create(std::move(draft), lease, first, deadline);
  }
  Awaitable<Result<std::unique_ptr<Upload>>> open(UploadId id, const Lease& lease,
                                                  Deadline deadline) override {
    return inner_->open(std::move(id), lease, deadline);
  }
  Awaitable<Result<UploadInfo>> inspect(UploadId id, Deadline deadline) override {
    return inner_->inspect(std::move(id), deadline);
  }
  Awaitable<Result<std::unique_ptr<ReadStream>>> read(UploadId id, ByteRange range,
                                                      Deadline deadline) override {
    log->reads.push_back(range);
    if (log->open_fails) co_return fail(ErrorCode::store_unavailable, "told to fail");
    auto stream = co_await inner_->read(std::move(id), range, deadline);
    if (!stream) co_return fail(stream.error());
    co_return std::make_unique<LoggedStream>(std::move(*stream), log);
  }
  std::unique_ptr<UploadScan> scan(ScanOptions options) override { return inner_->scan(options); }
  Awaitable<Result<StoreUsage>> usage(Deadline deadline) override {
    return inner_->usage(deadline);
  }
  Awaitable<Status> health(Deadline deadline) override { return inner_->health(deadline); }
  Awaitable<void> close(Deadline deadline) override { return inner_->close(deadline); }

  std::shared_ptr<ReadLog> log = std::make_shared<ReadLog>();

 private:
  std::shared_ptr<Store> inner_ = make_memory_store();
};

// Counts, and refuses: a download needs neither.
class NoLocker final : public Locker {
 public:
  explicit NoLocker(std::shared_ptr<Locker> inner) : inner_(std::move(inner)) {}
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId id, Deadline deadline,
                                                    std::shared_ptr<LeaseHolder> holder) override {
    ++asked;
    return inner_->acquire(std::move(id), deadline, std::move(holder));
  }
  Awaitable<Result<bool>> is_held(UploadId id) override {
    ++asked;
    return inner_->is_held(std::move(id));
  }
  int asked = 0;

 private:
  std::shared_ptr<Locker> inner_;
};

class Reads : public ::testing::Test {
 protected:
  std::string finished(const std::string& bytes) {
    const auto path = bench.create(bytes.size());
    EXPECT_EQ(bench.patch(path, 0, bytes).status, 204);
    return path;
  }
  Response get(const std::string& path, const std::string& name = "", const std::string& value = "",
               const std::string& range = "") {
    Fields fields;
    if (!name.empty()) fields.add(name, value);
    if (!range.empty()) fields.add("Range", range);
    return bench.request("GET", path, std::move(fields));
  }

  std::shared_ptr<LoggedStore> store = std::make_shared<LoggedStore>();
  Bench bench{store};
};

TEST_F(Reads, TakeNoLock) {  // [HTTP-46]
  const auto path = finished("hello");
  auto locker = std::make_shared<NoLocker>(bench.parts.locker);
  Bench other(store);
  other.parts.locker = locker;
  EXPECT_EQ(other.request("GET", path, {}).body, "hello");
  EXPECT_EQ(other.request("GET", path + "x", {}).status, 404);
  EXPECT_EQ(locker->asked, 0);
}

TEST_F(Reads, OpenTheRangeThatIsSent) {  // [DL-2] [DL-15]
  const auto path = finished("hello world");
  const auto part = get(path, "", "", "bytes=6-8");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "wor");
  ASSERT_EQ(store->log->reads.size(), 1u);
  EXPECT_EQ(store->log->reads[0].first, 6u);
  EXPECT_EQ(store->log->reads[0].count, 3u);
  EXPECT_EQ(field(part, "Last-Modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST_F(Reads, OpenNothingThatIsNotSent) {  // [DL-5] [DL-15]
  const auto path = finished("hello");
  EXPECT_EQ(get(path, "If-None-Match", "*").status, 304);
  EXPECT_EQ(get(path, "If-Match", "\"x\"").status, 412);
  EXPECT_EQ(get(path, "", "", "bytes=5-").status, 416);
  EXPECT_TRUE(store->log->reads.empty());
}

TEST_F(Reads, ConditionsOnDates) {  // [DL-6]
  const auto path = finished("hello");
  const std::string same = "Sun, 06 Nov 1994 08:49:37 GMT";
  const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
  EXPECT_EQ(get(path, "If-Modified-Since", same).status, 304);
  EXPECT_EQ(get(path, "If-Modified-Since", before).body, "hello");
  EXPECT_EQ(get(path, "If-Unmodified-Since", same).body, "hello");
  EXPECT_EQ(get(path, "If-Unmodified-Since", before).status, 412);
  store->log->has_dates = false;
  EXPECT_EQ(get(path, "If-Modified-Since", same).body, "hello");
  EXPECT_EQ(field(get(path), "Last-Modified"), "(none)");
}

TEST_F(Reads, ADateMayMakeARangeCount) {  // [DL-7]
  const auto path = finished("hello");
  const auto part = get(path, "If-Range", "Sun, 06 Nov 1994 08:49:37 GMT", "bytes=1-2");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "el");
  EXPECT_EQ(get(path, "If-Range", "Sun, 06 Nov 1994 08:49:36 GMT", "bytes=1-2").body, "hello");
}

TEST_F(Reads, AStreamThatBreaksIsNoWholeBody) {  // [DL-16]
  const auto path = finished("hello");
  store->log->breaks = true;
  FakeExchange exchange(Bench::head("GET", path, {}), BodyScript());
  EXPECT_EQ(bench.send(exchange).body, "hel");
  EXPECT_TRUE(exchange.content_broke());
}

TEST_F(Reads, AStoreThatDoesNotOpenIsAnError) {  // [DL-16]
  const auto path = finished("hello");
  store->log->open_fails = true;
  const auto refused = get(path);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(field(refused, "Retry-After"), "5");
  EXPECT_EQ(field(refused, "ETag"), "(none)");
}

// An upload with all its bytes, whose finish waits for a gate.
class ReadsOfUnfinished : public ::testing::Test {
 protected:
  std::string finishing() {
    store->faults->gate = &gate;
    bench.options.finish_wait = 50ms;
    auto path = bench.create(5);
    EXPECT_EQ(bench.patch(path, 0, "hello").status, 503);
    return path;
  }
  void finish() { gate.set(); }

  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  Event gate;
  Bench bench{store};
};

TEST_F(ReadsOfUnfinished, WaitForTheFinish) {  // [DL-12]
  const auto path = finishing();
  const auto early = bench.request("GET", path, {});
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(field(early, "Retry-After"), "5");
  EXPECT_EQ(early.error, ErrorCode::upload_finishing);
  finish();
  EXPECT_EQ(bench.inspect(path).status, 200);
  EXPECT_EQ(bench.request("GET", path, {}).body, "hello");
}

TEST_F(ReadsOfUnfinished, AFinishIsNotDisturbedByADeleteThatIsRefused) {  // [TERM-80]
  bench.options.allow_termination_of_finished = false;
  const auto path = finishing();
  EXPECT_EQ(bench.request("DELETE", path, {}).error, ErrorCode::termination_rejected);
  finish();
  EXPECT_EQ(bench.inspect(path).status, 200);
  EXPECT_EQ(store->faults->finishes, 1);
}

TEST_F(ReadsOfUnfinished, AThrowingStoreIsAnError) {  // [DL-16]
  const auto path = bench.create(5);
  store->faults->inspect_throws_for = path.substr(std::string("/files/").size());
  EXPECT_EQ(bench.request("GET", path, {}).status, 500);
}

}  // namespace
}  // namespace tus::core::test
