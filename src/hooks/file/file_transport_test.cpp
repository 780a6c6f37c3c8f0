#include "hooks/file/program_test_kit.h"

namespace tus::hooks::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST_F(FileHooksTest, GetTheMessageAndAnswer) {  // [HOOK-130]
  scripts_.script("pre-create", "printf 'reply to '; cat");
  EXPECT_EQ(body_of(call(envelope_of("pre-create", "{\"Type\":1}"))), "reply to {\"Type\":1}");
  scripts_.script("post-create", "exit 0");
  EXPECT_EQ(body_of(call("post-create")), "");
}

TEST_F(FileHooksTest, SeeTheUploadInTheirEnvironment) {  // [HOOK-130]
  ::setenv("TUS_HOOK_TEST", "ours", 1);
  ::setenv("TUS_ID", "not this", 1);
  scripts_.script("post-finish",
                  "echo \"$TUS_ID,$TUS_SIZE,$TUS_OFFSET,$TUS_EVENT_ID,$TUS_HOOK_TEST,$(pwd -P)\"");
  auto envelope = envelope_of("post-finish");
  envelope.upload_length = 17;
  envelope.upload_offset = 5;
  const auto place = std::filesystem::canonical(scripts_.path()).string();
  EXPECT_EQ(body_of(call(envelope)), "upload-1,17,5,event-1,ours," + place + "\n");
  envelope.upload_length.reset();
  envelope.upload_id.clear();
  EXPECT_EQ(body_of(call(envelope)), ",0,5,event-1,ours," + place + "\n")
      << "unknown lengths are 0, as tusd has it";
  ::unsetenv("TUS_HOOK_TEST");
  ::unsetenv("TUS_ID");
}

TEST_F(FileHooksTest, MayIgnoreWhatTheyGet) {  // [HOOK-131]
  scripts_.script("pre-create", "exec <&-; echo ok");
  scripts_.script("pre-finish", "echo ok");
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(body_of(call(envelope_of("pre-create", megabyte))), "ok\n");
    EXPECT_EQ(body_of(call(envelope_of("pre-finish", megabyte))), "ok\n");
  }
}

TEST_F(FileHooksTest, GetLargeMessagesWhole) {  // [HOOK-131]
  scripts_.script("pre-create", "sleep 0.1; cat >copy; echo done");
  std::string body;
  while (body.size() < 1 << 20) body += std::to_string(body.size()) + ",";
  EXPECT_EQ(body_of(call(envelope_of("pre-create", body))), "done\n");
  EXPECT_TRUE(scripts_.read("copy") == body);
}

TEST_F(FileHooksTest, ThatAreNotThereAreNoHooks) {  // [HOOK-132]
  EXPECT_EQ(body_of(call("pre-create")), "");
}

TEST_F(FileHooksTest, ThatCannotBeLookedForAreAnError) {  // [HOOK-132]
  options_.directory = scripts_.path() / "gone";
  expect_error(call("pre-create"), ErrorCode::store_unavailable, "cannot look for the hook");
}

TEST_F(FileHooksTest, ThatCannotBeRunAreAnErrorThatSaysWhy) {  // [HOOK-132]
  scripts_.write("pre-create", "#!/bin/sh\n", std::filesystem::perms(0644));
  expect_error(call("pre-create"), ErrorCode::internal, "not executable");
  std::filesystem::create_directory(scripts_.path() / "pre-finish");
  expect_error(call("pre-finish"), ErrorCode::internal, "is no file");
  scripts_.write("post-create", "echo no shebang\n");
  expect_error(call("post-create"), ErrorCode::internal, "#!");
  scripts_.write("post-finish", "#!/no/such/shell\n");
  expect_error(call("post-finish"), ErrorCode::internal, "what its first line names");
  std::filesystem::create_symlink("nowhere", scripts_.path() / "post-terminate");
  expect_error(call("post-terminate"), ErrorCode::internal, "leads nowhere");
}

TEST_F(FileHooksTest, FailWithTheirExitCode) {  // [HOOK-134]
  scripts_.script("pre-create", "echo 'what is wrong'; exit 7");
  expect_error(call("pre-create"), ErrorCode::internal, "code 7, it said: what is wrong");
  scripts_.script("pre-finish", "kill -SEGV $$");
  expect_error(call("pre-finish"), ErrorCode::internal, "signal 11");
}

