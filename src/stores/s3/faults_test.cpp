// Every request of an upload's life goes wrong once, in every way.
#include "stores/s3/s3_test_kit.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace tus::s3::test {
namespace {

StoreOptions impatient(Instances instances) {
  auto options = Bench::small_options();
  options.request_timeout = std::chrono::milliseconds(15);
  options.instances = instances;
  return options;
}

Deadline soon() {
  return Deadline::after(std::chrono::steady_clock::now(), std::chrono::milliseconds(15));
}

// What is done again until it succeeds.
void until(const std::function<bool()>& step) {
  // By the clock: on a machine that is busy many attempts run out of their short time.
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < latest) {
    if (step()) return;
  }
  ADD_FAILURE() << "it never came to an end";
}

// A client that goes on until its upload is finished, whatever it is answered.
class Client {
 public:
  using Mode = AppendRequest::Mode;

  Client(Bench& bench, std::string prefix, std::string text, Mode mode = Mode::plain)
      : bench_(bench), prefix_(std::move(prefix)), text_(std::move(text)), mode_(mode) {}

  // The upload is the join of these.
  void join(std::vector<std::string> parts) {
    parts_ = std::move(parts);
    upload();
  }

  void upload() {
    until([this] {
      try_once();
      return finished_ || ::testing::Test::HasFailure();
    });
    EXPECT_TRUE(finished_) << last_;
    if (!finished_) return;
    const auto object = bench_.bucket().peek(name_);
    ASSERT_TRUE(object);
    EXPECT_TRUE(*object == text_) << "other bytes";
  }

  // Some of it, and then none.
  void upload_and_terminate() {
    until([this] {
      if (!id_) create();
      return id_.has_value();
    });
    until([this] {
      auto upload = run(bench_.store().open(*id_, FakeLease(), soon()));
      if (!upload) return upload.error() == ErrorCode::upload_not_found;
      if ((*upload)->info().offset < 13) (void)Bench::append(**upload, pattern(7));
      return (*upload)->info().offset >= 13 &&
             run((*upload)->terminate(FakeLease(), soon())).has_value();
    });
    EXPECT_TRUE(run(bench_.store().inspect(*id_, never)).error() == ErrorCode::upload_not_found);
  }

  const std::string& name() const { return name_; }
  std::string id() const { return id_ ? id_->str() : std::string(); }

 private:
  void try_once() {
    if (!id_) return create();
    auto upload = run(bench_.store().open(*id_, FakeLease(), soon()));
    if (!upload) {
      last_ = "open: " + upload.error().detail();
      EXPECT_TRUE(upload.error() == ErrorCode::store_unavailable)
          << describe(upload.error().code()).code << " " << upload.error().detail();
      return;
    }
    expect_true((*upload)->info().offset);
    if ((*upload)->info().join_pending) {
      auto joined = run((*upload)->concatenate(FakeLease(), soon()));
      if (!joined) last_ = "join: " + joined.error().detail();
    } else if ((*upload)->info().offset < text_.size()) {
      append(**upload);
      expect_true((*upload)->info().offset);
    }
    const auto& info = (*upload)->info();
    if (info.has_all_bytes() && !info.join_pending) {
      const auto ended = run((*upload)->finish_and_record(FakeLease(), soon()));
      finished_ = ended.has_value();
      if (!ended) last_ = "finish: " + ended.error().detail();
    }
    upload->reset();
    look();
    // What is remembered is gone, once.
    if (told_ > text_.size() / 2 && !std::exchange(restarted_, true)) bench_.restart();
  }

  void append(Upload& upload) {
    const auto offset = static_cast<std::size_t>(upload.info().offset);
    ScriptSource body(BodyScript::whole(text_.substr(offset, 8)));
    AppendRequest request(offset);
    request.mode = mode_;
    const auto moved = run(upload.append(FakeLease(), body, request, soon()));
    if (moved.error) last_ = "append: " + moved.error->detail();
    if (mode_ == Mode::plain) {
      told_ = std::max(told_, moved.safe_offset);
      return;
    }
    const auto counts = moved.error ? run(upload.rollback_staged(FakeLease(), soon()))
                                    : run(upload.commit_staged(FakeLease(), soon()));
    if (!counts) last_ = "checked: " + counts.error().detail();
    if (counts && !moved.error) told_ = std::max(told_, upload.info().offset);
  }

