// A part that is sent while its bytes come from the client: it needs no memory, and cannot be sent again.
#pragma once

#include "stores/s3/byte_run.h"

#include <tus/body_source.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tus::s3 {

class StreamedPart final : public PartSource {
 public:
  // `before` goes first; `body` must outlive it.
  StreamedPart(Slice before, BodySource& body, std::uint64_t size);

  std::uint64_t size() const noexcept override { return size_; }
  Awaitable<std::span<const std::byte>> next() override;

 private:
  Slice before_;
  std::size_t piece_ = 0;
  BodySource& body_;
  const std::uint64_t size_;
  std::uint64_t given_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace tus::s3
