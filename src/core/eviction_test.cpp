#include "core/eviction.h"

#include "core/service_test_kit.h"

#include <tus/limited_store.h>
#include <tus/testing/manual_clock.h>

#include <algorithm>
#include <random>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

// ---- the plan

UploadInfo upload_of(const std::string& id, std::uint64_t length, int age) {
  UploadInfo info;
  info.id = *UploadId::parse(id);
  info.length = length;
  info.last_activity = std::chrono::sys_seconds(1'000'000s - std::chrono::seconds(age));
  return info;
}

std::vector<std::string> chosen(EvictOrder order, std::uint64_t missing,
                                const std::vector<UploadInfo>& all) {
  EvictionPlan plan(order, missing);
  for (const auto& info : all) {
    if (plan.wants(info)) plan.add(info);
  }
  std::vector<std::string> ids;
  for (const auto& victim : std::move(plan).victims()) ids.push_back(victim.id.str());
  return ids;
}

TEST(EvictionPlan, AsFewAsAreNeededInOrder) {  // [LIMIT-11]
  using Ids = std::vector<std::string>;
  const std::vector<UploadInfo> all{upload_of("a", 10, 1), upload_of("b", 50, 2),
                                    upload_of("c", 40, 4), upload_of("d", 30, 3)};
  EXPECT_EQ(chosen(EvictOrder::biggest, 1, all), Ids{"b"});
  EXPECT_EQ(chosen(EvictOrder::biggest, 50, all), Ids{"b"});
  EXPECT_EQ(chosen(EvictOrder::biggest, 51, all), (Ids{"b", "c"}));
  EXPECT_EQ(chosen(EvictOrder::biggest, 130, all), (Ids{"b", "c", "d", "a"}));
  EXPECT_EQ(chosen(EvictOrder::oldest, 40, all), Ids{"c"});
  EXPECT_EQ(chosen(EvictOrder::oldest, 71, all), (Ids{"c", "d", "b"}));
  EXPECT_EQ(chosen(EvictOrder::oldest, 131, all), Ids()) << "all together are not enough";
}

TEST(EvictionPlan, WhateverTheOrderItSeesThem) {  // [LIMIT-11]
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<UploadInfo> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(upload_of(std::to_string(i), 1 + random() % 1000, i));
    }
    std::ranges::shuffle(all, random);
    const std::uint64_t missing = 1 + random() % 9000;
    const auto ids = chosen(EvictOrder::biggest, missing, all);
    std::ranges::sort(all, std::greater(), [](const UploadInfo& info) { return *info.length; });
    std::uint64_t sum = 0;
    std::size_t needed = 0;
    while (needed < all.size() && sum < missing) sum += *all[needed++].length;
    ASSERT_EQ(ids.size(), sum >= missing ? needed : 0);
  }
}

// ---- the service

class CountingMetrics final : public MetricsSink {
 public:
  void request(std::string_view) noexcept override {}
  void error(ErrorCode) noexcept override {}
  void bytes_received(std::uint64_t) noexcept override {}
  void upload_created(const UploadInfo&) noexcept override { ++created; }
  void upload_finished(const UploadInfo&) noexcept override {}
  void upload_terminated(const UploadInfo&) noexcept override { ++terminated; }
  void upload_evicted() noexcept override { ++evicted; }
  void connection_opened() noexcept override {}
  void connection_closed() noexcept override {}
  int created = 0;
  int terminated = 0;
  int evicted = 0;
};

std::shared_ptr<Store> limited(std::shared_ptr<Store> inner, std::uint64_t bytes) {
  LimitedStoreOptions options;
  options.max_bytes = bytes;
  options.count_again_after = 0ms;
  return make_limited_store(std::move(inner), options, std::make_shared<SystemClock>(),
                            std::make_shared<NoLogger>());
}

// A request whose answer is looked at later.
class Running {
 public:
  Running(Bench& bench, RequestHead head, BodyScript body = BodyScript())
      : exchange_(std::move(head), std::move(body)),
        done_(
            asio::co_spawn(bench.context(), bench.handler().handle(exchange_), asio::use_future)) {}
  const std::optional<Response>& answer() { return exchange_.final_response(); }
  testing::ScriptSource& body() { return exchange_.body(); }

 private:
  FakeExchange exchange_;
  std::future<void> done_;
};

struct Evicting : ::testing::Test {
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::shared_ptr<FaultyStore> faulty = std::make_shared<FaultyStore>();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  std::shared_ptr<CountingMetrics> metrics = std::make_shared<CountingMetrics>();
  std::optional<Bench> bench_;

  // 100 bytes, by default of a store in which finishing takes something.
  Bench& start(EvictOrder order, std::shared_ptr<Store> inner = nullptr) {
    bench_.emplace(limited(inner ? std::move(inner) : faulty, 100), hooks);
    bench_->options.evict = order;
    bench_->options.finish_wait = 20ms;
    bench_->parts.metrics = metrics;
    return *bench_;
  }
  Bench& bench() { return *bench_; }

