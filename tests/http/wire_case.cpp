#include "tests/http/wire_case.h"

#include "server/listening_socket.h"
#include "testing/store_contract_kit.h"
#include "tests/conformance/http_house.h"
#include "tests/http/wire_answers.h"
#include "tests/http/wire_client.h"

#include <tus/file_store.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/testing/temporary_directory.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

namespace tus::http_tests {

namespace {

using testing::bytes_of;
using testing::RawClient;
using testing::run;

constexpr std::uint64_t open_length = 300;
// What a row is about stands at the end of it. Before that not every boundary is worth a connection: the
// table is to stay a matter of seconds.
constexpr std::size_t cut_everywhere = 64;
constexpr std::size_t most_other_cuts = 16;
constexpr std::size_t most_pieces = 1500;
const std::string probe = "OPTIONS /files/ HTTP/1.1\r\nHost: h\r\n\r\n";

enum class Cut : std::uint8_t { nowhere, in_two, bytes };

struct Way {
  bool over_tcp = false;
  Cut cut = Cut::nowhere;
  std::size_t at = 0;  // in_two
};

std::string text_of(const Way& way) {
  std::string text = way.over_tcp ? "TCP" : "Unix socket";
  if (way.cut == Cut::bytes) text += ", in single bytes";
  if (way.cut == Cut::in_two) text += ", cut at " + std::to_string(way.at);
  return text;
}

class FixedHooks final : public Hooks {
 public:
  explicit FixedHooks(HookReply reply) : reply_(std::move(reply)) {}
  bool wants(HookEvent event) const noexcept override { return event == HookEvent::pre_create; }
  Awaitable<Result<HookReply>> ask(HookMessage, Deadline) override { co_return reply_; }
  Awaitable<Result<HookTicket>> promise(HookMessage, Deadline) override { co_return HookTicket(); }
  void happened(HookTicket) noexcept override {}
  void withdraw(HookTicket) noexcept override {}

 private:
  HookReply reply_;
};

enum class Kind : std::uint8_t { memory, files };

// The server of one case.
class House {
 public:
  House(const WireCase& wire_case, Kind kind) : store_(make_store(kind)) {
    HandlerParts parts;
    parts.store = store_;
    parts.locker = make_memory_locker();
    if (wire_case.hook_reply) parts.hooks = std::make_shared<FixedHooks>(*wire_case.hook_reply);
    HttpServerOptions server_options;
    server_options.zero_copy = kind == Kind::files ? ZeroCopy::always : ZeroCopy::automatic;
    house_.emplace(wire_case.options, std::move(parts), server_options);
    auto socket = server::listen_on_unix(socket_path(), std::nullopt);
    if (!socket) throw std::runtime_error(socket.error().detail());
    house_->listen(::dup(socket->fd()));
    listening_ = *std::move(socket);
    testing::create(*store_, testing::draft_of(nested_upload, 4), "nest");
  }

  WireClient connect(bool over_tcp) const {
    return WireClient(over_tcp ? RawClient(house_->port()) : RawClient(socket_path()));
  }
  Store& store() { return *store_; }

 private:
  std::string socket_path() const { return (directory_.path() / "socket").string(); }
  std::shared_ptr<Store> make_store(Kind kind) {
    if (kind == Kind::memory) return make_memory_store();
    FileStoreOptions options;
    options.directory = directory_.path() / "uploads";
    options.fsync = FsyncPolicy::off;
    auto made = make_file_store(options, pool_, std::make_shared<SystemClock>(),
                                std::make_shared<NoLogger>());
    if (!made) throw std::runtime_error(made.error().detail());
    // What would be an upload to whoever got there.
    for (const auto& place : {directory_.path(), options.directory / ".tusd"}) {
      std::ofstream(place / "bait") << "bait";
      std::ofstream(place / "bait.info") << R"({"ID":"bait","Size":4})";
    }
    return *made;
  }