TEST_F(FileHooksTest, OfTheLegacyFormatRefuseByTheirExitCode) {  // [HOOK-135]
  options_.format = Format::legacy;
  scripts_.script("pre-create", "echo 'not on stdout'; printf 'not you' >&2; exit 3");
  auto reply = call("pre-create");
  ASSERT_TRUE(reply) << reply.error().detail();
  EXPECT_TRUE(reply->refused);
  EXPECT_EQ(reply->exit_code, 3);
  EXPECT_EQ(reply->body, "not you");
  scripts_.script("pre-create", "printf 'only here'; exit 4");
  reply = call("pre-create");
  ASSERT_TRUE(reply) << reply.error().detail();
  EXPECT_EQ(reply->exit_code, 4);
  EXPECT_EQ(reply->body, "only here");
  scripts_.script("pre-create", "echo fine; echo noise >&2");
  reply = call("pre-create");
  ASSERT_TRUE(reply) << reply.error().detail();
  EXPECT_FALSE(reply->refused);
  EXPECT_EQ(reply->body, "fine\n");
  scripts_.script("pre-create", "kill -9 $$");
  expect_error(call("pre-create"), ErrorCode::internal, "signal 9");
}

TEST_F(FileHooksTest, MayPrintAnythingThatIsNotTooMuch) {  // [HOOK-134]
  scripts_.script("pre-create", "printf '\\000\\377{'");
  EXPECT_EQ(body_of(call("pre-create")), std::string("\0\377{", 3));
  scripts_.script("pre-create", "head -c 65536 /dev/zero");
  EXPECT_EQ(body_of(call("pre-create")), std::string(65536, '\0'));
  scripts_.script("pre-create", "head -c 65537 /dev/zero");
  expect_error(call("pre-create"), ErrorCode::internal, "wrote more than 65536 bytes");
  scripts_.script("pre-create", "cat /dev/zero; exec sleep 1000");
  expect_error(call("pre-create"), ErrorCode::internal, "wrote more than 65536 bytes");
}

TEST_F(FileHooksTest, AreHeardInTheLog) {  // [HOOK-136]
  scripts_.script("pre-create", "echo one >&2; printf two >&2; echo reply");
  EXPECT_EQ(body_of(call("pre-create")), "reply\n");
  EXPECT_EQ(logger_->lines(),
            (std::vector<std::string>{"HookOutput hook=pre-create id=upload-1 text=one",
                                      "HookOutput hook=pre-create id=upload-1 text=two"}));
}

TEST_F(FileHooksTest, MayFloodTheLogWithoutHarm) {  // [HOOK-136]
  scripts_.script("pre-create", "yes complaint | head -c 20000000 >&2; echo reply");
  EXPECT_EQ(body_of(call("pre-create")), "reply\n");
  const auto lines = logger_->lines();
  ASSERT_EQ(lines.size(), 101u);
  EXPECT_EQ(lines.back(), "HookOutputDropped hook=pre-create id=upload-1 lines=1999900");
}

TEST_F(FileHooksTest, NeverRunMoreAtOnceThanAllowed) {  // [HOOK-133]
  options_.concurrency = 3;
  scripts_.script(
      "post-create",
      "mkdir running.$$; ls -d running.* | wc -l >>counts; sleep 0.05; rmdir running.$$");
  std::vector<std::future<Reply>> replies;
  for (int i = 0; i < 20; ++i) replies.push_back(begin(envelope_of("post-create")));
  for (auto& reply : replies) EXPECT_EQ(body_of(reply.get()), "");
  std::istringstream counts(scripts_.read("counts"));
  int most = 0;
  int runs = 0;
  for (int count = 0; counts >> count; ++runs) most = std::max(most, count);
  EXPECT_EQ(runs, 20);
  EXPECT_LE(most, 3);
}

TEST_F(FileHooksTest, AreNotStartedWhenTheirTurnComesTooLate) {  // [HOOK-133]
  options_.concurrency = 1;
  scripts_.script("pre-finish", "echo started >started; while ! test -e go; do sleep 0.01; done");
  scripts_.script("pre-create", "echo started >other");
  auto first = begin(envelope_of("pre-finish"));
  ASSERT_TRUE(comes_true([this] { return scripts_.has("started"); }));
  expect_error(call(envelope_of("pre-create"), within(milliseconds(20))), ErrorCode::overloaded,
               "no turn");
  EXPECT_EQ(body_of(call("post-create")), "") << "who wants no program waits for none";
  scripts_.write("go", "");
  EXPECT_EQ(body_of(first.get()), "");
  EXPECT_FALSE(scripts_.has("other"));
}

TEST_F(FileHooksTest, AreClosed) {  // [HOOK-139]
  close(within(seconds(1)));
  scripts_.script("pre-create", "echo ok");
  expect_error(call("pre-create"), ErrorCode::server_shutdown, "closed");
}

TEST_F(FileHooksTest, MayEndBeforeTheyAreClosed) {  // [HOOK-139]
  scripts_.script("post-finish",
                  "touch started; while ! test -e go; do sleep 0.01; done; echo end");
  auto running = begin(envelope_of("post-finish"));
  ASSERT_TRUE(comes_true([this] { return scripts_.has("started"); }));
  auto closing =
      asio::co_spawn(executors_[1], transport().close(within(patience)), asio::use_future);
  scripts_.write("go", "");
  closing.get();
  EXPECT_EQ(body_of(running.get()), "end\n");
}

}  // namespace
}  // namespace tus::hooks::test