  void create() {
    UploadDraft draft;
    // Ids are never given twice, also when a creation has failed.
    name_ = prefix_ + std::to_string(++creations_);
    draft.id = id_of(name_);
    draft.length = text_.size();
    draft.finish = FinishState::pending;
    draft.partial_uploads = parts_;
    const auto first = parts_.empty() ? std::string_view(text_).substr(0, 3) : std::string_view();
    auto placed = run(bench_.store().place(std::move(draft), soon()));
    if (!placed) {
      last_ = "place: " + placed.error().detail();
      return;
    }
    auto copy = *placed;
    auto made = run(bench_.store().create(*std::move(placed), FakeLease(),
                                          std::as_bytes(std::span(first)), soon()));
    if (!made) {
      last_ = "create: " + made.error().detail();
      return run(bench_.store().give_up_place(std::move(copy), soon()));
    }
    id_ = (*made)->info().id;
    told_ = (*made)->info().offset;
  }

  // Somebody else asks, as a HEAD would.
  void look() {
    auto info = run(bench_.store().inspect(*id_, soon()));
    if (!info) {
      EXPECT_TRUE(info.error() == ErrorCode::store_unavailable) << info.error().detail();
      return;
    }
    expect_true(info->offset);
    told_ = std::max(told_, info->offset);
    if (info->finished()) EXPECT_TRUE(bench_.bucket().peek(name_) == text_) << "finished too early";
  }

  void expect_true(std::uint64_t offset) {
    EXPECT_GE(offset, told_) << "an offset was taken back";
    EXPECT_LE(offset, text_.size());
  }

  Bench& bench_;
  const std::string prefix_;
  const std::string text_;
  const Mode mode_;
  std::vector<std::string> parts_;
  std::string name_;
  int creations_ = 0;
  std::optional<UploadId> id_;
  std::uint64_t told_ = 0;
  bool finished_ = false;
  bool restarted_ = false;
  std::string last_;  // what went wrong last
};

// As the service sweeps, when everything is old. Whether nothing went wrong.
bool sweep_all(Bench& bench) {
  ScanOptions options;
  options.idle_since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) +
                       std::chrono::hours(1);
  auto& store = bench.store();
  const auto scan = store.scan(options);
  for (bool at_end = false; !at_end;) {
    auto page = run(scan->next(soon()));
    if (!page) return false;
    at_end = page->at_end;
    for (const auto& info : page->uploads) {
      auto upload = run(store.open(info.id, FakeLease(), soon()));
      if (!upload || !run((*upload)->terminate(FakeLease(), soon()))) return false;
    }
    for (auto& id : page->left_overs) {
      if (!run(store.remove_left_over(std::move(id), FakeLease(), *options.idle_since, soon()))) {
        return false;
      }
    }
  }
  return true;
}

// Every request that a store makes: uploads as they come and with checksums, a join of them, one that is
// terminated, and what a server does on its own. Nothing but the uploads is left in the end.
void live(Bench& bench) {
  until([&bench] { return run(bench.store().health(soon())).has_value(); });
  const auto text = pattern(37);
  Client plain(bench, "plain", text);
  plain.upload();
  Client checked(bench, "checked", text, Client::Mode::staged);
  checked.upload();
  Client joined(bench, "joined", text + text);
  joined.join({plain.id(), checked.id()});
  Client(bench, "terminated", text).upload_and_terminate();
  until([&bench] {
    const auto pending = run(bench.store().pending_joins(soon()));
    return pending && pending->empty();
  });
  until([&bench] { return sweep_all(bench); });
  // What failed when it cleared away, without telling: with the next pass.
  until([&bench] { return sweep_all(bench); });
  std::vector<std::string> wanted;
  auto keys = bench.bucket().keys();
  for (const auto* client : {&checked, &joined, &plain}) {
    wanted.push_back(client->name());
    wanted.push_back(client->name() + ".info");
    // What a finish could not remove goes with a clean stop, or with the upload.
    std::erase(keys, client->name() + ".part");
  }
  EXPECT_EQ(keys, wanted);
  EXPECT_TRUE(bench.bucket().multiparts().empty());
}

