// [S3-50] Over a bucket in memory, or over the one of a real server when the environment names it (tests/services).
#include "stores/s3/bucket_store.h"
#include "stores/s3/client/faulty_bucket_test_kit.h"
#include "stores/s3/client/memory_bucket_test_kit.h"
#include "stores/s3/context.h"
#include "tests/contract/limited_backend.h"
#include "tests/contract/s3_server.h"

#include <tus/testing/coro_test.h>
#include <tus/testing/store_contract.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tus {
namespace {

using s3::Instances;
using s3::S3Server;
using s3::test::Fault;
using s3::test::FaultyBucket;
using s3::test::MemoryBucket;
using s3::test::Operation;

struct Kind {
  Instances instances = Instances::several;
  s3::test::Quirks quirks;  // of the bucket in memory
};

// Where the uploads of one test are.
struct Place {
  std::shared_ptr<s3::Bucket> bucket;
  std::string name;
  std::string prefix;
  std::chrono::milliseconds time_of_a_finish;
  int fewer;                 // repeats by so many times
  std::uint32_t most_parts;  // of an upload
};

Place place_in_memory(const Clock& clock, s3::test::Quirks quirks) {
  s3::test::MemoryBucketOptions options;
  options.quirks = quirks;
  options.quirks.smallest_part = 5;
  return {std::make_shared<MemoryBucket>(clock, std::move(options)),
          "uploads",
          "data",
          std::chrono::milliseconds(20),
          1,
          300};
}

// Nothing of another test, nor of an earlier run.
std::string new_prefix() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return std::string(test->name()) + "-" + std::to_string(now);
}

Place place_on_server() {
  auto server = std::make_shared<S3Server>();
  auto* client = &server->client();
  return {{std::move(server), client},
          S3Server::bucket(),
          new_prefix(),
          std::chrono::seconds(1),
          S3Server::product() == "swift" ? 15 : 5,
          60};
}

s3::StoreOptions store_options(const Place& place, Instances instances) {
  s3::StoreOptions options;
  options.bucket = place.name;
  options.object_prefix = place.prefix;
  options.parts.smallest = options.parts.preferred = 5;
  options.parts.largest = 50'000;
  options.parts.most = place.most_parts;
  options.chunk = 3;
  options.parts_in_flight = 3;
  options.parts_of_an_upload = 4;
  options.instances = instances;
  return options;
}

class S3Backend final : public testing::StoreBackend {
 public:
  explicit S3Backend(Kind kind)
      : place_(S3Server::product().empty() ? place_in_memory(*clock_, kind.quirks)
                                           : place_on_server()),
        options_(store_options(place_, kind.instances)) {
    restart();
  }

  testing::StoreDeviations deviations() const override {
    testing::StoreDeviations deviations;
    deviations.reads_only_finished = true;  // S3 cannot read the parts of a multipart upload
    // Tokens of lockers that begin anew with each process cannot be compared; the record's etag can.
    deviations.ignores_old_tokens = true;
    // Parts that were checked are copied one by one, and one object must not lie in two places at once.
    deviations.commits_in_pieces = true;
    // Only real servers: a request goes on without who sent it.
    deviations.arrives_late = !S3Server::product().empty();
    return deviations;
  }
  Store& store() override { return *store_; }
  void restart() override {
    bucket_->faults().revive();
    dead_ = std::exchange(store_, std::make_shared<s3::BucketStore>(std::make_unique<s3::Context>(
                                      bucket_, options_, clock_, std::make_shared<NoLogger>())));
  }
  void die_after(int steps) override { bucket_->faults().die_after(steps); }
  void limit_space(std::uint64_t bytes) override { bucket_->room().limit(bytes); }

  std::string peek(const UploadId& id, std::uint64_t count) override {
    auto object = get(names_.data(id.str()));
    auto bytes = object ? std::move(object->bytes) : peek_parts(id.str(), count);
    return bytes.substr(0, static_cast<std::size_t>(count));
  }
  std::uint64_t more_than_one_step() const override { return 100; }
  int repeats(int usual) const override { return std::max(usual / place_.fewer, 2); }

