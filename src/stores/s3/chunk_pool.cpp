#include "stores/s3/chunk_pool.h"

#include <algorithm>
#include <new>
#include <sanitizer/asan_interface.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tus::s3 {

namespace {

// Few system calls, and few areas of memory in the kernel's list, which is limited.
constexpr std::size_t chunks_in_slab = 64;
// AddressSanitizer keeps a mark for so many bytes: owners must not share one.
constexpr std::size_t unit = 16;

}  // namespace

class ChunkPool::Shelf {
 public:
  Shelf(std::size_t chunk, std::size_t kept)
      : chunk_(chunk), step_((chunk + unit - 1) / unit * unit), most_warm_(kept / chunk) {}
  ~Shelf() {
    for (auto* slab : slabs_) {
      ASAN_UNPOISON_MEMORY_REGION(slab, slab_size());
      ::munmap(slab, slab_size());
    }
  }
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;

  std::size_t chunk() const noexcept { return chunk_; }

  std::byte* take() {
    std::lock_guard lock(mutex_);
    if (warm_.empty() && cold_.empty()) add_slab();
    auto& from = warm_.empty() ? cold_ : warm_;
    auto* chunk = from.back();
    from.pop_back();
    ++in_use_;
    ASAN_UNPOISON_MEMORY_REGION(chunk, chunk_);
    return chunk;
  }

  void put_back(std::byte* chunk) noexcept {
    ASAN_POISON_MEMORY_REGION(chunk, step_);
    std::lock_guard lock(mutex_);
    --in_use_;
    if (warm_.size() < most_warm_) return warm_.push_back(chunk);
    // Not to be done for parts of pages, which chunks of tests are.
    if (chunk_ % static_cast<std::size_t>(::getpagesize()) == 0) {
      ::madvise(chunk, chunk_, MADV_DONTNEED);
    }
    cold_.push_back(chunk);
  }

  Figures figures() const {
    std::lock_guard lock(mutex_);
    return {.in_use = in_use_ * chunk_, .resident = (in_use_ + warm_.size()) * chunk_};
  }

 private:
  std::size_t slab_size() const noexcept { return step_ * chunks_in_slab; }

  void add_slab() {
    // put_back() must not fail.
    const auto most = (slabs_.size() + 1) * chunks_in_slab;
    warm_.reserve(std::min(most, most_warm_));
    cold_.reserve(most);
    slabs_.reserve(slabs_.size() + 1);
    void* slab =
        ::mmap(nullptr, slab_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) throw std::bad_alloc();
    auto* first = static_cast<std::byte*>(slab);
    slabs_.push_back(first);
    for (std::size_t i = chunks_in_slab; i-- > 0;) cold_.push_back(first + i * step_);
    ASAN_POISON_MEMORY_REGION(first, slab_size());
  }

  const std::size_t chunk_;
  const std::size_t step_;  // from one to the next
  const std::size_t most_warm_;
  mutable std::mutex mutex_;
  std::size_t in_use_ = 0;
  std::vector<std::byte*> slabs_;
  std::vector<std::byte*> warm_;  // free, and the kernel has pages behind them
  std::vector<std::byte*> cold_;  // free, and of no content
};

ChunkPool::ChunkPool(std::size_t chunk, std::size_t kept)
    : shelf_(std::make_shared<Shelf>(chunk, kept)) {}

std::size_t ChunkPool::chunk() const noexcept { return shelf_->chunk(); }

Chunk ChunkPool::take() {
  auto* chunk = shelf_->take();
  // On a failure to make its counter, shared_ptr gives it back.
  return Chunk(chunk, [shelf = shelf_](std::byte* it) { shelf->put_back(it); });
}

ChunkPool::Figures ChunkPool::figures() const { return shelf_->figures(); }

}  // namespace tus::s3
