#include "testing/store_contract_life.h"

#include <algorithm>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

namespace {

const Deadline never = Deadline::never();

}  // namespace

struct Life::Step {
  const char* name;
  Status (Life::*run)();
  State after;
  enum class Comes : std::uint8_t { at_once, in_pieces } comes = Comes::at_once;
};

const Life::Step Life::steps[] = {
    {"create", &Life::create_it, {.exists = true, .offset = 20}, Step::Comes::in_pieces},
    {"append", &Life::append_plain, {.exists = true, .offset = 37}, Step::Comes::in_pieces},
    {"stage", &Life::stage_right, {.exists = true, .offset = 37}},
    {"commit", &Life::commit, {.exists = true, .offset = 50}},
    {"stage wrong bytes", &Life::stage_wrong, {.exists = true, .offset = 50}},
    {"roll back", &Life::roll_back, {.exists = true, .offset = 50}},
    {"declare", &Life::declare, {.exists = true, .offset = 50, .length = 60}},
    {"append the rest",
     &Life::append_rest,
     {.exists = true, .offset = 60, .length = 60},
     Step::Comes::in_pieces},
    {"finish", &Life::finish, {.exists = true, .offset = 60, .length = 60}},
    {"record the finish",
     &Life::record_finish,
     {.exists = true, .offset = 60, .length = 60, .finish = FinishState::finished}},
    {"terminate", &Life::terminate, {.exists = false}},
};
const std::size_t Life::step_count = std::size(steps);

Life::Life(StoreBackend& backend, std::string id, const Lease& lease)
    : backend_(backend), id_(std::move(id)), lease_(lease), text_(pattern(60)) {}

AppendOutcome Life::append(std::string bytes, AppendRequest::Mode mode) {
  ScriptSource source(BodyScript::chunked(bytes, 7), backend_.file_writer());
  AppendRequest request(upload_->info().offset);
  request.mode = mode;
  return run(upload_->append(lease_, source, request, never));
}

Status Life::create_it() {
  auto draft = draft_of(id_, std::nullopt);
  draft.finish = FinishState::pending;
  draft.raw_metadata = "name eA==";
  auto made = try_create(backend_.store(), std::move(draft), text_.substr(0, 20), lease_);
  if (!made) return fail(made.error());
  upload_ = *std::move(made);
  return {};
}

Status Life::append_plain() {
  return status_of(append(text_.substr(20, 17), AppendRequest::Mode::plain));
}

Status Life::stage_right() {
  // A store that cannot stage takes them as they are, at the commit.
  if (!backend_.store().capabilities().staged_append) return {};
  return status_of(append(text_.substr(37, 13), AppendRequest::Mode::staged));
}

Status Life::commit() {
  if (backend_.store().capabilities().staged_append) {
    return run(upload_->commit_staged(lease_, never));
  }
  return status_of(append(text_.substr(37, 13), AppendRequest::Mode::plain));
}

Status Life::stage_wrong() {
  if (!backend_.store().capabilities().staged_append) return {};
  return status_of(append(std::string(30, 'X'), AppendRequest::Mode::staged));
}

Status Life::roll_back() {
  if (!backend_.store().capabilities().staged_append) return {};
  return run(upload_->rollback_staged(lease_, never));
}

Status Life::declare() { return run(upload_->declare_length(lease_, 60, never)); }

Status Life::append_rest() {
  return status_of(append(text_.substr(50), AppendRequest::Mode::plain));
}

Status Life::finish() { return run(upload_->finish(lease_, never)); }

Status Life::record_finish() {
  return run(upload_->set_finish_state(lease_, FinishState::finished, never));
}

Status Life::terminate() { return run(upload_->terminate(lease_, never)); }

Status Life::live() {
  Status done;
  for (at_ = 0; at_ < step_count; ++at_) {
    done = (this->*steps[at_].run)();
    if (!done) break;
  }
  over_ = at_ == step_count;
  if (over_) at_ = step_count - 1;
  upload_.reset();
  return done;
}

void Life::expect_true() {
  const auto& step = steps[at_];
  SCOPED_TRACE(step.name);
  const auto before = at_ == 0 ? State() : steps[at_ - 1].after;
  const auto& after = step.after;
  auto info = inspect(backend_.store(), id_);
  if (!info) {
    EXPECT_FALSE(before.exists && after.exists) << "it is gone";
    expect_error(info, ErrorCode::upload_not_found);
    return;
  }
  EXPECT_FALSE(over_) << "it was terminated";
  EXPECT_TRUE(before.exists || after.exists);
  // What is being terminated is whole until it is gone.
  const auto& most = after.exists ? after : before;
  const bool is_commit = step.run == &Life::commit && backend_.deviations().commits_in_pieces;
  if (step.comes == Step::Comes::in_pieces || is_commit) {
    EXPECT_GE(info->offset, before.offset);
    EXPECT_LE(info->offset, most.offset);
  } else {
    EXPECT_TRUE(info->offset == before.offset || info->offset == most.offset) << info->offset;
  }
  EXPECT_TRUE(info->length == before.length || info->length == most.length);
  EXPECT_TRUE(info->finish == before.finish || info->finish == most.finish);
  EXPECT_EQ(info->raw_metadata, "name eA==");
  EXPECT_TRUE(peek(backend_, id_, info->offset) == text_.substr(0, info->offset)) << "other bytes";
}

void Life::bring_to_an_end() {
  SCOPED_TRACE(steps[at_].name);
  auto& store = backend_.store();
  FakeLease lease(2);
  auto found = try_open(store, id_, lease);
  if (!found) {
    expect_error(found, ErrorCode::upload_not_found);
    // The rest of a creation may keep its id; but then it says so.
    auto made = try_create(store, draft_of(id_, 5), "again", lease);
    if (made) expect_bytes(backend_, id_, "again");
    if (!made) expect_error(made, ErrorCode::upload_exists);
    return;
  }
  auto& upload = **found;
  if (!upload.info().finished()) {
    auto rest = BodyScript::whole(text_.substr(static_cast<std::size_t>(upload.info().offset)));
    expect_ok(status_of(testing::append(backend_, upload, std::move(rest), lease)));
    if (!upload.info().length) expect_ok(run(upload.declare_length(lease, 60, never)));
    expect_ok(run(upload.finish_and_record(lease, never)));
  }
  expect_bytes(backend_, id_, text_);
  EXPECT_TRUE(inspect(store, id_)->finished());
}

}  // namespace testing

TUS_NAMESPACE_END
