#include "stores/s3/client/bucket_faults_test_kit.h"

#include <algorithm>
#include <utility>

namespace tus::s3::test {

namespace {

constexpr std::array<std::string_view, operation_count> operation_names{
    "check",           "head_object",        "get_object",      "put_object",
    "delete_object",   "create_multipart",   "put_part",        "copy_part",
    "list_parts",      "complete_multipart", "abort_multipart", "list_objects",
    "list_multiparts",
};

constexpr std::array<std::string_view, 10> fault_names{
    "done",       "fails", "breaks_off", "answer_lost", "hangs",
    "hangs_done", "held",  "done_twice", "missing",     "refused",
};

}  // namespace

std::string_view name_of(Operation operation) noexcept {
  return operation_names[static_cast<std::size_t>(operation)];
}

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  for (std::size_t i = 0; i < operation_count; ++i) all.push_back(static_cast<Operation>(i));
  return all;
}

void BucketFaults::fail_nth(int n, Fault fault) {
  std::lock_guard lock(mutex_);
  plans_.push_back({std::nullopt, n, fault});
}

void BucketFaults::fail_nth(Operation operation, int n, Fault fault) {
  std::lock_guard lock(mutex_);
  plans_.push_back({operation, n, fault});
}

void BucketFaults::fail_all(Operation operation, Fault fault) {
  std::lock_guard lock(mutex_);
  plans_.push_back({operation, std::nullopt, fault});
}

void BucketFaults::clear_faults() {
  std::lock_guard lock(mutex_);
  plans_.clear();
  ++holds_let_go_;
}

void BucketFaults::die_after(int n) {
  std::lock_guard lock(mutex_);
  left_to_live_ = n - 1;
  last_act_ = Fault::fails;
}

void BucketFaults::die_during(int n) {
  std::lock_guard lock(mutex_);
  left_to_live_ = n - 1;
  last_act_ = Fault::answer_lost;
}

void BucketFaults::revive() {
  std::lock_guard lock(mutex_);
  left_to_live_.reset();
}

bool BucketFaults::is_dead() const {
  std::lock_guard lock(mutex_);
  return left_to_live_ && *left_to_live_ < 0;
}

void BucketFaults::let_go() {
  std::lock_guard lock(mutex_);
  ++holds_let_go_;
}

int BucketFaults::held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

int BucketFaults::hits() const {
  std::lock_guard lock(mutex_);
  return hits_;
}

int BucketFaults::requests() const {
  std::lock_guard lock(mutex_);
  int sum = 0;
  for (const auto& counts : counts_) sum += counts.requests;
  return sum;
}

int BucketFaults::requests(Operation operation) const {
  std::lock_guard lock(mutex_);
  return counts_[index(operation)].requests;
}

std::uint64_t BucketFaults::sent(Operation operation) const {
  std::lock_guard lock(mutex_);
  return counts_[index(operation)].sent;
}

std::uint64_t BucketFaults::received(Operation operation) const {
  std::lock_guard lock(mutex_);
  return counts_[index(operation)].received;
}

std::uint64_t BucketFaults::sent() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& counts : counts_) sum += counts.sent;
  return sum;
}

std::uint64_t BucketFaults::received() const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& counts : counts_) sum += counts.received;
  return sum;
}

std::vector<std::string> BucketFaults::log() const {
  std::lock_guard lock(mutex_);
  return log_;
}

void BucketFaults::reset_counts() {
  std::lock_guard lock(mutex_);
  counts_ = {};
  log_.clear();
}

Fault BucketFaults::admit(Operation operation, std::string what, std::uint64_t sent) {
  std::lock_guard lock(mutex_);
  auto fault = choose_locked(operation);
  auto& counts = counts_[index(operation)];
  ++counts.requests;
  counts.sent += sent;
  auto line = std::string(name_of(operation)) + " " + what;
  if (sent > 0) line += " " + std::to_string(sent);
  log_.push_back(line + ": " + std::string(fault_names[static_cast<std::size_t>(fault)]));
  return fault;
}

// Every plan counts the request, also when another one has hit it.
Fault BucketFaults::choose_locked(Operation operation) {
  auto chosen = Fault::none;
  for (auto& plan : plans_) {
    if (plan.operation && *plan.operation != operation) continue;
    if (plan.left && --*plan.left != 0) continue;
    if (chosen == Fault::none) chosen = plan.fault;
  }
  if (chosen != Fault::none) ++hits_;
  auto dead = die_locked();
  return dead == Fault::none ? chosen : dead;
}

Fault BucketFaults::die_locked() {
  if (!left_to_live_) return Fault::none;
  if (*left_to_live_ > 0) {
    --*left_to_live_;
    return Fault::none;
  }
  bool is_first = *left_to_live_ == 0;
  left_to_live_ = -1;
  return is_first ? last_act_ : Fault::fails;
}

void BucketFaults::count_received(Operation operation, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  counts_[index(operation)].received += bytes;
}

int BucketFaults::begin_hold() {
  std::lock_guard lock(mutex_);
  ++held_;
  return holds_let_go_;
}

bool BucketFaults::is_let_go(int hold) const {
  std::lock_guard lock(mutex_);
  return holds_let_go_ != hold;
}

void BucketFaults::end_hold() {
  std::lock_guard lock(mutex_);
  --held_;
}

}  // namespace tus::s3::test
