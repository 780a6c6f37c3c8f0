#include "lockers/file/lock_text.h"

#include <gtest/gtest.h>

namespace tus::file_locker {
namespace {

using Kind = LockText::Kind;

// [LOCK-14]
TEST(LockText, ReadsWhatGoWrites) {
  const auto lock = parse_lock_text("4711\n");
  EXPECT_EQ(lock.kind, Kind::plain);
  EXPECT_EQ(lock.pid, 4711);
  // As Go's Sscanln does.
  for (const auto* text : {"4711", " 4711\n", "4711 \r\n", "+4711\n", "4711\nanything"}) {
    EXPECT_EQ(parse_lock_text(text).pid, 4711) << text;
    EXPECT_EQ(parse_lock_text(text).kind, Kind::plain) << text;
  }
}

// [LOCK-15]
TEST(LockText, WhatNamesNoProcessIsGarbage) {
  for (const std::string_view text :
       {std::string_view(), std::string_view("\n"), std::string_view("\n4711\n"),
        std::string_view("0\n"), std::string_view("-1\n"), std::string_view("abc\n"),
        std::string_view("12x\n"), std::string_view("1 2\n"), std::string_view("99999999999\n"),
        std::string_view("\0\0\0\0", 4), std::string_view("++1\n")}) {
    EXPECT_EQ(parse_lock_text(text).kind, Kind::garbage) << text;
    EXPECT_EQ(parse_lock_text(text).pid, 0) << text;
  }
}

TEST(LockText, OursStartsAsGoReadsIt) {
  LockText lock;
  lock.kind = Kind::linked;
  lock.pid = 12;
  lock.boot_id = "b-o-o-t";
  lock.start_time = "345";
  const auto text = write_lock_text(lock);
  EXPECT_EQ(text, "12\nlinked b-o-o-t 345\n");
  const auto read = parse_lock_text(text);
  EXPECT_EQ(read.kind, Kind::linked);
  EXPECT_EQ(read.pid, 12);
  EXPECT_EQ(read.boot_id, "b-o-o-t");
  EXPECT_EQ(read.start_time, "345");
  lock.kind = Kind::alone;
  EXPECT_EQ(write_lock_text(lock), "12\nalone b-o-o-t 345\n");
  EXPECT_EQ(parse_lock_text(write_lock_text(lock)).kind, Kind::alone);
  lock.kind = Kind::plain;
  EXPECT_EQ(write_lock_text(lock), "12\n");
}

TEST(LockText, ATextThatWasCutOffIsReadAsFarAsItGoes) {
  EXPECT_EQ(parse_lock_text("12\nlinked").kind, Kind::linked);
  EXPECT_EQ(parse_lock_text("12\nlinked").start_time, "");
  EXPECT_EQ(parse_lock_text("12\nlink").kind, Kind::plain);
}

}  // namespace
}  // namespace tus::file_locker
