// After whatever crash: what -s3-repair makes of it is what Go's tusd can go on with, at the offset that we tell.
#include "stores/s3/go_tusd_test_kit.h"
#include "stores/s3/s3_test_kit.h"

#include <algorithm>
#include <functional>

namespace tus::s3::test {
namespace {

StoreOptions large_parts() {
  auto options = Bench::small_options();
  options.parts.preferred = 20;
  return options;
}

class Mending {
 public:
  explicit Mending(StoreOptions options = Bench::small_options())
      : bench(options),
        go(bench.bucket(), "uploads", options.parts.smallest, options.parts.preferred) {
    now.idle_for = std::chrono::seconds(0);
    now.tell = [this](const S3RepairNote& note) { notes.push_back(note); };
  }

  S3RepairReport repair() {
    notes.clear();
    auto report = run(bench.store().repair(now));
    EXPECT_TRUE(report);
    return report ? *report : S3RepairReport();
  }
  std::string said() const {
    std::string all;
    for (const auto& note : notes) all += note.id + ": " + note.what + "\n";
    return all;
  }

  // It can be done again, and nothing happens then.
  void expect_settled() {
    bench.faults().reset_counts();
    const auto again = repair();
    EXPECT_EQ(again.mended, 0u) << said();
    EXPECT_EQ(again.failed, 0u) << said();
    for (auto operation : {Operation::put_object, Operation::delete_object, Operation::put_part,
                           Operation::complete_multipart, Operation::abort_multipart}) {
      EXPECT_EQ(bench.faults().requests(operation), 0) << name_of(operation);
    }
  }

  // Whatever is there of it after a crash. `told` is the offset that its client knows.
  void expect_go_goes_on(const UploadId& id, const std::string& text, std::uint64_t told) {
    bench.restart();
    const auto before = bench.inspect(id);
    const auto report = repair();
    EXPECT_EQ(report.failed + report.left_alone, 0u) << said();
    expect_settled();
    bench.restart();
    const auto after = bench.inspect(id);
    if (!before) {
      EXPECT_TRUE(before.error() == ErrorCode::upload_not_found) << before.error().detail();
      EXPECT_FALSE(run(go.offset(id.str()))) << "it was removed";
      return;
    }
    ASSERT_TRUE(after) << after.error().detail() << said();
    if (!before->join_pending) EXPECT_EQ(after->offset, before->offset);
    EXPECT_GE(after->offset, told);
    EXPECT_EQ(run(go.offset(id.str())), after->offset) << said();
    if (report.impossible == 0) return go_on_as_go(id, text);
    go_on_ourselves(id, text);
  }

  void go_on_as_go(const UploadId& id, const std::string& text) {
    for (auto at = run(go.offset(id.str())); at && at < text.size();
         at = run(go.offset(id.str()))) {
      const auto piece = text.substr(static_cast<std::size_t>(*at), 7);
      ASSERT_TRUE(run(go.append(id.str(), piece))) << *at << " " << said();
    }
    EXPECT_EQ(run(go.offset(id.str())), text.size());
    EXPECT_TRUE(bench.bucket().peek("a") == text) << "other bytes, " << said();
  }

  void go_on_ourselves(const UploadId& id, const std::string& text) {
    auto upload = bench.open(id);
    ASSERT_TRUE(upload);
    const auto at = static_cast<std::size_t>((*upload)->info().offset);
    EXPECT_EQ(Bench::append(**upload, text.substr(at)).safe_offset, text.size());
    EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
    EXPECT_TRUE(bench.bucket().peek("a") == text) << "other bytes, " << said();
  }