  testing::TemporaryDirectory directory_;
  std::shared_ptr<BlockingPool> pool_ = make_blocking_pool(2);
  std::shared_ptr<Store> store_;
  std::optional<server::ListeningSocket> listening_;
  std::optional<conformance::HttpHouse> house_;
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string id_of_run(char kind, unsigned number) {
  auto digits = std::to_string(number);
  return kind + std::string(7 - digits.size(), '0') + digits;
}

std::vector<std::string_view> pieces_of(const std::string& all, const Way& way) {
  const std::string_view wire = all;
  if (way.cut == Cut::nowhere) return {wire};
  if (way.cut == Cut::in_two) return {wire.substr(0, way.at), wire.substr(way.at)};
  std::vector<std::string_view> pieces;
  const auto size = 1 + wire.size() / most_pieces;
  for (std::size_t at = 0; at < wire.size(); at += size) pieces.push_back(wire.substr(at, size));
  return pieces;
}

// One run of a case: two fresh uploads, one connection.
class Run {
 public:
  Run(const WireCase& wire_case, House& house, unsigned number, Way way)
      : case_(wire_case),
        house_(house),
        way_(way),
        open_(id_of_run('u', number)),
        victim_(id_of_run('v', number)),
        client_(house.connect(way.over_tcp)) {}

  void expect_outcome() {
    SCOPED_TRACE(text_of(way_));
    create_uploads();
    const auto before = uploads();
    talk();
    expect_answers();
    const auto stored = case_.stored.transform([&](auto& text) { return of_this_run(text); });
    EXPECT_EQ(content_of(open_), stored);
    EXPECT_EQ(content_of(victim_), case_.victim);
    const auto after = before + case_.created - (case_.stored ? 0 : 1) - (case_.victim ? 0 : 1);
    EXPECT_EQ(uploads(), after) << "uploads in the store";
  }

 private:
  void create_uploads() {
    testing::create(house_.store(), testing::draft_of(open_, open_length));
    auto draft = testing::draft_of(victim_, victim_bytes.size());
    draft.metadata = case_.victim_metadata;
    testing::create(house_.store(), std::move(draft), victim_bytes);
  }

  std::string of_this_run(const std::string& text) const {
    return replaced(replaced(text, open_upload, open_), victim_upload, victim_);
  }

  void talk() {
    const auto wire = of_this_run(case_.wire + case_.behind);
    client_.send(pieces_of(wire, way_));
    if (case_.half_close) client_.half_close();
    wait_for_answers();
    const auto rest = of_this_run(case_.after_answers);
    if (!rest.empty()) client_.send({rest});
    finish();
  }

  void wait_for_answers() {
    const auto wanted = std::ranges::count(case_.answers, ' ') + (case_.answers.empty() ? 0 : 1);
    const auto enough = [&] { return std::cmp_greater_equal(answers().finals(), wanted); };
    while (!enough() && !client_.at_end() && answers().broken.empty()) {
      if (!client_.receive()) break;
    }
    ended_by_itself_ = !case_.half_close && (answers().finals() == 0 || last().says_close());
  }

  // What is still to come: the end, or the answer to one more request.
  void finish() {
    if (!ended_by_itself_ && !case_.half_close) {
      client_.send({probe});
      client_.half_close();
    }
    EXPECT_TRUE(client_.receive_to_end()) << "the server has not closed";
    EXPECT_FALSE(client_.was_reset());
  }

  void expect_answers() {
    auto got = answers();
    EXPECT_EQ(got.broken, "");
    EXPECT_EQ(got.unfinished, "");
    if (!ended_by_itself_ && !case_.half_close) take_probe(got);
    EXPECT_EQ(statuses_of(got), case_.answers) << client_.received();
    if (case_.ends != Ends::told && !case_.half_close) {
      EXPECT_EQ(ended_by_itself_ ? Ends::closed : Ends::open, case_.ends);
    }
    expect_order(got);
    for (const auto& text : case_.has) {
      EXPECT_TRUE(client_.received().contains(of_this_run(text))) << client_.received();
    }
    for (const auto& text : case_.lacks) {
      EXPECT_FALSE(client_.received().contains(of_this_run(text))) << client_.received();
    }
  }

