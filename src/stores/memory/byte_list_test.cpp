#include "stores/memory/byte_list.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::memory_store {
namespace {

std::string text_of(const ByteList& list, std::uint64_t at, std::size_t count) {
  std::string text(count, '?');
  text.resize(list.read(at, std::as_writable_bytes(std::span(text))));
  return text;
}

std::string numbers(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  return text.substr(0, size);
}

TEST(byte_list, gives_back_what_it_was_given) {
  auto text = numbers(3'000'000);
  ByteList list;
  for (std::size_t at = 0, n = 1; at < text.size(); at += n, n = n * 2 + 1) {
    n = std::min(n, text.size() - at);
    list.append(std::as_bytes(std::span(text).subspan(at, n)));
  }
  EXPECT_EQ(list.size(), text.size());
  for (std::uint64_t at : {0u, 1u, 4095u, 4096u, 100'000u, 2'999'999u, 3'000'000u, 4'000'000u}) {
    auto rest = at < text.size() ? text.substr(static_cast<std::size_t>(at)) : "";
    EXPECT_TRUE(text_of(list, at, 3'000'000) == rest) << at;
    EXPECT_EQ(text_of(list, at, 7), rest.substr(0, 7)) << at;
  }
}

TEST(byte_list, forgets_what_is_cut_off) {
  auto text = numbers(100'000);
  for (std::size_t size : {0u, 1u, 4095u, 4096u, 4097u, 50'000u, 99'999u, 100'000u, 200'000u}) {
    ByteList list;
    list.append(std::as_bytes(std::span(text)));
    list.truncate(size);
    auto left = std::min<std::size_t>(size, text.size());
    EXPECT_EQ(list.size(), left);
    list.append(std::as_bytes(std::span("tail", 4)));
    EXPECT_TRUE(text_of(list, 0, 200'000) == text.substr(0, left) + "tail") << size;
  }
}

TEST(byte_list, counts_what_is_committed) {
  ByteList list;
  auto room = list.room(10);
  ASSERT_FALSE(room.empty());
  EXPECT_LE(room.size(), 10u);
  EXPECT_EQ(list.size(), 0u);
  room[0] = std::byte{'x'};
  list.commit(1);
  EXPECT_EQ(text_of(list, 0, 10), "x");
}

}  // namespace
}  // namespace tus::memory_store
