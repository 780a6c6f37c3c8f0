#include "core/service_test_kit.h"

#include <algorithm>
#include <array>

namespace tus::core::test {
namespace {

using namespace std::chrono_literals;

struct Joining : ::testing::Test {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  std::shared_ptr<RecordingHooks> hooks = std::make_shared<RecordingHooks>();
  Bench bench{store, hooks};

  std::string empty_part(std::uint64_t length) {
    return created("partial", std::to_string(length));
  }
  std::string part(const std::string& bytes) {
    const auto path = empty_part(bytes.size());
    if (!bytes.empty()) EXPECT_EQ(bench.patch(path, 0, bytes).status, 204);
    return path;
  }
  static Fields concat_fields(const std::string& value, const std::string& length) {
    Fields fields;
    fields.add("Upload-Concat", value);
    if (!length.empty()) fields.add("Upload-Length", length);
    return fields;
  }
  Response create(const std::string& value, const std::string& length = "") {
    return bench.request("POST", "/files/", concat_fields(value, length));
  }
  static std::string path_of(const Response& response) {
    const auto location = field(response, "Location");
    const std::string prefix = "http://example.org";
    return location.starts_with(prefix) ? location.substr(prefix.size()) : "";
  }
  std::string created(const std::string& value, const std::string& length = "") {
    const auto response = create(value, length);
    EXPECT_EQ(response.status, 201) << response.body;
    return path_of(response);
  }
  Response remove(const std::string& path) { return bench.request("DELETE", path, {}); }
  static std::string code_of(const Response& response) {
    return response.body.substr(0, response.body.find(':'));
  }
  // Lets background tasks and what they wait for go on.
  void settle() {
    bench.context().restart();
    bench.context().run_for(30ms);
  }
  std::string stored(const std::string& path) {
    const auto id = *UploadId::parse(path.substr(std::string("/files/").size()));
    auto info = bench.run(store->inspect(id, Deadline::never()));
    if (!info) return "(none)";
    if (info->join_pending) return "(pending)";
    auto stream = bench.run(store->read(id, {0, info->offset}, Deadline::never()));
    if (!stream) return "(unreadable)";
    std::array<std::byte, 4096> into{};
    std::string all;
    for (;;) {
      auto n = bench.run((*stream)->read(into, Deadline::never()));
      if (!n || *n == 0) return all;
      all.append(reinterpret_cast<const char*>(into.data()), *n);
    }
  }
  std::size_t uploads() { return bench.run(store->usage(Deadline::never()))->uploads; }
  void expect_whole(const std::string& path, const std::string& bytes) {
    const auto head = bench.inspect(path);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(field(head, "Upload-Offset"), std::to_string(bytes.size()));
    EXPECT_EQ(field(head, "Upload-Length"), std::to_string(bytes.size()));
    EXPECT_TRUE(stored(path) == bytes) << stored(path).substr(0, 100);
  }
};

// A request whose answer is looked at later.
class Running {
 public:
  Running(Bench& bench, RequestHead head, BodyScript body = BodyScript())
      : exchange_(std::move(head), std::move(body)),
        done_(
            asio::co_spawn(bench.context(), bench.handler().handle(exchange_), asio::use_future)) {}
  const std::optional<Response>& answer() { return exchange_.final_response(); }

