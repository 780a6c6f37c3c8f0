// The digest of whole uploads, through the service.
#include "core/running_digest.h"
#include "core/service_test_kit.h"
#include "digest/hasher.h"
#include "protocol/header_values.h"

#include <tus/testing/fake_bucket.h>
#include <tus/testing/fake_lease.h>
#include <tus/testing/fake_part_store.h>

namespace tus::core::test {
namespace {

std::string repr_of(const std::string& bytes) {
  const auto digest = digest::digest_of(ChecksumAlgorithm::sha256, std::as_bytes(std::span(bytes)));
  return "sha-256=:" + protocol::encode_base64(digest) + ":";
}

struct Digests : ::testing::Test {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  std::shared_ptr<Locker> locker = make_memory_locker();  // of several servers
  std::unique_ptr<Bench> bench = make_bench(store);

  std::unique_ptr<Bench> make_bench(std::shared_ptr<Store> of,
                                    std::shared_ptr<Hooks> hooks = nullptr,
                                    WholeDigest made_of = WholeDigest::sha256) {
    auto made = std::make_unique<Bench>(std::move(of), std::move(hooks));
    made->options.digest = made_of;
    made->parts.locker = locker;
    return made;
  }
  std::string digest(const std::string& path) { return field(bench->inspect(path), "Repr-Digest"); }
  Response checked(const std::string& path, std::uint64_t offset, const std::string& bytes,
                   const std::string& of) {
    auto fields = Bench::patch_fields(offset);
    const auto sum = digest::digest_of(ChecksumAlgorithm::md5, std::as_bytes(std::span(of)));
    fields.add("Upload-Checksum", "md5 " + protocol::encode_base64(sum));
    return bench->request("PATCH", path, fields, BodyScript::chunked(bytes, 2));
  }
  // What another server would do: bytes that nobody here has seen.
  void write_elsewhere(const std::string& path, const std::string& bytes) {
    const auto other = make_bench(store, nullptr, WholeDigest::none);
    const auto offset = field(other->inspect(path), "Upload-Offset");
    EXPECT_EQ(other->patch(path, std::stoull(offset), bytes).status, 204);
  }
};

TEST_F(Digests, AreToldOfFinishedUploads) {  // [DIGEST-1] [DIGEST-2]
  const auto path = bench->create(11);
  EXPECT_EQ(digest(path), "(none)");
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  EXPECT_EQ(digest(path), "(none)");
  EXPECT_EQ(bench->patch(path, 5, " world").status, 204);
  EXPECT_EQ(digest(path), repr_of("hello world"));
  EXPECT_EQ(store->faults->reads, 0) << "nothing was read again";
  EXPECT_EQ(store->faults->digests_saved, 0) << "nothing was written for it";
}

TEST_F(Digests, OfCreationsWithContent) {  // [DIGEST-1]
  Fields fields;
  fields.add("Upload-Length", "5");
  fields.add("Content-Type", "application/offset+octet-stream");
  auto here = BodyScript::whole("hello");
  here.arrived = 1;
  for (const auto& body : {here, BodyScript::chunked("hello", 2)}) {
    const auto made = bench->request("POST", "/files/", fields, body);
    EXPECT_EQ(made.status, 201);
    const auto path = field(made, "Location").substr(std::string("http://example.org").size());
    EXPECT_EQ(digest(path), repr_of("hello"));
  }
  EXPECT_EQ(digest(bench->create(0)), repr_of(""));
  EXPECT_EQ(store->faults->reads, 0);
}

TEST_F(Digests, AreNotMadeWhenTheyAreOff) {  // [DIGEST-1]
  bench = make_bench(store, nullptr, WholeDigest::none);
  const auto path = bench->create(5);
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  EXPECT_EQ(digest(path), "(none)");
}

TEST_F(Digests, GoOnBehindCheckedAppends) {  // [DIGEST-2] [CHECK-57]
  const auto path = bench->create(15);
  EXPECT_EQ(checked(path, 0, "hello", "hello").status, 204);
  EXPECT_EQ(checked(path, 5, "XXXXX", "hello").status, 460);
  EXPECT_EQ(bench->patch(path, 5, "world").status, 204);
  EXPECT_EQ(checked(path, 10, "hello", "hello").status, 204);
  EXPECT_EQ(digest(path), repr_of("helloworldhello"));
  EXPECT_EQ(store->faults->reads, 0);
}

TEST_F(Digests, KeepOnlyWhatCounted) {  // [DIGEST-2]
  const auto path = bench->create(10);
  auto cut = BodyScript::whole("hello");
  cut.announced = 10;
  cut.end = BodyState::peer_closed;
  EXPECT_EQ(bench->request("PATCH", path, Bench::patch_fields(0), cut).status, 500);
  EXPECT_EQ(bench->request("PATCH", path, Bench::patch_fields(5), BodyScript::chunked("worlds", 3))
                .status,
            413);
  EXPECT_EQ(field(bench->inspect(path), "Upload-Offset"), "9");
  EXPECT_EQ(bench->patch(path, 9, "d").status, 204);
  EXPECT_EQ(digest(path), repr_of("helloworld"));
  EXPECT_EQ(store->faults->reads, 0);
}

TEST_F(Digests, ForgetWhatTheStoreHasLost) {  // [DIGEST-5]
  const auto path = bench->create(10);
  store->faults->append_loses = true;
  EXPECT_EQ(bench->patch(path, 0, "XXXXX").status, 503);
  store->faults->append_loses = false;
  write_elsewhere(path, "hello");
  EXPECT_EQ(bench->patch(path, 5, "world").status, 204);
  EXPECT_EQ(digest(path), repr_of("helloworld"));
}

TEST_F(Digests, SurviveARestart) {  // [DIGEST-3]
  const auto path = bench->create(15);
  EXPECT_EQ(checked(path, 0, "hello", "hello").status, 204) << "committed with its state";
  bench = make_bench(store);
  EXPECT_EQ(bench->patch(path, 5, "world").status, 204);
  EXPECT_EQ(store->faults->reads, 0);
  bench = make_bench(store);
  EXPECT_EQ(bench->patch(path, 10, "again").status, 204);
  EXPECT_EQ(store->faults->reads, 1);
  EXPECT_EQ(store->faults->bytes_read, 5u) << "only what came behind the recorded state";
  EXPECT_EQ(digest(path), repr_of("helloworldagain"));
}

TEST_F(Digests, OfBytesThatSomebodyElseWrote) {  // [DIGEST-4]
  const auto path = bench->create(15);
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  write_elsewhere(path, "there");
  EXPECT_EQ(bench->patch(path, 10, "again").status, 204);
  EXPECT_EQ(digest(path), repr_of("hellothereagain"));
  EXPECT_EQ(store->faults->bytes_read, 5u);

  // Without any state: an upload of a server that makes no digests, or that drops what it does not know.
  const auto plain = make_bench(store, nullptr, WholeDigest::none);
  const auto other = plain->create(10);
  EXPECT_EQ(plain->patch(other, 0, "hello").status, 204);
  EXPECT_EQ(bench->patch(other, 5, "world").status, 204);
  EXPECT_EQ(digest(other), repr_of("helloworld"));
}

TEST_F(Digests, AnotherUploadOfTheSameIdIsAnother) {  // [DIGEST-4]
  auto hooks = std::make_shared<RecordingHooks>();
  hooks->wanted = {HookEvent::pre_create};
  hooks->answer = [](const HookMessage&) {
    HookReply reply;
    reply.id = "same";
    return Result<HookReply>(reply);
  };
  bench = make_bench(store, hooks);
  const auto path = bench->create(10);
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  auto elsewhere = make_bench(store, hooks);
  EXPECT_EQ(elsewhere->request("DELETE", path, {}).status, 204);
  EXPECT_EQ(elsewhere->create(10), path);
  EXPECT_EQ(elsewhere->patch(path, 0, "HELLO").status, 204);
  EXPECT_EQ(bench->patch(path, 5, "world").status, 204);
  EXPECT_EQ(digest(path), repr_of("HELLOworld"));
}

TEST_F(Digests, AStateAheadOfItsUploadIsDropped) {  // [DIGEST-5]
  const auto path = bench->create(10);
  EXPECT_EQ(bench->patch(path, 0, "he").status, 204);
  auto ahead = RunningDigest::begin();
  ahead.saw(std::as_bytes(std::span(std::string_view("hello"))));
  const auto id = UploadId::parse(path.substr(7));
  auto lease =
      bench->run(locker->acquire(*id, Deadline::never(), std::make_shared<testing::FakeHolder>()));
  auto upload = bench->run(store->open(*id, **lease, Deadline::never()));
  UploadDigest recorded;
  recorded.state = ahead.text();
  (*upload)->set_digest(recorded);
  EXPECT_TRUE(bench->run((*upload)->save_digest(**lease, Deadline::never())));
  upload->reset();
  lease->reset();
  EXPECT_EQ(bench->patch(path, 2, "LLO").status, 204);
  EXPECT_EQ(bench->patch(path, 5, "world").status, 204);
  EXPECT_EQ(digest(path), repr_of("heLLOworld"));
}

TEST_F(Digests, AreKnownToHooksAtTheFinish) {  // [DIGEST-6]
  auto hooks = std::make_shared<RecordingHooks>();
  hooks->wanted = {HookEvent::pre_finish};
  std::string told;
  hooks->answer = [&told](const HookMessage& message) {
    told = message.upload.digest.repr;
    return Result<HookReply>(HookReply());
  };
  bench = make_bench(store, hooks);
  const auto path = bench->create(5);
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  EXPECT_EQ(told, repr_of("hello"));
}

TEST_F(Digests, OfAStoreThatCanReadOnlyWhatIsWhole) {  // [DIGEST-4]
  auto bucket = std::make_shared<testing::FakeBucket>();
  auto parts = testing::make_fake_part_store(bucket, 5);
  bench = make_bench(parts);
  const auto path = bench->create(12);
  EXPECT_EQ(bench->patch(path, 0, "hello").status, 204);
  bench = make_bench(parts);  // which does not know the digest, and cannot read the parts
  EXPECT_EQ(bench->patch(path, 5, " world!").status, 204);
  EXPECT_EQ(digest(path), repr_of("hello world!"));
}

TEST(running_digest, texts) {  // [DIGEST-3]
  auto running = RunningDigest::begin();
  running.saw(std::as_bytes(std::span(std::string_view("hello"))));
  const auto again = RunningDigest::parse(running.text());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->repr(), repr_of("hello"));
  EXPECT_EQ(again->name(), running.name());
  EXPECT_EQ(again->offset(), 5u);
  EXPECT_NE(RunningDigest::begin().name(), running.name());
  for (const char* text :
       {"", "sha-256", "sha-256 a", "sha-256 a b", "md5 a AAAA", "sha-256  AAAA"}) {
    EXPECT_FALSE(RunningDigest::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tus::core::test