  Bench bench;
  GoTusd go;
  S3RepairOptions now;
  std::vector<S3RepairNote> notes;
};

// Does `work` with an upload of these bytes, in a process that dies at the n-th request or before it, for every n.
using Work = std::function<std::uint64_t(Mending&, const UploadId&, const std::string& text)>;

void die_everywhere(const StoreOptions& options, const std::string& text, std::string_view first,
                    const Work& work) {
  for (const bool is_done : {false, true}) {
    for (int n = 1; n < 200; ++n) {
      SCOPED_TRACE("request " + std::to_string(n) + (is_done ? " done" : ""));
      Mending mending(options);
      auto& faults = mending.bench.faults();
      auto made = mending.bench.create("a", text.size(), first);
      ASSERT_TRUE(made);
      const auto id = (*made)->info().id;
      made->reset();
      if (is_done) {
        faults.die_during(n);
      } else {
        faults.die_after(n);
      }
      const auto told = work(mending, id, text);
      const bool died = faults.is_dead();
      mending.expect_go_goes_on(id, text, std::max<std::uint64_t>(told, first.size()));
      if (::testing::Test::HasFailure()) return;
      if (!died) break;
    }
  }
}

std::uint64_t append_pieces(Mending& mending, const UploadId& id, const std::string& text,
                            std::initializer_list<std::size_t> ends) {
  std::uint64_t told = 0;
  for (const auto end : ends) {
    auto upload = mending.bench.open(id);
    if (!upload) return told;
    const auto at = static_cast<std::size_t>((*upload)->info().offset);
    if (at >= end) continue;
    told = std::max(told, Bench::append(**upload, text.substr(at, end - at)).safe_offset);
  }
  return told;
}

// [S3-40] [S3-41] Small pieces, so that there is a .part at any moment, before a part and after it.
TEST(s3_repair, an_append_that_was_cut_off) {
  const auto text = pattern(40);
  die_everywhere(Bench::small_options(), text, text.substr(0, 3),
                 [](Mending& mending, const UploadId& id, const std::string& all) {
                   return append_pieces(mending, id, all, {4, 9, 21, 23, 35});
                 });
  die_everywhere(large_parts(), text, text.substr(0, 3),
                 [](Mending& mending, const UploadId& id, const std::string& all) {
                   return append_pieces(mending, id, all, {17, 31, 33});
                 });
}

// [S3-42] To the end, with parts only or with a rest, so that Complete is cut off too.
TEST(s3_repair, a_finish_that_was_cut_off) {
  const auto finish = [](Mending& mending, const UploadId& id, const std::string& all) {
    const auto told = append_pieces(mending, id, all, {6, all.size()});
    auto upload = mending.bench.open(id);
    if (upload) (void)run((*upload)->finish_and_record(FakeLease(), never));
    return told;
  };
  die_everywhere(Bench::small_options(), pattern(20), pattern(20).substr(0, 2), finish);
  die_everywhere(Bench::small_options(), pattern(23), pattern(23).substr(0, 2), finish);
}

// [S3-42] Its length came after its bytes, so that the last of them are in .part.
TEST(s3_repair, a_finish_of_a_rest_that_was_cut_off) {
  for (int n = 1; n < 40; ++n) {
    SCOPED_TRACE(n);
    Mending mending;
    const auto text = pattern(13);
    auto made = mending.bench.create("a", std::nullopt);
    ASSERT_TRUE(made);
    const auto id = (*made)->info().id;
    EXPECT_EQ(Bench::append(**made, text).safe_offset, 13u);
    ASSERT_TRUE(run((*made)->declare_length(FakeLease(), 13, never)));
    mending.bench.faults().die_during(n);
    (void)run((*made)->finish_and_record(FakeLease(), never));
    const bool died = mending.bench.faults().is_dead();
    made->reset();
    mending.expect_go_goes_on(id, text, 13);
    EXPECT_EQ(mending.bench.bucket().keys(), (std::vector<std::string>{"a", "a.info"}));
    if (!died) break;
  }
}

// [S3-42] All or nothing of it is left, and never an upload that Go's tusd would show.
TEST(s3_repair, a_removal_that_was_cut_off) {
  const auto text = pattern(23);
  for (int n = 1; n < 40; ++n) {
    SCOPED_TRACE(n);
    Mending mending;
    auto made = mending.bench.create("a", 40, text);
    ASSERT_TRUE(made);
    const auto id = (*made)->info().id;
    mending.bench.faults().die_during(n);
    const bool removed = run((*made)->terminate(FakeLease(), never)).has_value();
    made->reset();
    mending.bench.restart();
    const bool is_there = mending.bench.inspect(id).has_value();
    mending.repair();
    EXPECT_EQ(run(mending.go.offset(id.str())).has_value(), is_there) << mending.said();
    if (!is_there) {
      EXPECT_TRUE(mending.bench.bucket().keys().empty());
      EXPECT_TRUE(mending.bench.bucket().multiparts().empty());
    }
    mending.expect_settled();
    if (removed) break;
  }
}

void join_cut_off_at(int n, bool& died) {
  Mending mending;
  auto& bench = mending.bench;
  std::vector<std::string> parts;
  for (const auto& [name, size] : {std::pair("p", 17), std::pair("q", 3), std::pair("r", 11)}) {
    auto part = bench.create(name, size, pattern(static_cast<std::size_t>(size), *name));
    ASSERT_TRUE(part);
    ASSERT_TRUE(run((*part)->finish_and_record(FakeLease(), never)));
    parts.push_back((*part)->info().id.str());
  }
  UploadDraft draft;
  draft.id = id_of("a");
  draft.length = 31;
  draft.partial_uploads = parts;
  draft.finish = FinishState::pending;
  auto placed = run(bench.store().place(std::move(draft), never));
  ASSERT_TRUE(placed);
  const auto id = placed->id;
  auto made = run(bench.store().create(*std::move(placed), FakeLease(), {}, never));
  ASSERT_TRUE(made);
  bench.faults().die_during(n);
  (void)run((*made)->concatenate(FakeLease(), never));
  died = bench.faults().is_dead();
  made->reset();
  mending.expect_go_goes_on(id, pattern(17, 'p') + pattern(3, 'q') + pattern(11, 'r'), 0);
  EXPECT_TRUE(run(bench.store().pending_joins(never))->empty());
}

// [S3-42]
TEST(s3_repair, a_join_that_was_cut_off) {
  bool died = true;
  for (int n = 1; died && n < 60; ++n) {
    SCOPED_TRACE(n);
    join_cut_off_at(n, died);
    if (::testing::Test::HasFailure()) return;
  }
}

// [S3-41] Bytes that wait for their checksum go into the upload one part after the other.
TEST(s3_repair, a_commit_that_was_cut_off) {
  const auto text = pattern(40);
  die_everywhere(Bench::small_options(), text, text.substr(0, 3),
                 [](Mending& mending, const UploadId& id, const std::string& all) {
                   auto upload = mending.bench.open(id);
                   if (!upload) return std::uint64_t{0};
                   ScriptSource source(BodyScript::whole(all.substr(3, 15)));
                   AppendRequest request(3);
                   request.mode = AppendRequest::Mode::staged;
                   (void)run((*upload)->append(FakeLease(), source, request, never));
                   (void)run((*upload)->commit_staged(FakeLease(), never));
                   return std::uint64_t{3};
                 });
}

// [S3-43] One of several parts side by side is lost, at any place, with and without a .part before them.
TEST(s3_repair, a_part_that_was_lost) {
  int mended = 0;
  int impossible = 0;
  for (const std::size_t first : {3, 12, 19, 25, 37}) {
    for (int lost = 1; lost <= 3; ++lost) {
      SCOPED_TRACE(std::to_string(first) + " bytes before, lost " + std::to_string(lost));
      Mending mending(large_parts());
      const auto text = pattern(100);
      auto made = mending.bench.create("a", text.size());
      ASSERT_TRUE(made);
      const auto id = (*made)->info().id;
      EXPECT_EQ(Bench::append(**made, text.substr(0, first)).safe_offset, first);
      mending.bench.faults().fail_nth(Operation::put_part, lost, Fault::fails);
      const auto told = Bench::append(**made, text.substr(first, 70)).safe_offset;
      made->reset();
      mending.expect_go_goes_on(id, text, told);
      if (::testing::Test::HasFailure()) return;
      for (const auto& note : mending.notes) impossible += note.outcome == S3Mending::impossible;
      mended += mending.notes.empty();
    }
  }
  EXPECT_GT(mended, 0);
  EXPECT_GT(impossible, 0);
}

// [S3-43] A repair that dies is repaired by the next.
TEST(s3_repair, a_repair_that_was_cut_off) {
  for (const std::size_t first : {3, 19}) {
    for (int n = 1; n < 60; ++n) {
      SCOPED_TRACE(n);
      Mending mending(large_parts());
      const auto text = pattern(100);
      auto made = mending.bench.create("a", text.size());
      ASSERT_TRUE(made);
      const auto id = (*made)->info().id;
      EXPECT_EQ(Bench::append(**made, text.substr(0, first)).safe_offset, first);
      mending.bench.faults().fail_nth(Operation::put_part, 1, Fault::fails);
      (void)Bench::append(**made, text.substr(first, 70));
      made->reset();
      mending.bench.restart();
      mending.bench.faults().die_during(n);
      (void)run(mending.bench.store().repair(mending.now));
      const bool died = mending.bench.faults().is_dead();
      mending.expect_go_goes_on(id, text, first);
      if (::testing::Test::HasFailure()) return;
      if (!died) break;
    }
  }
}

// Of somebody who does not let go.
class HeldLocker final : public Locker {
 public:
  Awaitable<Result<std::unique_ptr<Lease>>> acquire(UploadId, Deadline,
                                                    std::shared_ptr<LeaseHolder>) override {
    ++asked;
    if (is_free) co_return std::make_unique<FakeLease>();
    co_return fail(ErrorCode::upload_locked);
  }
  Awaitable<Result<bool>> is_held(UploadId) override { co_return !is_free && shows_it; }