  static void take_probe(WireAnswers& got) {
    ASSERT_FALSE(got.list.empty());
    const auto& last = got.list.back();
    EXPECT_EQ(last.status, 200);
    EXPECT_EQ(last.fields.count("Tus-Extension"), 1u) << "not the answer to the last request";
    got.list.pop_back();
  }

  // At most one 100 before each answer, and nothing behind the one that ends the connection.
  static void expect_order(const WireAnswers& got) {
    for (std::size_t at = 0; at + 1 < got.list.size(); ++at) {
      const auto& answer = got.list[at];
      EXPECT_FALSE(answer.says_close()) << "an answer after the last one";
      if (answer.is_final()) continue;
      EXPECT_EQ(answer.status, 100);
      EXPECT_TRUE(got.list[at + 1].is_final());
    }
    if (!got.list.empty()) EXPECT_TRUE(got.list.back().is_final());
  }

  WireAnswers answers() const { return read_answers(client_.received(), case_.answers); }
  WireAnswer last() const { return answers().list.back(); }

  std::uint64_t uploads() {
    auto usage = run(house_.store().usage(Deadline::never()));
    return usage ? usage->uploads : 0;
  }

  std::optional<std::string> content_of(const std::string& id) {
    auto info = testing::inspect(house_.store(), id);
    if (!info) return std::nullopt;
    if (info->offset == 0) return "";
    return testing::read_range(house_.store(), id, ByteRange{0, info->offset});
  }

  const WireCase& case_;
  House& house_;
  const Way way_;
  const std::string open_;
  const std::string victim_;
  WireClient client_;
  bool ended_by_itself_ = false;
};

std::vector<Way> ways_of(const WireCase& wire_case, Kind kind) {
  if (kind == Kind::files && wire_case.cuts == Cuts::few) return {{false, Cut::nowhere}};
  std::vector<Way> ways{{false, Cut::nowhere}, {true, Cut::nowhere}, {false, Cut::bytes}};
  if (kind == Kind::files || wire_case.cuts == Cuts::few) return ways;
  ways.push_back({true, Cut::bytes});
  const auto size = wire_case.wire.size() + (wire_case.behind.empty() ? 0 : 1);
  const auto fine = size - std::min(size, cut_everywhere);
  for (std::size_t at = 1; at < size; at += at < fine ? 1 + fine / most_other_cuts : 1) {
    ways.push_back({false, Cut::in_two, at});
  }
  return ways;
}

}  // namespace

void PrintTo(const WireCase& wire_case, std::ostream* out) {
  *out << ::testing::PrintToString(wire_case.name);
}

std::string request(const std::string& method, const std::string& target,
                    const std::string& fields) {
  return method + " " + target + " HTTP/1.1\r\n" + host + tus_version + fields + crlf;
}

std::string patch_upload(const std::string& framing, const std::string& body) {
  return request("PATCH", to_upload, content_type + "Upload-Offset: 0\r\n" + framing) + body;
}

std::string patch_with_length(const std::string& body) {
  return patch_upload("Content-Length: " + std::to_string(body.size()) + crlf, body);
}

std::string patch_chunked(const std::string& chunks) {
  return patch_upload(chunked_coding, chunks);
}

WireCase refused(std::string name, std::string head, std::string status) {
  WireCase result{.name = std::move(name)};
  result.wire = std::move(head);
  result.behind = last_chunk + deletes_victim;
  result.answers = std::move(status);
  result.ends = Ends::closed;
  return result;
}

std::string chunk(const std::string& data) {
  std::ostringstream text;
  text << std::hex << data.size() << crlf << data << crlf;
  return text.str();
}

// [HTTP-49]
void expect_outcome(const WireCase& wire_case) {
  for (const auto kind : {Kind::memory, Kind::files}) {
    House house(wire_case, kind);
    unsigned number = 0;
    for (const auto& way : ways_of(wire_case, kind)) {
      Run(wire_case, house, ++number, way).expect_outcome();
      if (::testing::Test::HasFailure()) return;  // one is enough to read
    }
  }
}

}  // namespace tus::http_tests
