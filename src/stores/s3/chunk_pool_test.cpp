#include "stores/s3/chunk_pool.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using tus::s3::Chunk;
using tus::s3::ChunkPool;

constexpr std::size_t chunk_size = 64 << 10;

std::vector<Chunk> take(ChunkPool& pool, std::size_t count) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < count; ++i) {
    chunks.push_back(pool.take());
    std::memset(chunks.back().get(), static_cast<int>(i), chunk_size);
  }
  return chunks;
}

// Whether the kernel has pages behind all of it.
std::size_t resident_bytes(const std::vector<std::byte*>& chunks) {
  const auto page = static_cast<std::size_t>(::getpagesize());
  std::vector<unsigned char> pages(chunk_size / page);
  std::size_t sum = 0;
  for (auto* chunk : chunks) {
    EXPECT_EQ(::mincore(chunk, chunk_size, pages.data()), 0);
    for (auto there : pages) sum += (there & 1U) * page;
  }
  return sum;
}

// [S3-39]
TEST(ChunkPool, gives_out_what_came_back_from_another_thread) {
  ChunkPool pool(chunk_size, 64 * chunk_size);
  std::set<std::byte*> first;
  for (int round = 0; round < 20; ++round) {
    std::thread([&] {
      for (const auto& chunk : take(pool, 64)) first.insert(chunk.get());
    }).join();
  }
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(pool.figures().in_use, 0U);
  EXPECT_EQ(pool.figures().resident, 64 * chunk_size);
}

// [S3-39]
TEST(ChunkPool, owners_never_share_bytes) {
  ChunkPool pool(chunk_size, 8 * chunk_size);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int round = 0; round < 50; ++round) {
        std::vector<Chunk> chunks;
        for (std::size_t i = 0; i < 16; ++i) {
          chunks.push_back(pool.take());
          std::memset(chunks.back().get(), t, chunk_size);
        }
        for (const auto& chunk : chunks) {
          ASSERT_EQ(std::to_integer<int>(chunk[0]), t);
          ASSERT_EQ(std::to_integer<int>(chunk[chunk_size - 1]), t);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pool.figures().in_use, 0U);
}

// [S3-39] Also of sizes that only tests have.
TEST(ChunkPool, small_ones_do_not_touch) {
  ChunkPool pool(3, 64);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int round = 0; round < 20'000; ++round) {
        const auto one = pool.take();
        const auto two = pool.take();
        std::memset(one.get(), t, 3);
        std::memset(two.get(), t + 4, 3);
        ASSERT_EQ(std::to_integer<int>(one[2]), t);
        ASSERT_EQ(std::to_integer<int>(two[2]), t + 4);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

// [S3-39]
TEST(ChunkPool, the_kernel_gets_back_what_is_more_than_to_be_kept) {
  ChunkPool pool(chunk_size, 10 * chunk_size);
  std::vector<std::byte*> addresses;
  {
    auto chunks = take(pool, 200);
    for (const auto& chunk : chunks) addresses.push_back(chunk.get());
    EXPECT_EQ(pool.figures().in_use, 200 * chunk_size);
    EXPECT_EQ(resident_bytes(addresses), 200 * chunk_size);
  }
  EXPECT_EQ(pool.figures().resident, 10 * chunk_size);
  EXPECT_EQ(resident_bytes(addresses), 10 * chunk_size);
  const auto again = take(pool, 200);
  std::set<std::byte*> before(addresses.begin(), addresses.end());
  for (const auto& chunk : again) before.insert(chunk.get());
  EXPECT_LE(before.size(), 256U);  // of the same four slabs
}

// [S3-39]
TEST(ChunkPool, a_chunk_may_outlive_it) {
  Chunk chunk;
  {
    ChunkPool pool(chunk_size, chunk_size);
    chunk = pool.take();
  }
  std::memset(chunk.get(), 1, chunk_size);
  EXPECT_EQ(std::to_integer<int>(chunk[chunk_size - 1]), 1);
}

}  // namespace