 private:
  FakeExchange exchange_;
  std::future<void> done_;
};

TEST_F(Joining,
       TheBytesOfThePartsInTheOrderOfTheList) {  // [CONCAT-68] [CONCAT-69] [CONCAT-73] [CONCAT-75]
  const auto a = part("hello ");
  const auto b = part("world");
  const auto none = part("");
  const auto whole =
      created("final;" + b + " http://other.host:1/" + a.substr(1) + " " + none + " " + b);
  expect_whole(whole, "worldhello world");
  expect_whole(a, "hello ");
  EXPECT_EQ(remove(a).status, 204);
  EXPECT_EQ(remove(b).status, 204);
  expect_whole(whole, "worldhello world");
}

TEST_F(Joining, NothingButNothing) {  // [CONCAT-81]
  const auto none = part("");
  expect_whole(created("final;" + none + " " + none), "");
}

TEST_F(Joining, EchoesWhatWasSent) {  // [CONCAT-76] [CONCAT-77]
  const auto a = part("abc");
  EXPECT_EQ(field(bench.inspect(a), "Upload-Concat"), "partial");
  EXPECT_EQ(field(bench.inspect(a), "Upload-Offset"), "3");
  const auto value = "final;http://h/" + a.substr(1) + "  " + a;
  EXPECT_EQ(field(bench.inspect(created(value)), "Upload-Concat"), value);
}

TEST_F(Joining, AFinalUploadIsNotWrittenTo) {  // [CONCAT-74]
  const auto a = part("abc");
  const auto early = empty_part(2);
  const auto whole = created("final;" + a);
  const auto waiting = created("final;" + a + " " + early);
  for (const auto& path : {whole, waiting}) {
    const auto refused = bench.patch(path, 0, "x");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(code_of(refused), "ERR_MODIFY_FINAL");
  }
  expect_whole(whole, "abc");
}

TEST_F(Joining, PartsThatCannotBeJoined) {  // [CONCAT-70] [CONCAT-80]
  const auto a = part("abc");
  const auto before = uploads();
  auto refused = create("final;" + a + " /files/no-such-upload");
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(code_of(refused), "ERR_UPLOAD_NOT_FOUND");
  EXPECT_EQ(field(refused, "Location"), "(none)");
  EXPECT_EQ(uploads(), before);

  const auto ordinary = bench.create(1);
  EXPECT_EQ(code_of(create("final;" + ordinary)), "ERR_INVALID_CONCAT");
  const auto whole = created("final;" + a);
  refused = create("final;" + whole);
  EXPECT_EQ(refused.status, 400) << "a final upload is no part";
  EXPECT_EQ(code_of(refused), "ERR_INVALID_CONCAT");
  EXPECT_EQ(uploads(), before + 2);
}

TEST_F(Joining, SumsBeyondAnyLength) {  // [CONCAT-80]
  const auto large = empty_part(INT64_MAX);
  const auto one = part("a");
  for (const auto& list : {large + " " + one, one + " " + large, large + " " + large}) {
    const auto refused = create("final;" + list);
    EXPECT_EQ(refused.status, 413);
    EXPECT_EQ(code_of(refused), "ERR_MAX_SIZE_EXCEEDED");
  }
  const auto head = bench.inspect(created("final;" + large));
  EXPECT_EQ(field(head, "Upload-Length"), std::to_string(INT64_MAX));
}

TEST_F(Joining, TheLimitHoldsForTheSum) {  // [CONCAT-80]
  bench.options.max_size = 5;
  const auto a = part("abc");
  EXPECT_EQ(create("final;" + a + " " + a).status, 413);
  const auto b = created("partial", "2");
  expect_whole(created("final;" + a), "abc");
  const auto waiting = created("final;" + a + " " + b);
  EXPECT_EQ(bench.patch(b, 0, "de").status, 204);
  settle();
  expect_whole(waiting, "abcde");
}

TEST_F(Joining, PartsMayBeUnfinished) {  // [CONCAT-71]
  const auto a = part("abc");
  const auto b = empty_part(4);
  const auto whole = created("final;" + b + " " + a);
  auto head = bench.inspect(whole);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(field(head, "Upload-Offset"), "(none)");
  EXPECT_EQ(field(head, "Upload-Length"), "7");
  EXPECT_EQ(bench.patch(b, 0, "12").status, 204);
  settle();
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Offset"), "(none)");
  EXPECT_EQ(stored(whole), "(pending)");
  EXPECT_EQ(bench.patch(b, 2, "34").status, 204);
  settle();
  EXPECT_EQ(stored(whole), "1234abc") << "joined without being asked for";
  expect_whole(whole, "1234abc");
}

TEST_F(Joining, TheLengthIsToldWhenItCanBeCalculated) {  // [CONCAT-71] [CONCAT-80]
  bench.options.max_size = 8;
  Fields deferred;
  deferred.add("Upload-Concat", "partial");
  deferred.add("Upload-Defer-Length", "1");
  const auto a = path_of(bench.request("POST", "/files/", deferred));
  const auto b = part("abc");
  const auto whole = created("final;" + a + " " + b);
  const auto larger = created("final;" + a + " " + b + " " + b);
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Length"), "(none)");
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Defer-Length"), "(none)");
  auto fields = Bench::patch_fields(0);
  fields.add("Upload-Length", "5");
  EXPECT_EQ(bench.request("PATCH", a, fields, BodyScript::whole("12")).status, 204);
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Length"), "8");
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Offset"), "(none)");
  EXPECT_EQ(bench.inspect(larger).status, 413) << "now that it is known";
  EXPECT_EQ(bench.patch(a, 2, "345").status, 204);
  settle();
  expect_whole(whole, "12345abc");
  EXPECT_EQ(bench.inspect(larger).status, 413);
  EXPECT_EQ(remove(larger).status, 204);
}

TEST_F(Joining, MetadataOfPartsStaysTheirs) {  // [CONCAT-72]
  auto fields = concat_fields("partial", "0");
  fields.add("Upload-Metadata", "name YQ==");
  const auto a = path_of(bench.request("POST", "/files/", fields));
  EXPECT_EQ(field(bench.inspect(created("final;" + a)), "Upload-Metadata"), "(none)");
  fields = concat_fields("final;" + a, "");
  fields.add("Upload-Metadata", "name Yg==");
  const auto named = path_of(bench.request("POST", "/files/", fields));
  EXPECT_EQ(field(bench.inspect(named), "Upload-Metadata"), "name Yg==");
}

TEST_F(Joining, HooksAreToldWhatItIs) {  // [CONCAT-78]
  std::vector<std::string> told;
  hooks->wanted = {HookEvent::pre_create, HookEvent::pre_finish};
  hooks->answer = [&told](const HookMessage& message) -> Result<HookReply> {
    told.push_back(std::string(message.upload.is_partial ? "part" : "") +
                   (message.upload.is_final
                        ? "final " + std::to_string(message.upload.partial_uploads.size()) +
                              " of " + std::to_string(message.upload.length.value_or(0))
                        : ""));
    return HookReply();
  };
  const auto a = part("abc");
  created("final;" + a + " " + a);
  EXPECT_EQ(told, (std::vector<std::string>{"part", "part", "final 2 of 6", "final 2 of 6"}));
}

TEST_F(Joining, WhileItRunsNothingLooksComplete) {  // [CONCAT-83]
  Event gate;
  store->faults->join_gate = &gate;
  bench.options.finish_wait = 20ms;
  const auto a = part("abc");
  const auto answer = create("final;" + a);
  EXPECT_EQ(answer.status, 201) << "on record, and nothing can refuse it any more";
  const auto whole = path_of(answer);
  const auto head = bench.inspect(whole);
  EXPECT_EQ(head.status, 503);
  EXPECT_EQ(field(head, "Upload-Offset"), "(none)");
  EXPECT_NE(field(head, "Retry-After"), "(none)");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(bench.patch(whole, 0, "x").status, 403);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 15ms)
      << "nobody waits in order to be refused";
  gate.set();
  settle();
  expect_whole(whole, "abc");
}

TEST_F(Joining, APartThatIsNeededIsNotDeleted) {  // [CONCAT-84]
  Event gate;
  store->faults->join_gate = &gate;
  bench.options.finish_wait = 20ms;
  const auto a = part("abc");
  const auto free = part("def");
  const auto whole = created("final;" + a + " " + a);
  const auto refused = remove(a);
  EXPECT_EQ(refused.status, 423);
  EXPECT_NE(field(refused, "Retry-After"), "(none)");
  EXPECT_EQ(remove(free).status, 204);
  gate.set();
  settle();
  EXPECT_EQ(remove(a).status, 204);
  expect_whole(whole, "abcabc");
}

TEST_F(Joining, APartThatGoesBeforeTheOthersAreThereIsMissed) {  // [CONCAT-85]
  const auto a = part("abc");
  const auto b = empty_part(4);
  const auto c = empty_part(4);
  const auto first = created("final;" + a + " " + b);
  const auto second = created("final;" + c + " " + a);
  EXPECT_EQ(remove(a).status, 204) << "its client may give it up";
  EXPECT_EQ(remove(b).status, 204);
  EXPECT_EQ(bench.patch(c, 0, "1234").status, 204);
  settle();
  for (const auto& path : {first, second}) {
    EXPECT_EQ(bench.inspect(path).status, 410);
    EXPECT_EQ(bench.inspect(path).error, ErrorCode::part_gone);
    EXPECT_EQ(stored(path), "(pending)");
    EXPECT_EQ(remove(path).status, 204);
    EXPECT_EQ(bench.inspect(path).status, 404);
  }
  EXPECT_EQ(remove(c).status, 204);
}

TEST_F(Joining, ADeletionThatIsUnderWayIsWaitedFor) {  // [CONCAT-84]
  // The DELETE has seen no join, and is asking its hook, when the final upload is made.
  const auto a = part("abc");
  hooks->wanted = {HookEvent::pre_terminate};
  std::optional<Running> creation;
  hooks->answer = [&](const HookMessage&) -> Result<HookReply> {
    creation.emplace(bench, Bench::head("POST", "/files/", concat_fields("final;" + a, "")));
    return HookReply();
  };
  EXPECT_EQ(remove(a).status, 204);
  settle();
  ASSERT_TRUE(creation && creation->answer());
  EXPECT_EQ(creation->answer()->status, 423) << "for now: the part is in other hands";
  EXPECT_EQ(field(*creation->answer(), "Location"), "(none)");
  EXPECT_EQ(uploads(), 0u);
  EXPECT_EQ(create("final;" + a).status, 404);
}

TEST_F(Joining, ManyFinalUploadsOverTheSameParts) {  // [CONCAT-86]
  Event gate;
  store->faults->join_gate = &gate;
  const auto a = part("abc");
  const auto b = part("de");
  std::vector<std::unique_ptr<Running>> all;
  for (int i = 0; i < 8; ++i) {
    const auto list = i % 2 == 0 ? a + " " + b : b + " " + a;
    all.push_back(std::make_unique<Running>(
        bench, Bench::head("POST", "/files/", concat_fields("final;" + list, ""))));
  }
  settle();
  gate.set();
  settle();
  for (int i = 0; i < 8; ++i) {
    const auto& answer = all[static_cast<std::size_t>(i)]->answer();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 201);
    expect_whole(path_of(*answer), i % 2 == 0 ? "abcde" : "deabc");
  }
}