  static Fields create_fields(std::uint64_t length, const std::string& concat = "") {
    Fields fields;
    if (!concat.starts_with("final")) fields.add("Upload-Length", std::to_string(length));
    if (!concat.empty()) fields.add("Upload-Concat", concat);
    return fields;
  }
  Response try_create(std::uint64_t length, const std::string& concat = "") {
    return bench().request("POST", "/files/", create_fields(length, concat));
  }
  std::string create(std::uint64_t length, const std::string& concat = "") {
    const auto response = try_create(length, concat);
    EXPECT_EQ(response.status, 201) << response.body;
    const auto location = field(response, "Location");
    return location.substr(std::string("http://example.org").size());
  }
  // Finished, unless the store does not get so far.
  std::string whole(std::uint64_t length, const std::string& concat = "") {
    const auto path = create(length, concat);
    bench().patch(path, 0, std::string(length, 'x'));
    return path;
  }
  bool is_there(const std::string& path) { return bench().inspect(path).status != 404; }
  void expect_refused(const Response& response) {
    EXPECT_EQ(response.status, 507) << response.body;
    EXPECT_TRUE(response.body.starts_with("ERR_INSUFFICIENT_STORAGE"));
    EXPECT_NE(field(response, "Retry-After"), "(none)");
  }
  void settle() {
    bench().context().restart();
    bench().context().run_for(30ms);
  }
};

TEST_F(Evicting, NothingUnlessItIsWanted) {  // [LIMIT-10]
  EXPECT_EQ(HandlerOptions().evict, EvictOrder::none);
  start(EvictOrder::none);
  const auto a = create(60);
  expect_refused(try_create(41));
  EXPECT_TRUE(is_there(a));
  EXPECT_EQ(bench().patch(a, 0, std::string(60, 'x')).status, 204);
  create(40);
  EXPECT_EQ(metrics->terminated, 0);
}

TEST_F(Evicting, TheBiggestFirst) {  // [LIMIT-11]
  start(EvictOrder::biggest);
  const auto small = create(10);
  const auto big = create(50);
  const auto other = create(40);
  const auto first = create(30);
  EXPECT_FALSE(is_there(big));
  const auto second = create(30);
  EXPECT_FALSE(is_there(other)) << "20 were free, and this is the biggest";
  EXPECT_TRUE(is_there(small) && is_there(first) && is_there(second));
  EXPECT_EQ(metrics->evicted, 2);
}

TEST_F(Evicting, TheOldestFirst) {  // [LIMIT-11]
  start(EvictOrder::oldest, make_memory_store({}, clock));
  const auto a = create(10);
  clock->advance(1h);
  const auto b = create(30);
  clock->advance(1h);
  const auto c = create(60);
  clock->advance(1h);
  EXPECT_EQ(bench().patch(a, 0, "x").status, 204) << "and so it is the youngest";
  const auto d = create(31);
  EXPECT_FALSE(is_there(b) || is_there(c)) << "as many as are needed";
  EXPECT_TRUE(is_there(a) && is_there(d));
}

TEST_F(Evicting, FinishedOnesOnlyWhenAskedTo) {  // [LIMIT-12]
  start(EvictOrder::biggest);
  const auto finished = whole(60);
  const auto begun = create(30);
  create(20);
  EXPECT_FALSE(is_there(begun));
  EXPECT_TRUE(is_there(finished));

  bench_.reset();
  faulty = std::make_shared<FaultyStore>();
  start(EvictOrder::biggest).options.evict_finished = true;
  const auto again = whole(60);
  const auto other = create(30);
  create(20);
  EXPECT_FALSE(is_there(again));
  EXPECT_TRUE(is_there(other));
}

TEST_F(Evicting, NothingWhenItWouldNotBeEnough) {  // [LIMIT-14]
  start(EvictOrder::biggest);
  whole(60);
  const auto begun = create(30);
  expect_refused(try_create(41));
  expect_refused(try_create(101));
  expect_refused(try_create(INT64_MAX));
  EXPECT_TRUE(is_there(begun));
  EXPECT_EQ(metrics->terminated, 0);
  create(40);
  EXPECT_FALSE(is_there(begun));
}

TEST_F(Evicting, NotWhatSomebodyHolds) {  // [LIMIT-13]
  start(EvictOrder::biggest);
  const auto held = create(60);
  const auto idle = create(20);
  auto body = BodyScript::chunked(std::string(60, 'x'), 10);
  body.hold_before = 2;
  Running patch(bench(), Bench::head("PATCH", held, Bench::patch_fields(0)), std::move(body));
  settle();
  const auto next = create(30);
  EXPECT_FALSE(is_there(idle));
  expect_refused(try_create(60));
  EXPECT_TRUE(is_there(next)) << "with it alone there is not enough room";
  patch.body().release();
  settle();
  ASSERT_TRUE(patch.answer()) << "nobody has taken it away";
  EXPECT_EQ(patch.answer()->status, 204);
}

