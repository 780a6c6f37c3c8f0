#include "stores/s3/repair_plan.h"

#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

using Numbers = std::vector<std::uint32_t>;
using Sizes = std::vector<std::uint64_t>;

PartLimits small_limits() {
  PartLimits limits;
  limits.smallest = limits.preferred = 5;
  return limits;
}

// An upload of 100 bytes whose parts S3 lists so.
struct Upload {
  explicit Upload(std::vector<PartLook> parts) : listed(std::move(parts)) {
    StoreOptions options;
    options.bucket = "b";
    names.emplace(options);
    state.file.info.id = UploadId::parse("a+m").value();
    state.file.info.length = 100;
    state.object = "a";
    state.data = {{"b", "a"}, "m"};
    for (const auto& part : listed) {
      const bool follows = part.number == state.ledger.parts.size() + 1 && part.size > 0;
      if (follows) state.ledger.add({part.size, part.etag});
      if (!follows && part.size > 0) state.ledger.behind_gap.push_back(part.number);
    }
    settle(state);
  }
  Upload& with_rest(std::uint64_t start, std::uint64_t size) {
    state.ledger.rest = Rest{start, size, "e", {}};
    settle(state);
    return *this;
  }
  Remedy remedy() const { return find_remedy(*names, small_limits(), state, listed); }
  GapPlan gap() const { return plan_gap(small_limits(), state.ledger, listed); }

  std::optional<Names> names;
  State state;
  std::vector<PartLook> listed;
};

// [S3-40] What Go's tusd can go on with is not touched.
TEST(repair_plan, leaves_the_healthy_alone) {
  EXPECT_EQ(Upload({}).remedy(), Remedy::none);
  EXPECT_EQ(Upload({{1, 5, "", {}}, {2, 7, "", {}}}).remedy(), Remedy::none);
  EXPECT_EQ(Upload({{1, 5, "", {}}}).with_rest(5, 3).remedy(), Remedy::none);
  EXPECT_EQ(Upload({{1, 5, "", {}}}).with_rest(5, 0).remedy(), Remedy::none);
}

// [S3-41]
TEST(repair_plan, knows_a_rest_that_go_would_count_twice) {
  EXPECT_EQ(Upload({{1, 5, "", {}}}).with_rest(0, 3).remedy(), Remedy::drop_rest);
  EXPECT_EQ(Upload({{1, 5, "", {}}}).with_rest(3, 4).remedy(), Remedy::trim_rest);
  auto done = Upload({});
  done.state.has_object = true;
  done.with_rest(0, 3);
  EXPECT_EQ(done.remedy(), Remedy::drop_rest);
}

// [S3-42]
TEST(repair_plan, knows_ends_that_were_cut_off) {
  auto whole = Upload({{1, 100, "", {}}});
  EXPECT_EQ(whole.remedy(), Remedy::complete);
  whole.state.has_object = true;
  EXPECT_EQ(whole.remedy(), Remedy::none);
  auto join = Upload({{1, 5, "", {}}});
  join.state.file.info.join_pending = true;
  EXPECT_EQ(join.remedy(), Remedy::join);
  join.state.file.bucket.going = true;
  EXPECT_EQ(join.remedy(), Remedy::remove);
}

// [S3-43] The numbers behind the last part that counts are taken by bytes of .part, or by nothing.
TEST(repair_plan, fills_a_gap_when_there_is_enough) {
  auto upload = Upload({{1, 20, "", {}}, {3, 20, "", {}}, {5, 0, "", {}}});
  EXPECT_EQ(upload.remedy(), Remedy::blank);
  EXPECT_EQ(upload.gap().last, 5u);
  EXPECT_EQ(upload.gap().absent, (Numbers{2, 4}));
  EXPECT_TRUE(upload.gap().sizes.empty());
  EXPECT_EQ(upload.with_rest(20, 19).remedy(), Remedy::blank);
  EXPECT_EQ(upload.with_rest(20, 23).remedy(), Remedy::fill);
  EXPECT_EQ(upload.gap().sizes, (Sizes{5, 5, 5, 8}));
}

// [S3-43] Empty parts cannot be removed, and are too small to lie in the middle.
TEST(repair_plan, knows_what_cannot_be_mended) {
  auto upload = Upload({{1, 20, "", {}}, {2, 0, "", {}}, {3, 0, "", {}}});
  EXPECT_EQ(upload.remedy(), Remedy::hopeless);
  EXPECT_EQ(upload.with_rest(20, 11).remedy(), Remedy::fill);
}

// [S3-44]
TEST(repair_plan, knows_where_go_looks) {
  auto other_key = Upload({});
  other_key.state.data.name.key = "elsewhere";
  EXPECT_EQ(other_key.remedy(), Remedy::elsewhere);
  auto plus = Upload({});
  plus.state.file.info.id = UploadId::parse("a+b+m").value();
  plus.state.object = plus.state.data.name.key = "a+b";
  EXPECT_EQ(plus.remedy(), Remedy::elsewhere);
  auto in_record = Upload({});
  in_record.state.file.info.id = UploadId::parse("a").value();
  EXPECT_EQ(in_record.remedy(), Remedy::elsewhere);
}

}  // namespace
}  // namespace tus::s3
