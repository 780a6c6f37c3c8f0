// The bytes of an object in memory, as they come.
#pragma once

#include "stores/s3/client/bucket.h"
#include "stores/s3/client/request_faults_test_kit.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace tus::s3::test {

class MemoryStream final : public ObjectStream {
 public:
  MemoryStream(BucketFaults& faults, ObjectLook look, std::shared_ptr<const std::string> bytes,
               ByteRange range)
      : faults_(faults),
        look_(std::move(look)),
        bytes_(std::move(bytes)),
        at_(static_cast<std::size_t>(range.first)),
        end_(static_cast<std::size_t>(range.first + range.count)) {}

  void break_at_half() { breaks_at_ = at_ + (end_ - at_) / 2; }

  const ObjectLook& look() const noexcept override { return look_; }

  Awaitable<Answer<std::size_t>> read(std::span<std::byte> into, Deadline) override {
    co_await travel();
    if (faults_.is_dead() || at_ == breaks_at_) {
      co_return trouble(Trouble::unavailable, "the connection broke");
    }
    auto count = std::min(into.size(), std::min(end_, breaks_at_) - at_);
    std::memcpy(into.data(), bytes_->data() + at_, count);
    at_ += count;
    faults_.count_received(Operation::get_object, count);
    co_return count;
  }

 private:
  BucketFaults& faults_;
  ObjectLook look_;
  std::shared_ptr<const std::string> bytes_;
  std::size_t at_;
  std::size_t end_;
  std::size_t breaks_at_ = SIZE_MAX;
};

}  // namespace tus::s3::test
