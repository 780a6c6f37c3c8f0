// A handler with hooks takes over a directory of Go's tusd: what Go has finished is not finished again.
#include "core/service_test_kit.h"

#include <tus/file_store.h>
#include <tus/testing/inline_pool.h>
#include <tus/testing/temporary_directory.h>

#include <fstream>
#include <string_view>

namespace tus::core::test {
namespace {

using Heard = std::vector<std::string>;

const std::vector<HookEvent> all_events{HookEvent::pre_create,    HookEvent::post_create,
                                        HookEvent::pre_finish,    HookEvent::post_finish,
                                        HookEvent::pre_terminate, HookEvent::post_terminate};
const Heard finished_once{"ask pre-finish", "promise post-finish", "happened post-finish"};

class TakeOver : public ::testing::TestWithParam<FsyncPolicy> {
 protected:
  // The server starts, and looks for work that was left behind.
  void start() {
    bench_.reset();
    FileStoreOptions options;
    options.directory = directory_.path();
    options.fsync = GetParam();
    auto store = make_file_store(options, std::make_shared<tus::testing::InlinePool>(),
                                 std::make_shared<SystemClock>(), std::make_shared<NoLogger>());
    ASSERT_TRUE(store) << store.error().detail();
    hooks_->wanted = all_events;
    bench_ = std::make_unique<Bench>(*store, hooks_);
    bench_->handler().recover();
    bench_->context().restart();
    bench_->context().run_for(std::chrono::milliseconds(20));
  }

  void put(const std::string& name, std::string_view text) {
    std::ofstream(directory_.path() / name, std::ios::binary) << text;
  }
  // As Go's tusd leaves it.
  void put_upload(const std::string& id, std::string_view size, std::string_view data,
                  std::string_view more = R"("IsPartial":false,"IsFinal":false)") {
    const auto place = (directory_.path() / id).string();
    put(id, data);
    put(id + ".info", R"({"ID":")" + id + R"(","Size":)" + std::string(size) +
                          R"(,"SizeIsDeferred":false,"Offset":0,"MetaData":{},)" +
                          std::string(more) + R"(,"PartialUploads":null,"Storage":{"InfoPath":")" +
                          place + R"(.info","Path":")" + place + R"(","Type":"filestore"}})");
  }
  Heard heard() { return std::exchange(hooks_->heard, {}); }
  Bench& bench() { return *bench_; }

 private:
  tus::testing::TemporaryDirectory directory_;
  std::shared_ptr<RecordingHooks> hooks_ = std::make_shared<RecordingHooks>();
  std::unique_ptr<Bench> bench_;
};

// [MIG-2] no finished upload runs its hooks again, whatever is asked of it.
TEST_P(TakeOver, FinishesNothingThatGoHasFinished) {
  put_upload("done", "5", "hello");
  put_upload("empty", "0", "");
  put_upload("part", "5", "hello", R"("IsPartial":true,"IsFinal":false)");
  put_upload("final", "5", "hello", R"("IsPartial":false,"IsFinal":true)");
  for (int starts = 0; starts < 2; ++starts) {
    start();
    for (const std::string path : {"/files/done", "/files/empty", "/files/part", "/files/final"}) {
      const auto answer = bench().inspect(path);
      EXPECT_EQ(answer.status, 200) << path;
      EXPECT_EQ(field(answer, "Upload-Offset"), field(answer, "Upload-Length")) << path;
    }
    EXPECT_EQ(bench().patch("/files/done", 5, "").status, 204);
    EXPECT_EQ(bench().patch("/files/done", 5, "x").status, 413);
    EXPECT_EQ(bench().patch("/files/empty", 0, "").status, 204);
    EXPECT_EQ(bench().patch("/files/part", 5, "").status, 204);
    EXPECT_EQ(bench().patch("/files/final", 5, "").status, 403);
    EXPECT_EQ(heard(), Heard());
  }
  EXPECT_EQ(bench().request("DELETE", "/files/done", {}).status, 204);
  EXPECT_EQ(heard(),
            (Heard{"ask pre-terminate", "promise post-terminate", "happened post-terminate"}));
}

// [MIG-2] what Go has begun is finished once, with hooks, and stays so over restarts.
TEST_P(TakeOver, FinishesOnceWhatGoHasBegun) {
  put_upload("half", "11", "hello");
  start();
  EXPECT_EQ(heard(), Heard());
  EXPECT_EQ(bench().patch("/files/half", 5, " wo").status, 204);
  EXPECT_EQ(heard(), Heard());
  start();
  EXPECT_EQ(bench().patch("/files/half", 8, "rld").status, 204);
  EXPECT_EQ(heard(), finished_once);
  for (int starts = 0; starts < 2; ++starts) {
    start();
    EXPECT_EQ(field(bench().inspect("/files/half"), "Upload-Offset"), "11");
    EXPECT_EQ(bench().patch("/files/half", 11, "").status, 204);
    EXPECT_EQ(heard(), Heard());
  }
}

// [MIG-9] what we began and Go completed is finished by us as well when our process had died: nothing tells that
// Go did it. (A clean stop closes the store, which leaves nothing to finish.)
TEST_P(TakeOver, FinishesWhatGoCompletedForUs) {
  if (GetParam() == FsyncPolicy::always) return;  // there it falls back to what we know to be safe
  start();
  const auto path = bench().create(11);
  EXPECT_EQ(bench().patch(path, 0, "hello").status, 204);
  heard();
  start();  // a stop that does not close the store, then Go's turn
  put(path.substr(std::string("/files/").size()), "hello world");
  start();
  EXPECT_EQ(heard(), finished_once);
  EXPECT_EQ(field(bench().inspect(path), "Upload-Offset"), "11");
  start();
  EXPECT_EQ(heard(), Heard());
}

INSTANTIATE_TEST_SUITE_P(Policies, TakeOver,
                         ::testing::Values(FsyncPolicy::off, FsyncPolicy::finish,
                                           FsyncPolicy::always));

}  // namespace
}  // namespace tus::core::test