  bool is_free = false;
  bool shows_it = true;
  int asked = 0;
};

std::string go_record(const UploadId& id, std::uint64_t size) {
  return R"({"ID":")" + id.str() + R"(","Size":)" + std::to_string(size) +
         R"(,"SizeIsDeferred":false,"Offset":0,"MetaData":{},"IsPartial":false,"IsFinal":false,)"
         R"("PartialUploads":null,"Storage":{"Bucket":"uploads","Key":"a","Type":"s3store"}})";
}

// An upload of Go's tusd, of parts with these numbers and bytes.
UploadId go_upload(Mending& mending,
                   const std::vector<std::pair<std::uint32_t, std::string>>& parts,
                   std::uint64_t size) {
  auto& bucket = mending.bench.bucket();
  const auto multipart = run(bucket.create_multipart({"uploads", "a"}, {}, never)).value();
  for (const auto& [number, bytes] : parts) {
    Payload payload;
    payload.pieces.push_back(std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(run(bucket.put_part({{"uploads", "a"}, multipart}, number, payload, never)));
  }
  auto id = id_of("a+" + multipart);
  bucket.put_behind_the_back({"uploads", "a.info"}, go_record(id, size));
  return id;
}

// [S3-40] Healthy ones of Go's are not written to.
TEST(s3_repair, leaves_what_go_has_left) {
  Mending mending;
  const auto text = pattern(40);
  const auto id = go_upload(mending, {{1, text.substr(0, 5)}, {2, text.substr(5, 6)}}, 40);
  mending.bench.bucket().put_behind_the_back({"uploads", "a.part"}, text.substr(11, 3));
  const auto record = mending.bench.bucket().peek("a.info");
  mending.expect_settled();
  EXPECT_EQ(mending.bench.bucket().peek("a.info"), record);
  mending.expect_go_goes_on(id, text, 14);
}

// [S3-45] Of Go's, too, only those bytes count that have no gap before them; its .part lies behind them all.
TEST(s3_repair, a_gap_that_go_has_left) {
  const auto text = pattern(40);
  for (const bool ours_goes_on : {false, true}) {
    Mending mending;
    const auto id = go_upload(mending, {{1, text.substr(0, 5)}, {3, text.substr(10, 5)}}, 40);
    mending.bench.bucket().put_behind_the_back({"uploads", "a.part"}, text.substr(15, 3));
    EXPECT_EQ(mending.bench.inspect(id)->offset, 5u);
    if (ours_goes_on) {
      // Killed at any request: what was astray never counts.
      mending.bench.faults().die_during(5);
      (void)append_pieces(mending, id, text, {7, 9});
      mending.bench.restart();
      EXPECT_LE(mending.bench.inspect(id)->offset, 9u);
    }
    mending.expect_go_goes_on(id, text, 5);
  }
}

// [S3-42] [S3-47] Go's tusd does nothing any more to what has all of its bytes.
TEST(s3_repair, completes_what_go_has_not) {
  Mending mending;
  const auto text = pattern(13);
  const auto id = go_upload(mending, {{1, text.substr(0, 5)}, {2, text.substr(5, 8)}}, 13);
  EXPECT_FALSE(mending.bench.inspect(id)->finished()) << "there is no object";
  EXPECT_TRUE(mending.bench.inspect(id)->finishing());
  mending.expect_go_goes_on(id, text, 13);
  EXPECT_TRUE(mending.bench.bucket().multiparts().empty());
}

// [S3-46] Beside a server: what is young, or held, is not touched.
TEST(s3_repair, leaves_alone_what_others_work_on) {
  Mending mending;
  auto made = mending.bench.create("a", 10, pattern(10));
  ASSERT_TRUE(made);
  mending.now.idle_for = std::chrono::seconds(60);
  EXPECT_EQ(mending.repair().left_alone, 1u);
  EXPECT_FALSE(mending.bench.bucket().peek("a"));

  mending.now.idle_for = std::chrono::seconds(0);
  auto locker = std::make_shared<HeldLocker>();
  mending.now.locker = locker;
  EXPECT_EQ(mending.repair().left_alone, 1u);
  EXPECT_EQ(locker->asked, 0) << "its holder was disturbed";
  EXPECT_FALSE(mending.repair().all_is_well());
  locker->shows_it = false;  // held since a moment ago
  EXPECT_EQ(mending.repair().left_alone, 1u);
  EXPECT_FALSE(mending.bench.bucket().peek("a"));

  locker->is_free = true;
  EXPECT_EQ(mending.repair().mended, 1u);
  EXPECT_EQ(mending.bench.bucket().peek("a"), pattern(10));
  EXPECT_TRUE(mending.repair().all_is_well());
}

// [S3-44] Go's would call these complete, or know nothing of them.
TEST(s3_repair, says_what_it_cannot_mend) {
  Mending mending;
  auto gone = mending.bench.create("a", 40, pattern(23));
  ASSERT_TRUE(gone);
  gone->reset();
  mending.bench.bucket().abort_behind_the_back("a");
  UploadDraft draft;
  draft.id = id_of("b");
  draft.length = 40;
  draft.storage = {{"Key", "elsewhere"}};
  draft.finish = FinishState::pending;
  auto placed = run(mending.bench.store().place(std::move(draft), never));
  ASSERT_TRUE(placed);
  ASSERT_TRUE(run(mending.bench.store().create(*std::move(placed), FakeLease(), {}, never)));
  mending.bench.bucket().put_behind_the_back({"uploads", "c.info"}, "no JSON");
  mending.bench.restart();
  const auto report = mending.repair();
  EXPECT_EQ(report.uploads, 3u);
  EXPECT_EQ(report.impossible, 3u) << mending.said();
  EXPECT_FALSE(report.all_is_well());
  mending.expect_settled();
}

// [S3-42] What is left beside a finished upload is cleared away.
TEST(s3_repair, a_rest_beside_a_finished_upload) {
  Mending mending;
  auto made = mending.bench.create("a", 10, pattern(10));
  ASSERT_TRUE(made);
  ASSERT_TRUE(run((*made)->finish_and_record(FakeLease(), never)));
  made->reset();
  mending.bench.bucket().put_behind_the_back({"uploads", "a.part"}, pattern(3));
  EXPECT_EQ(mending.repair().mended, 1u);
  EXPECT_EQ(mending.bench.bucket().keys(), (std::vector<std::string>{"a", "a.info"}));
}

}  // namespace
}  // namespace tus::s3::test