void break_everything_once(Instances instances, Quirks quirks, int most) {
  for (auto operation : all_operations()) {
    for (auto fault : {Fault::fails, Fault::answer_lost, Fault::hangs, Fault::hangs_done,
                       Fault::done_twice, Fault::breaks_off}) {
      for (int n = 1; n <= most; ++n) {
        SCOPED_TRACE(std::string(name_of(operation)) + " " + std::to_string(n) + " fault " +
                     std::to_string(static_cast<int>(fault)));
        Bench bench(impatient(instances), quirks);
        bench.faults().fail_nth(operation, n, fault);
        live(bench);
        if (n == 1) EXPECT_EQ(bench.faults().hits(), 1) << "nobody makes this request";
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

// [S3-10]
TEST(s3_faults, each_request_goes_wrong_once) {
  break_everything_once(Instances::several, Bench::small_quirks(), 4);
}

// [S3-10]
TEST(s3_faults, each_request_goes_wrong_once_for_a_single_server) {
  break_everything_once(Instances::one, Bench::small_quirks(), 2);
}

// [S3-10]
TEST(s3_faults, each_request_goes_wrong_once_without_conditions) {
  auto quirks = Bench::small_quirks();
  quirks.no_conditions = true;
  break_everything_once(Instances::several, quirks, 2);
}

// [S3-11] One of several parts side by side is lost: what is behind the gap never counts, also when other
// bytes come in its place.
TEST(s3_faults, a_gap_is_never_counted) {
  for (int lost = 1; lost <= 3; ++lost) {
    SCOPED_TRACE(lost);
    Bench bench;
    auto made = bench.create("a", 40);
    ASSERT_TRUE(made);
    const auto id = (*made)->info().id;
    bench.faults().fail_nth(Operation::put_part, lost, Fault::fails);
    auto outcome = Bench::append(**made, pattern(23, 1));
    EXPECT_TRUE(outcome.error);
    EXPECT_EQ(outcome.safe_offset % 5, 0u);
    EXPECT_LE(outcome.safe_offset, 5u * static_cast<unsigned>(lost - 1));
    const auto kept = static_cast<std::size_t>(outcome.safe_offset);
    made->reset();
    EXPECT_EQ(bench.inspect(id)->offset, kept);
    bench.restart();
    auto again = bench.open(id);
    ASSERT_TRUE(again);
    EXPECT_EQ((*again)->info().offset, kept);
    const auto text = pattern(23, 1).substr(0, kept) + pattern(40, 2).substr(kept);
    EXPECT_EQ(Bench::append(**again, text.substr(kept, 6)).safe_offset, kept + 6);
    EXPECT_EQ(bench.inspect(id)->offset, kept + 6);
    EXPECT_EQ(Bench::append(**again, text.substr(kept + 6)).safe_offset, 40u);
    EXPECT_TRUE(run((*again)->finish_and_record(FakeLease(), never)));
    EXPECT_EQ(bench.bucket().peek("a"), text);
  }
}

// An upload of 40 bytes, 23 of them there, and then its multipart upload is not.
UploadId aborted_behind_our_back(Bench& bench) {
  auto id = (*bench.create("a", 40, pattern(23)))->info().id;
  bench.bucket().abort_behind_the_back("a");
  return id;
}

// [S3-12] A rule that clears up unfinished multipart uploads does not finish them.
TEST(s3_faults, an_upload_that_was_aborted_behind_our_back_is_gone) {
  Bench bench;
  const auto id = aborted_behind_our_back(bench);
  bench.restart();
  EXPECT_TRUE(bench.inspect(id).error() == ErrorCode::upload_gone);
  EXPECT_TRUE(bench.open(id).error() == ErrorCode::upload_gone);
  // Also not by an object that somebody else has put there, of the very size.
  bench.bucket().put_behind_the_back({"uploads", "a"}, pattern(40));
  EXPECT_TRUE(bench.inspect(id).error() == ErrorCode::upload_gone);
}

std::string record_of_go(const UploadId& id, std::uint64_t length) {
  return R"({"ID":")" + id.str() + R"(","Size":)" + std::to_string(length) +
         R"(,"SizeIsDeferred":false,"Offset":0,"MetaData":{},"IsPartial":false,"IsFinal":false,)"
         R"("PartialUploads":null,"Storage":{"Bucket":"uploads","Key":"a","Type":"s3store"}})";
}

// [S3-12] Go's tusd marks nothing: there the size has to be right.
TEST(s3_faults, an_object_of_gos_counts_by_its_size) {
  for (const std::uint64_t length : {23u, 24u}) {
    SCOPED_TRACE(length);
    Bench bench;
    const auto id = aborted_behind_our_back(bench);
    bench.bucket().put_behind_the_back({"uploads", "a.info"}, record_of_go(id, length));
    bench.bucket().put_behind_the_back({"uploads", "a"}, pattern(23));
    bench.restart();
    const auto info = bench.inspect(id);
    if (length == 23) {
      ASSERT_TRUE(info) << info.error().detail();
      EXPECT_EQ(info->offset, 23u);
      EXPECT_TRUE(info->finished());
    } else {
      EXPECT_TRUE(info.error() == ErrorCode::upload_gone);
      EXPECT_TRUE(bench.open(id).error() == ErrorCode::upload_gone);
    }
  }
}

// [S3-12] The same while it is being written to.
TEST(s3_faults, a_writer_hears_that_its_upload_was_aborted) {
  Bench bench;
  auto made = bench.create("a", 40, pattern(7));
  ASSERT_TRUE(made);
  bench.bucket().abort_behind_the_back("a");
  const auto outcome = Bench::append(**made, pattern(20));
  ASSERT_TRUE(outcome.error);
  EXPECT_TRUE(*outcome.error == ErrorCode::upload_gone) << outcome.error->detail();
}

void late_list_takes_nothing_back(Bench& bench, const UploadId& id, std::unique_ptr<Upload>& upload,
                                  std::uint64_t offset) {
  upload.reset();
  bench.restart();
  auto quirks = Bench::small_quirks();
  quirks.newest_parts_hidden = 1;
  bench.bucket().set_quirks(quirks);
  EXPECT_TRUE(bench.inspect(id).error() == ErrorCode::store_unavailable);
  EXPECT_TRUE(bench.open(id).error() == ErrorCode::store_unavailable);
  bench.bucket().set_quirks(Bench::small_quirks());
  EXPECT_EQ(bench.inspect(id)->offset, offset);
}

// [S3-13] A list of parts that is late ends in an answer that may be asked for again, never in less.
TEST(s3_faults, a_late_list_takes_nothing_back) {
  Bench bench;
  auto made = bench.create("a", 40, pattern(23));
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  EXPECT_EQ(Bench::append(**made, pattern(4)).safe_offset, 27u);
  late_list_takes_nothing_back(bench, id, *made, 27);
  // Also where a body has ended with a part, and there is no other trace of it.
  auto again = bench.open(id);
  ASSERT_TRUE(again);
  EXPECT_EQ(Bench::append(**again, pattern(3)).safe_offset, 30u);
  late_list_takes_nothing_back(bench, id, *again, 30);
}

Awaitable<void> append_and_commit(Upload& upload, const FakeLease& lease, ScriptSource& source,
                                  AppendRequest::Mode mode) {
  AppendRequest request(upload.info().offset);
  request.mode = mode;
  (void)co_await upload.append(lease, source, request, never);
  if (mode == AppendRequest::Mode::staged) (void)co_await upload.commit_staged(lease, never);
}

// What a dead server had sent arrives when another one has gone on, in pieces of another size, and has told
// the client of `pieces` of them.
void parts_arrive_late(AppendRequest::Mode mode, int pieces, std::optional<std::uint64_t> length) {
  SCOPED_TRACE(std::to_string(pieces) + " of " + std::to_string(length.value_or(0)));
  const bool staged = mode == AppendRequest::Mode::staged;
  auto options = Bench::small_options();
  options.parts.preferred = 10;
  Bench bench(options);
  const auto text = pattern(47);
  auto made = bench.create("a", length);
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  ScriptSource body(BodyScript::whole(text));
  const auto operation = staged ? Operation::copy_part : Operation::put_part;
  const int held = staged ? 1 : 4;  // all that are on their way at once
  for (int n = 1; n <= held; ++n) bench.faults().fail_nth(operation, n, Fault::held);
  TestLoop loop;
  FakeLease lease;
  loop.spawn(append_and_commit(**made, lease, body, mode));
  loop.run_until_idle();
  ASSERT_EQ(bench.faults().held(), held);
  // What was staged stays, so that a late copy may find it.
  bench.faults().fail_all(Operation::delete_object, Fault::fails);
  const auto other = bench.make_store();
  auto upload = run(other->open(id, FakeLease(), never));
  ASSERT_TRUE(upload);
  std::uint64_t told = 0;
  for (int piece = 0; told < text.size(); ++piece) {
    if (piece == pieces) {
      lease.lose();
      bench.faults().let_go();
      loop.run();
      EXPECT_GE(bench.inspect(id)->offset, told);
    }
    ScriptSource next(BodyScript::whole(text.substr(static_cast<std::size_t>(told), 6)));
    run(append_and_commit(**upload, FakeLease(), next, mode));
    told = (*upload)->info().offset;
    ASSERT_EQ(told, std::min<std::size_t>(6 * (piece + 1), text.size()));
  }
  if (!length) ASSERT_TRUE(run((*upload)->declare_length(FakeLease(), text.size(), never)));
  EXPECT_TRUE(run((*upload)->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("a"), text);
}

// [S3-15] Parts of a request that nobody waits for any more do no harm, whenever they arrive.
TEST(s3_faults, parts_of_a_dead_server_arrive_late) {
  using Mode = AppendRequest::Mode;
  for (int pieces = 1; pieces <= 7; ++pieces) {
    parts_arrive_late(Mode::plain, pieces, 47);
    parts_arrive_late(Mode::plain, pieces, std::nullopt);
    parts_arrive_late(Mode::staged, pieces, 47);
  }
}

// [S3-14] An upload is finished by the object, not by the number of its bytes.
TEST(s3_faults, nothing_is_finished_before_its_object_is_there) {
  Bench bench;
  auto made = bench.create("a", 13, pattern(13));
  ASSERT_TRUE(made);
  const auto id = (*made)->info().id;
  bench.faults().fail_all(Operation::complete_multipart, Fault::fails);
  EXPECT_FALSE(run((*made)->finish_and_record(FakeLease(), never)));
  EXPECT_FALSE(bench.inspect(id)->finished());
  EXPECT_TRUE(bench.inspect(id)->finishing());
  made->reset();
  bench.restart();
  EXPECT_TRUE(bench.inspect(id)->finishing());
  bench.faults().clear_faults();
  auto again = bench.open(id);
  ASSERT_TRUE(again);
  EXPECT_TRUE(run((*again)->finish_and_record(FakeLease(), never)));
  EXPECT_EQ(bench.bucket().peek("a"), pattern(13));
  EXPECT_EQ(bench.bucket().keys(), (std::vector<std::string>{"a", "a.info"}));
  EXPECT_TRUE(bench.bucket().multiparts().empty());
}

}  // namespace
}  // namespace tus::s3::test
