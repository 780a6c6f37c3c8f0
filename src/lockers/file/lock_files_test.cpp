#include "lockers/file/left_overs.h"
#include "lockers/file/locker_test_kit.h"

#include <fcntl.h>
#include <stdexcept>
#include <system_error>

namespace tus::file_locker {
namespace {

namespace fs = std::filesystem;

// One process as far as locks go. Its end without unlock() is a kill -9.
struct Process {
  explicit Process(const LockDirectory& directory, void (*set)(FakeCalls&) = nullptr) {
    if (set != nullptr) set(calls);
    auto made = LockFiles::open(calls, directory.path().string(), 0775, 0664);
    if (!made) throw std::runtime_error(made.error().detail());
    files = *std::move(made);
  }

  std::optional<Taken> try_lock(std::string_view id) {
    auto taken = files->try_lock(id_of(id));
    EXPECT_TRUE(taken) << taken.error().detail();
    return taken ? *taken : std::nullopt;
  }
  bool is_locked(std::string_view id) { return *files->is_locked(id_of(id)); }

  FakeCalls calls;
  std::unique_ptr<LockFiles> files;
};

class LockFilesTest : public ::testing::Test {
 protected:
  LockDirectory directory_;
};

// [LOCK-13]
TEST_F(LockFilesTest, AreHardLinksOfTheProcessFileAndBeginWithThePid) {
  Process us(directory_);
  const auto taken = us.try_lock("a");
  ASSERT_TRUE(taken);
  EXPECT_TRUE(directory_.read("a.lock").starts_with(std::to_string(::getpid()) + "\n"));
  EXPECT_EQ(fs::hard_link_count(directory_.path("a.lock")), 2u + 4u) << "and the spare ones";
  EXPECT_EQ(directory_.process_files(), 1);
  us.files->unlock(id_of("a"), *taken);
  EXPECT_FALSE(directory_.has("a.lock"));
  us.files.reset();
  EXPECT_EQ(directory_.process_files(), 0);
}

// [LOCK-13]
TEST_F(LockFilesTest, OfALivingProcessKeepOthersOut) {
  Process one(directory_);
  Process other(directory_);
  const auto taken = one.try_lock("a");
  EXPECT_FALSE(other.try_lock("a"));
  EXPECT_TRUE(other.is_locked("a"));
  EXPECT_FALSE(other.is_locked("b"));
  one.files->unlock(id_of("a"), *taken);
  EXPECT_FALSE(other.is_locked("a"));
  EXPECT_TRUE(other.try_lock("a"));
}

// [LOCK-15]
TEST_F(LockFilesTest, OfAKilledProcessAreTakenOver) {
  {
    Process killed(directory_);
    EXPECT_TRUE(killed.try_lock("a"));
  }
  EXPECT_TRUE(directory_.has("a.lock"));
  Process other(directory_);
  EXPECT_FALSE(other.is_locked("a"));
  EXPECT_TRUE(other.try_lock("a"));
  EXPECT_TRUE(other.is_locked("a"));
}

// All processes have the same id and start time.  [LOCK-16]
TEST_F(LockFilesTest, WithPid1InEveryContainer) {
  const auto container = [](FakeCalls& calls) { calls.with_pid(1).with_start_time("7"); };
  std::optional<Process> one(std::in_place, directory_, container);
  Process other(directory_, container);
  EXPECT_TRUE(one->try_lock("a"));
  EXPECT_EQ(directory_.read("a.lock"), "1\nlinked this-boot 7\n");
  EXPECT_FALSE(other.try_lock("a")) << "it is not ours because it has our number";
  one.reset();
  EXPECT_TRUE(other.try_lock("a")) << "there always is a process 1";
}

// The number of a killed process of ours is that of another program now.  [LOCK-16]
TEST_F(LockFilesTest, WhenTheIdOfADeadProcessIsUsedAgain) {
  OtherProcess somebody;
  Process us(directory_);
  directory_.write("a.lock", std::to_string(somebody.pid()) + "\nlinked this-boot 1\n");
  EXPECT_TRUE(us.try_lock("a"));
}

// Byte for byte what github.com/nightlyone/lockfile leaves.  [LOCK-14]
TEST_F(LockFilesTest, OfGoProcessesCountAsLongAsTheseLive) {
  OtherProcess go;
  Process us(directory_);
  directory_.write("a.lock", std::to_string(go.pid()) + "\n");
  directory_.write("a.lock.3141592", std::to_string(go.pid()) + "\n");  // its temporary file
  EXPECT_FALSE(us.try_lock("a"));
  EXPECT_TRUE(us.is_locked("a"));
  go.kill();
  EXPECT_FALSE(us.is_locked("a"));
  EXPECT_TRUE(us.try_lock("a"));
}

// Go's server writes no more than its number: ours, from before we had it.  [LOCK-16]
TEST_F(LockFilesTest, WithOurOwnIdThatWeDidNotMakeAreStale) {
  Process us(directory_);
  directory_.write("a.lock", std::to_string(::getpid()) + "\n");
  EXPECT_FALSE(us.is_locked("a"));
  EXPECT_TRUE(us.try_lock("a"));
}

// [LOCK-15]
TEST_F(LockFilesTest, ThatNameNobodyAreRemoved) {
  Process us(directory_);
  for (const auto* text : {"", "\n", "0\n", "-4\n", "garbage\n", "12abc\n"}) {
    directory_.write("a.lock", text);
    EXPECT_FALSE(us.is_locked("a")) << text;
    const auto taken = us.try_lock("a");
    ASSERT_TRUE(taken) << text;
    EXPECT_TRUE(us.files->is_ours(id_of("a"), *taken));
    us.files->unlock(id_of("a"), *taken);
  }
}

// [LOCK-15]
TEST_F(LockFilesTest, ThatAreStaleAreLookedAtAgainUnderTheGuard) {
  Process us(directory_);
  Process faster(directory_);
  directory_.write("a.lock", "");
  std::optional<Taken> theirs;
  constexpr int of_the_guard = 2;
  us.calls.before_flock(of_the_guard, [&] { theirs = faster.try_lock("a"); });
  EXPECT_FALSE(us.try_lock("a"));
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(faster.files->is_ours(id_of("a"), *theirs));
}

// [LOCK-15]
TEST_F(LockFilesTest, ThatAreStaleAreRemovedByOneAtATime) {
  Process us(directory_);
  Process other(directory_);
  directory_.write("a.lock", "");
  std::optional<Taken> theirs;
  constexpr int of_the_second_look = 3;
  us.calls.before_flock(of_the_second_look, [&] { theirs = other.try_lock("a"); });
  const auto ours = us.try_lock("a");
  EXPECT_FALSE(theirs);
  ASSERT_TRUE(ours);
  EXPECT_TRUE(us.files->is_ours(id_of("a"), *ours));
}

TEST_F(LockFilesTest, ADirectoryInThePlaceOfALockIsAnError) {
  Process us(directory_);
  fs::create_directory(directory_.path("a.lock"));
  EXPECT_FALSE(us.files->try_lock(id_of("a")));
}

// The table in memory says that nobody has it, so an unlink failed once.  [LOCK-15]
TEST_F(LockFilesTest, OfOurOwnThatAreLeftOverAreOurs) {
  Process us(directory_);
  const auto left = us.try_lock("a");
  const auto taken = us.try_lock("a");
  ASSERT_TRUE(left && taken);
  EXPECT_TRUE(taken->inode == left->inode);
  us.files->unlock(id_of("a"), *taken);
  EXPECT_FALSE(directory_.has("a.lock"));
}

// [LOCK-13]
TEST_F(LockFilesTest, OfOthersAreNotRemovedWithOurs) {
  Process us(directory_);
  Process thief(directory_);
  const auto taken = us.try_lock("a");
  fs::remove(directory_.path("a.lock"));
  EXPECT_FALSE(us.files->is_ours(id_of("a"), *taken));
  EXPECT_TRUE(thief.try_lock("a"));
  us.files->unlock(id_of("a"), *taken);
  EXPECT_TRUE(directory_.has("a.lock"));
}

// [LOCK-13]
TEST_F(LockFilesTest, OfIdsWithSlashesLieBesideTheData) {
  Process us(directory_);
  const auto taken = us.try_lock("a/b/c");
  EXPECT_TRUE(directory_.has("a/b/c.lock"));
  us.files->unlock(id_of("a/b/c"), *taken);
  EXPECT_FALSE(directory_.has("a")) << "empty directories go";
  fs::create_directories(directory_.path("a/b"));
  directory_.write("a/x", "data");
  us.files->unlock(id_of("a/b/c"), *us.try_lock("a/b/c"));
  EXPECT_FALSE(directory_.has("a/b"));
  EXPECT_TRUE(directory_.has("a/x"));
}

// There is no such upload, so nobody can write to it.  [LOCK-13]
TEST_F(LockFilesTest, NoSymbolicLinkIsFollowed) {
  Process us(directory_);
  testing::TemporaryDirectory outside;
  fs::create_directory_symlink(outside.path(), directory_.path("link"));
  const auto taken = us.try_lock("link/b");
  ASSERT_TRUE(taken);
  EXPECT_TRUE(fs::is_empty(outside.path()));
  us.files->unlock(id_of("link/b"), *taken);
  fs::create_symlink(outside.path() / "target", directory_.path("c.lock"));
  EXPECT_FALSE(us.files->try_lock(id_of("c")));
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

// [LOCK-17]
TEST_F(LockFilesTest, WithoutHardLinksOneServerHasItsLocks) {
  const auto poor = [](FakeCalls& calls) { calls.without_links(); };
  Process us(directory_, poor);
  EXPECT_FALSE(us.files->process().why_alone().empty());
  EXPECT_EQ(directory_.process_files(), 0);
  const auto taken = us.try_lock("a");
  ASSERT_TRUE(taken);
  EXPECT_TRUE(directory_.read("a.lock").starts_with(std::to_string(::getpid()) + "\nalone "));
  EXPECT_EQ(fs::hard_link_count(directory_.path("a.lock")), 1u);
  EXPECT_TRUE(us.files->is_ours(id_of("a"), *taken));
  us.files->unlock(id_of("a"), *taken);
  EXPECT_FALSE(directory_.has("a.lock"));
}

// [LOCK-17]
TEST_F(LockFilesTest, WithoutHardLinksTheDeadAreToldByTheirStart) {
  Process us(directory_, [](FakeCalls& calls) { calls.without_links(EOPNOTSUPP); });
  OtherProcess living;
  const auto start = LockCalls().start_time(living.pid());
  const auto pid = std::to_string(living.pid());
  directory_.write("a.lock", pid + "\nalone this-boot " + start + "\n");
  EXPECT_FALSE(us.try_lock("a"));
  directory_.write("a.lock", pid + "\nalone this-boot " + start + "1\n");
  EXPECT_TRUE(us.try_lock("a")) << "that number was another process's";
  directory_.write("b.lock", pid + "\nalone last-boot " + start + "\n");
  EXPECT_TRUE(us.try_lock("b"));
}

// [LOCK-17]
TEST_F(LockFilesTest, WithoutFlockOneServerHasItsLocks) {
  Process us(directory_, [](FakeCalls& calls) { calls.without_flock(); });
  EXPECT_FALSE(us.files->process().why_alone().empty());
  EXPECT_TRUE(us.try_lock("a"));
  EXPECT_EQ(directory_.process_files(), 0);
}

TEST_F(LockFilesTest, AnErrorOfTheDirectoryIsNotALackOfLinks) {
  FakeCalls calls;
  calls.without_links(EIO);
  EXPECT_FALSE(LockFiles::open(calls, directory_.path().string(), 0775, 0664));
}

// The kernel does not make a file system read-only while a file on it is open for writing.  [LOCK-13]
TEST_F(LockFilesTest, KeepNoFileOpenForWriting) {
  Process us(directory_);
  directory_.write("a.lock", "");
  EXPECT_TRUE(us.try_lock("a"));
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = fs::read_symlink(entry.path(), gone).string();
    if (gone || !target.starts_with(directory_.path().parent_path().string() + "/")) continue;
    const int flags = ::fcntl(std::stoi(entry.path().filename().string()), F_GETFL);
    EXPECT_EQ(flags & O_ACCMODE, O_RDONLY) << target;
  }
}

// A file has at most 65,000 names on ext4.  [LOCK-13]
TEST_F(LockFilesTest, AProcessFileWithAllTheLinksItCanHaveGetsASuccessor) {
  Process us(directory_);
  Process other(directory_);
  const auto first = us.try_lock("a");
  us.calls.fail_link(1, EMLINK);
  const auto second = us.try_lock("b");
  ASSERT_TRUE(second);
  EXPECT_FALSE(first->inode == second->inode);
  EXPECT_EQ(directory_.process_files(), 3);
  EXPECT_FALSE(other.try_lock("a"));
  EXPECT_FALSE(other.try_lock("b"));
}

// [LOCK-13]
TEST_F(LockFilesTest, AProcessFileThatSomebodyRemovedIsMadeAnew) {
  Process us(directory_);
  for (const auto& entry : fs::directory_iterator(directory_.path(".tusd"))) {
    if (entry.path().filename().string().starts_with("pid-")) fs::remove(entry.path());
  }
  EXPECT_TRUE(us.try_lock("a"));
  EXPECT_EQ(directory_.process_files(), 1);
}

// [LOCK-17]
TEST_F(LockFilesTest, LinksThatAreFilesOfTheirOwnAreNone) {
  Process us(directory_, [](FakeCalls& calls) { calls.with_copies_for_links(); });
  EXPECT_FALSE(us.files->process().why_alone().empty());
  const auto taken = us.try_lock("a");
  ASSERT_TRUE(taken);
  EXPECT_TRUE(directory_.read("a.lock").starts_with(std::to_string(::getpid()) + "\nalone "));
  // Their inodes may have other numbers the next time.
  const auto text = directory_.read("a.lock");
  directory_.write("b", text);
  fs::rename(directory_.path("b"), directory_.path("a.lock"));
  EXPECT_TRUE(us.files->is_ours(id_of("a"), *taken));
  directory_.write("a.lock", "1\n");
  EXPECT_FALSE(us.files->is_ours(id_of("a"), *taken));
}

// [LOCK-26]
TEST_F(LockFilesTest, OnAFullDiskAFewUploadsAtATimeCanBeLocked) {
  Process us(directory_);
  Process other(directory_);
  const auto held = other.try_lock("theirs");
  us.calls.without_links(ENOSPC);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::pair<UploadId, Taken>> locks;
    for (const char* id : {"a", "d/b", "c", "d/d"}) {
      const auto taken = us.try_lock(id);
      ASSERT_TRUE(taken) << id;
      EXPECT_TRUE(us.files->is_ours(id_of(id), *taken));
      EXPECT_FALSE(other.try_lock(id)) << id;
      EXPECT_TRUE(*other.files->is_locked(id_of(id)));
      locks.emplace_back(id_of(id), *taken);
    }
    const auto none = us.files->try_lock(id_of("e"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code(), ErrorCode::no_space);
    EXPECT_FALSE(directory_.has("e.lock"));
    EXPECT_FALSE(us.files->try_lock(id_of("theirs"))) << "no lock of another is replaced";
    EXPECT_TRUE(other.files->is_ours(id_of("theirs"), *held));
    for (const auto& [id, taken] : locks) us.files->unlock(id, taken);
    EXPECT_FALSE(directory_.has("a.lock"));
    EXPECT_FALSE(directory_.has("d"));
  }
}

// [LOCK-26]
TEST_F(LockFilesTest, AServerThatStartsOnAFullDiskMakesItsFileWhenThereIsRoom) {
  Process us(directory_, [](FakeCalls& calls) { calls.without_links(ENOSPC); });
  EXPECT_EQ(directory_.process_files(), 0);
  EXPECT_FALSE(*us.files->is_locked(id_of("a")));
  EXPECT_EQ(us.files->try_lock(id_of("a")).error().code(), ErrorCode::no_space);
  us.calls.with_links();
  const auto taken = us.try_lock("a");
  ASSERT_TRUE(taken);
  EXPECT_TRUE(us.files->is_ours(id_of("a"), *taken));
  EXPECT_EQ(directory_.process_files(), 1);
}

// [LOCK-27]
TEST_F(LockFilesTest, ADirectoryThatWasRemovedHoldsNothingAndIsUsedWhenItIsMadeAgain) {
  Process us(directory_);
  const auto before = us.try_lock("before");
  fs::remove_all(directory_.path());
  EXPECT_FALSE(us.files->is_ours(id_of("before"), *before));
  EXPECT_FALSE(*us.files->is_locked(id_of("before")));
  const auto nothing = us.try_lock("a");
  ASSERT_TRUE(nothing) << "there is no upload, and nobody else who could hold it";
  EXPECT_FALSE(nothing->inode);
  us.files->unlock(id_of("a"), *nothing);
  EXPECT_FALSE(fs::exists(directory_.path()));

  fs::create_directory(directory_.path());
  const auto again = us.try_lock("a");
  ASSERT_TRUE(again);
  EXPECT_TRUE(directory_.has("a.lock"));
  Process other(directory_);
  EXPECT_FALSE(other.try_lock("a"));
  us.files->unlock(id_of("a"), *again);
  EXPECT_TRUE(other.try_lock("a"));
}

// [LOCK-27]
TEST_F(LockFilesTest, OurSideDirectoryIsMadeAgain) {
  Process us(directory_);
  Process other(directory_);
  const auto first = us.try_lock("a");
  fs::remove_all(directory_.path(".tusd"));
  const auto second = us.try_lock("b");
  ASSERT_TRUE(second);
  EXPECT_TRUE(us.files->is_ours(id_of("a"), *first));
  EXPECT_FALSE(other.try_lock("a")) << "the old file is still locked";
  EXPECT_FALSE(other.try_lock("b"));
}

// [LOCK-18]
TEST_F(LockFilesTest, AskForReleaseByAFileThatGoesWithTheLock) {
  Process one(directory_);
  Process other(directory_);
  const auto taken = one.try_lock("a");
  EXPECT_FALSE(one.files->asked_at(id_of("a")));
  other.files->ask(id_of("a"));
  EXPECT_TRUE(one.files->asked_at(id_of("a")));
  EXPECT_EQ(directory_.read("a.stop"), "");
  EXPECT_TRUE(directory_.has("a.lock"));
  one.files->unlock(id_of("a"), *taken);
  EXPECT_FALSE(directory_.has("a.stop")) << "whoever is next must not take it for himself";
}

// [LOCK-19]
TEST_F(LockFilesTest, OfTheDeadGoAtTheStartOfAnother) {
  OtherProcess go;
  Process living(directory_);
  EXPECT_TRUE(living.try_lock("held"));
  {
    Process killed(directory_);
    EXPECT_TRUE(killed.try_lock("a"));
    EXPECT_TRUE(killed.try_lock("d/e"));
    killed.files->ask(id_of("held"));
    // Its own file stays, as after a kill: another name for it.
    for (const auto& entry : fs::directory_iterator(directory_.path(".tusd"))) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with("pid-") || name == living.files->process().name()) continue;
      fs::create_hard_link(entry.path(), directory_.path(".tusd/pid-1-killed"));
      break;
    }
  }
  directory_.write("gone.stop", "");
  directory_.write("go.lock", std::to_string(go.pid()) + "\n");
  directory_.write("a", "data");
  directory_.write("a.info", "{}");
  const std::atomic<bool> stop{false};
  remove_left_overs(*living.files, stop);