TEST_F(Joining, DeletingTheFinalUploadEndsItsJoin) {  // [CONCAT-87]
  Event gate;
  store->faults->join_gate = &gate;
  bench.options.finish_wait = 20ms;
  const auto big = part(std::string(3 << 20, 'x'));
  const auto whole = created("final;" + big + " " + big);
  Running removal(bench, Bench::head("DELETE", whole, {}));
  settle();
  gate.set();
  settle();
  ASSERT_TRUE(removal.answer());
  // It gives way at the end of a slice, not of the join.
  EXPECT_EQ(remove(whole).status, removal.answer()->status == 204 ? 404 : 204);
  EXPECT_LE(store->faults->joins, 2);
  EXPECT_EQ(bench.inspect(whole).status, 404);
  EXPECT_EQ(remove(big).status, 204) << "nobody needs it any more";
  EXPECT_EQ(uploads(), 0u);
}

TEST_F(Joining, AJoinThatFailsIsTriedAgain) {  // [CONCAT-88]
  store->faults->join_failures = 3;
  const auto a = part("abc");
  expect_whole(created("final;" + a), "abc");
  EXPECT_EQ(store->faults->joins, 4);
}

TEST_F(Joining, WithoutRoomNothingIsCreated) {  // [CONCAT-88]
  store->faults->join_failures = 1000;
  store->faults->join_failure = ErrorCode::no_space;
  const auto a = part("abc");
  const auto full = create("final;" + a);
  EXPECT_EQ(full.status, 507);
  EXPECT_EQ(field(full, "Location"), "(none)");
  EXPECT_EQ(uploads(), 1u);
  store->faults->join_failures = 0;
  expect_whole(created("final;" + a), "abc");
}