  std::chrono::milliseconds time_of_a_finish() const override { return place_.time_of_a_finish; }
  void fail_finishes(FinishFault fault) override {
    bucket_->faults().clear_faults();
    if (fault == FinishFault::none) return;
    constexpr Fault faults[] = {Fault::none, Fault::fails, Fault::answer_lost, Fault::hangs};
    bucket_->faults().fail_all(Operation::complete_multipart, faults[static_cast<int>(fault)]);
  }

 private:
  // What the bucket itself says, whatever the process is kept from.
  template <class T>
  static T ask(Awaitable<s3::Answer<T>> request) {
    auto answer = testing::run(std::move(request));
    if (!answer) throw std::runtime_error(answer.error().detail);
    return *std::move(answer);
  }
  std::optional<s3::SmallObject> get(const s3::ObjectName& name) {
    auto found = testing::run(place_.bucket->get_object(name, 64 << 20, "", S3Server::soon()));
    if (!found && found.error().trouble != s3::Trouble::missing) {
      throw std::runtime_error(found.error().detail);
    }
    return found ? *std::move(found) : std::nullopt;
  }
  std::vector<s3::MultipartName> multiparts(const s3::ObjectName& name) {
    auto page =
        ask(place_.bucket->list_multiparts(place_.name, name.key, "", "", S3Server::soon()));
    std::vector<s3::MultipartName> found;
    for (auto& each : page.uploads) {
      if (each.key == name.key) found.push_back({name, std::move(each.upload)});
    }
    return found;
  }

  // The parts that the bucket lists, as far as none is missing.
  std::string peek_listed(const s3::MultipartName& upload) {
    std::string bytes;
    std::uint32_t next = 1;
    for (bool at_end = false; !at_end;) {
      const auto page = ask(place_.bucket->list_parts(upload, next - 1, S3Server::soon()));
      for (const auto& part : page.parts) {
        if (part.number != next || part.size == 0) return bytes;
        bytes += bucket_->sent_as(upload, part).value_or("[what nobody sent]");
        ++next;
      }
      at_end = page.at_end;
    }
    return bytes;
  }
  // And what lies in .part behind them.
  std::string peek_parts(const std::string& object, std::uint64_t count) {
    std::string bytes;
    for (const auto& upload : multiparts(names_.data(object))) bytes += peek_listed(upload);
    if (bytes.size() >= count) return bytes;
    const auto rest = get(names_.rest(object));
    if (!rest) return bytes;
    for (const auto& [name, value] : rest->look.metadata) {
      if (name != s3::rest_start_name) continue;
      const auto start = static_cast<std::size_t>(std::stoull(value));
      if (start > bytes.size()) return bytes;
      if (start + rest->bytes.size() > bytes.size()) bytes = bytes.substr(0, start) + rest->bytes;
    }
    return bytes;
  }

  std::shared_ptr<Clock> clock_ = std::make_shared<SystemClock>();
  const Place place_;
  const s3::StoreOptions options_;
  const s3::Names names_{options_};
  std::shared_ptr<FaultyBucket> bucket_ = std::make_shared<FaultyBucket>(place_.bucket, *clock_);
  std::shared_ptr<Store> dead_;
  std::shared_ptr<Store> store_;
};

Kind kind(Instances instances) {
  Kind kind;
  kind.instances = instances;
  return kind;
}

Kind like_swift() {
  Kind kind;
  kind.quirks.no_conditions = true;
  kind.quirks.page_size = 7;
  return kind;
}

Kind like_ceph() {
  Kind kind;
  kind.quirks.any_order = kind.quirks.complete_again = kind.quirks.absent_is_changed = true;
  return kind;
}

int add(const std::string& name, Kind what) {
  return testing::add_store_contract(name, [what] { return std::make_unique<S3Backend>(what); });
}

// Names and quirks are those of the bucket in memory; a server has its own.
int add_all() {
  const auto product = S3Server::product();
  if (!product.empty()) return add("s3_" + product, kind(Instances::several));
  return add("s3", kind(Instances::several)) + add("s3_alone", kind(Instances::one)) +
         add("s3_like_ceph", like_ceph()) + add("s3_like_swift", like_swift()) +
         testing::add_store_contract("limited_s3", [] {
           return std::make_unique<LimitedBackend>(std::make_unique<S3Backend>(Kind()));
         });
}

const int registered = add_all();

}  // namespace
}  // namespace tus