  EXPECT_FALSE(directory_.has("a.lock"));
  EXPECT_FALSE(directory_.has("d/e.lock"));
  EXPECT_FALSE(directory_.has("gone.stop"));
  EXPECT_FALSE(directory_.has(".tusd/pid-1-killed"));
  EXPECT_TRUE(directory_.has("held.lock"));
  EXPECT_TRUE(directory_.has("held.stop")) << "somebody may wait for it";
  EXPECT_TRUE(directory_.has("go.lock"));
  EXPECT_TRUE(directory_.has("a.info"));
  EXPECT_EQ(directory_.process_files(), 1);
}

// [LOCK-28] Those of Go's processes, which leave no file of their own, too.
TEST_F(LockFilesTest, OfTheDeadGoWhenTheyAreOld) {
  OtherProcess go;
  Process living(directory_);
  EXPECT_TRUE(living.try_lock("held"));
  const std::string dead = "2147483600\n";
  directory_.write("old.lock", dead);
  directory_.write("dir.lock", dead);
  directory_.write("young.lock", dead);
  directory_.write("go.lock", std::to_string(go.pid()) + "\n");
  for (const char* name : {"old.stop", "young.stop", "held.stop", "old", "old.info"}) {
    directory_.write(name, "");
  }
  const auto then = fs::file_time_type::clock::now() - std::chrono::hours(48);
  for (const char* name :
       {"old.lock", "dir.lock", "go.lock", "held.lock", "old.stop", "held.stop", "old"}) {
    fs::last_write_time(directory_.path(name), then);
  }
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const std::atomic<bool> stop{false};
  EXPECT_EQ(remove_old_locks(*living.files, now - std::chrono::hours(24), stop), 3u);

  for (const char* name : {"old.lock", "dir.lock", "old.stop"}) {
    EXPECT_FALSE(directory_.has(name)) << name;
  }
  for (const char* name :
       {"young.lock", "young.stop", "go.lock", "held.lock", "held.stop", "old", "old.info"}) {
    EXPECT_TRUE(directory_.has(name)) << name;
  }
}

}  // namespace
}  // namespace tus::file_locker