TEST_F(Evicting, NotWhatIsBeingFinished) {  // [LIMIT-13]
  start(EvictOrder::biggest).options.evict_finished = true;
  Event gate;
  faulty->faults->gate = &gate;
  const auto finishing = whole(60);
  EXPECT_EQ(bench().inspect(finishing).status, 503);
  const auto begun = create(20);
  expect_refused(try_create(50));
  EXPECT_TRUE(is_there(begun));
  create(30);
  EXPECT_FALSE(is_there(begun));
  gate.set();
  settle();
  EXPECT_EQ(field(bench().inspect(finishing), "Upload-Offset"), "60");
  create(50);
  EXPECT_FALSE(is_there(finishing));
}

TEST_F(Evicting, NotTheLastWordOfTheStore) {  // [LIMIT-13]
  // Given up after its last attempt: an operator has to look at it.
  start(EvictOrder::biggest).options.evict_finished = true;
  bench().options.finish_attempts = 1;
  faulty->faults->failures = 1;
  const auto abandoned = whole(60);
  settle();
  EXPECT_EQ(bench().inspect(abandoned).status, 500);
  expect_refused(try_create(50));
  EXPECT_EQ(bench().inspect(abandoned).status, 500);
}

TEST_F(Evicting, NotTheBytesOfAJoin) {  // [LIMIT-13]
  start(EvictOrder::biggest).options.evict_finished = true;
  Event gate;
  faulty->faults->join_gate = &gate;
  const auto part = whole(30, "partial");
  const auto joining = create(0, "final;" + part);
  expect_refused(try_create(50));
  EXPECT_EQ(bench().inspect(joining).status, 503) << "it goes on";
  gate.set();
  settle();
  EXPECT_EQ(field(bench().inspect(joining), "Upload-Offset"), "30");
  create(80);
  EXPECT_EQ(metrics->evicted, 2) << "the part and the whole, finished both";
}

TEST_F(Evicting, NotThePartsThatRoomIsMadeFor) {  // [LIMIT-13]
  start(EvictOrder::biggest).options.evict_finished = true;
  const auto part = whole(50, "partial");
  const auto other = create(10);
  expect_refused(try_create(0, "final;" + part + " " + part));
  expect_refused(try_create(0, "final;" + part + " " + part + " " + part));
  EXPECT_TRUE(is_there(part) && is_there(other));
  const auto joined = create(0, "final;" + part);
  EXPECT_FALSE(is_there(other));
  EXPECT_EQ(field(bench().inspect(joined), "Upload-Offset"), "50");
}

TEST_F(Evicting, AFinalUploadThatWaitsMayGo) {  // [LIMIT-13]
  start(EvictOrder::biggest);
  const auto part = create(20, "partial");
  const auto waiting = create(0, "final;" + part + " " + part);
  create(70);
  EXPECT_FALSE(is_there(waiting));
  EXPECT_TRUE(is_there(part));
}

TEST_F(Evicting, IsATermination) {  // [LIMIT-15]
  start(EvictOrder::biggest);
  hooks->wanted = {HookEvent::pre_terminate, HookEvent::post_terminate, HookEvent::post_create};
  create(60);
  hooks->heard.clear();
  create(50);
  // The first creation was refused, and made again when there was room.
  EXPECT_EQ(hooks->heard,
            (std::vector<std::string>{"promise post-create", "promise post-terminate",
                                      "happened post-terminate", "happened post-create"}));
  EXPECT_EQ(metrics->terminated, 1);
  EXPECT_EQ(metrics->evicted, 1);
  EXPECT_EQ(metrics->created, 2);

  // Who cannot tell that an upload goes does not let it go.
  hooks->promise_fails = true;
  hooks->wanted = {HookEvent::post_terminate};
  expect_refused(try_create(60));
  EXPECT_EQ(metrics->terminated, 1);
}

TEST_F(Evicting, TwoAtOnceEndNoMoreThanTheyNeed) {  // [LIMIT-16]
  start(EvictOrder::biggest);
  for (int i = 0; i < 10; ++i) create(10);
  faulty->faults->pages_take_turns = true;
  std::vector<std::unique_ptr<Running>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(
        std::make_unique<Running>(bench(), Bench::head("POST", "/files/", create_fields(5))));
  }
  settle();
  for (auto& one : all) {
    ASSERT_TRUE(one->answer());
    EXPECT_EQ(one->answer()->status, 201);
  }
  EXPECT_EQ(metrics->evicted, 2);
}

TEST_F(Evicting, CountsAtTheStart) {  // [LIMIT-5]
  start(EvictOrder::none);
  create(60);
  bench_.reset();
  start(EvictOrder::none);
  const auto before = faulty->faults->scans;
  bench().handler().recover();
  settle();
  EXPECT_EQ(faulty->faults->scans, before + 2) << "for what awaits its finish, and to count";
  expect_refused(try_create(50));
}

}  // namespace
}  // namespace tus::core::test