TEST_F(Joining, WithoutRoomALateJoinIsTriedAgainAndCanBeDeleted) {  // [CONCAT-88]
  bench.options.finish_retry_delay = 10ms;
  const auto a = empty_part(3);
  const auto whole = created("final;" + a);
  const auto other = created("final;" + a + " " + a);
  store->faults->join_failures = 1000;
  store->faults->join_failure = ErrorCode::no_space;
  EXPECT_EQ(bench.patch(a, 0, "abc").status, 204);
  settle();
  EXPECT_EQ(bench.inspect(whole).status, 507);
  EXPECT_EQ(field(bench.inspect(whole), "Upload-Offset"), "(none)");
  EXPECT_EQ(remove(other).status, 204);
  store->faults->join_failures = 0;
  expect_whole(whole, "abc");
}

TEST_F(Joining, WhatAnEarlierProcessLeftIsTakenUp) {  // [CONCAT-90]
  std::string whole;
  std::string waiting;
  std::string early;
  {
    Bench earlier(store);
    earlier.parts.locker = bench.parts.locker;  // whose tokens go on growing
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->join_failures = 1;
    const auto make = [&earlier](const std::string& value, const std::string& length) {
      return path_of(earlier.request("POST", "/files/", concat_fields(value, length)));
    };
    const auto a = make("partial", "3");
    EXPECT_EQ(earlier.patch(a, 0, "abc").status, 204);
    early = make("partial", "2");
    waiting = make("final;" + a + " " + early, "");
    whole = make("final;" + a, "");
    EXPECT_EQ(earlier.inspect(whole).status, 503);
  }
  EXPECT_EQ(stored(whole), "(pending)");
  bench.handler().recover();
  settle();
  EXPECT_EQ(stored(whole), "abc");
  EXPECT_EQ(stored(waiting), "(pending)");
  // Without a word to this process about it.
  EXPECT_EQ(bench.patch(early, 0, "de").status, 204);
  settle();
  EXPECT_EQ(stored(waiting), "abcde");
}

TEST_F(Joining, PartsOfAnEarlierProcessAreKeptForItsJoins) {  // [CONCAT-84] [CONCAT-90]
  std::string a;
  std::string whole;
  {
    Bench earlier(store);
    earlier.parts.locker = bench.parts.locker;  // whose tokens go on growing
    earlier.options.finish_wait = 10ms;
    earlier.options.finish_retry_delay = 100'000ms;
    store->faults->join_failures = 1;
    a = path_of(earlier.request("POST", "/files/", concat_fields("partial", "3")));
    EXPECT_EQ(earlier.patch(a, 0, "abc").status, 204);
    whole = path_of(earlier.request("POST", "/files/", concat_fields("final;" + a, "")));
  }
  EXPECT_EQ(remove(a).status, 423) << "before anybody has taken up the join";
  expect_whole(whole, "abc");
  EXPECT_EQ(remove(a).status, 204);
}

TEST_F(Joining, AStopEndsAJoinAndItGoesOnLater) {  // [CONCAT-90]
  std::string whole;
  Event gate;
  {
    Bench earlier(store);
    earlier.parts.locker = bench.parts.locker;  // whose tokens go on growing
    earlier.options.finish_wait = 10ms;
    store->faults->join_gate = &gate;
    const auto a = path_of(
        earlier.request("POST", "/files/", concat_fields("partial", std::to_string(4 << 20))));
    EXPECT_EQ(earlier.patch(a, 0, std::string(4 << 20, 'y')).status, 204);
    whole = path_of(earlier.request("POST", "/files/", concat_fields("final;" + a, "")));
    EXPECT_EQ(store->faults->joins, 1);
    earlier.handler().begin_close();
    gate.set();
  }
  EXPECT_LE(store->faults->joins, 2) << "one slice, and no more";
  EXPECT_EQ(stored(whole), "(pending)");
  expect_whole(whole, std::string(4 << 20, 'y'));
}

TEST_F(Joining, PartsAreRemovedOnceTheFinalUploadIsFinished) {  // [CONCAT-91]
  bench.options.remove_joined_parts = true;
  Event gate;
  store->faults->join_gate = &gate;
  bench.options.finish_wait = 20ms;
  const auto a = part("abc");
  const auto b = part("de");
  const auto c = empty_part(1);
  const auto whole = created("final;" + a + " " + b + " " + a);
  const auto waiting = created("final;" + b + " " + c);
  settle();
  EXPECT_EQ(stored(a), "abc") << "never before";
  gate.set();
  settle();
  expect_whole(whole, "abcdeabc");
  settle();
  EXPECT_EQ(stored(a), "(none)");
  // What waits for another part has not got its bytes yet: without b it could never be.
  EXPECT_EQ(stored(b), "de");
  EXPECT_EQ(bench.patch(c, 0, "f").status, 204);
  settle();
  settle();
  expect_whole(waiting, "def");
  EXPECT_EQ(stored(b), "(none)");
  EXPECT_EQ(stored(c), "(none)");
}

TEST_F(Joining, CanBeSwitchedOff) {  // [CONCAT-92] [ERR-6]
  bench.options.concatenation = false;
  EXPECT_EQ(bench.handler().extensions(),
            "creation,creation-with-upload,termination,creation-defer-length,checksum,"
            "checksum-trailer");
  EXPECT_EQ(code_of(create("partial", "5")), "ERR_CONCATENATION_UNSUPPORTED");
}

TEST_F(Joining, AThousandParts) {  // [CONCAT-89]
  std::string list = "final;";
  std::string bytes;
  for (int i = 0; i < 40; ++i) {
    const auto text = std::to_string(i) + ",";
    list += part(text) + " ";
    bytes += text;
  }
  std::string value = "final;";
  std::string whole;
  for (int i = 0; i < 50; ++i) {
    value += list.substr(6);
    whole += bytes;
  }
  value.pop_back();
  expect_whole(created(value), whole);
}

}  // namespace
}  // namespace tus::core::test
