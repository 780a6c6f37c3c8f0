// What goes wrong with the requests to a bucket of the tests, and how many there were.
#pragma once

#include "stores/s3/client/bucket.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::s3::test {

// Named as S3 names its requests; GetObject is get_object() as well as open_object().
enum class Operation : std::uint8_t {
  check,
  head_object,
  get_object,
  put_object,
  delete_object,
  create_multipart,
  put_part,
  copy_part,
  list_parts,
  complete_multipart,
  abort_multipart,
  list_objects,
  list_multiparts,
};
inline constexpr std::size_t operation_count = 13;

std::string_view name_of(Operation operation) noexcept;

// Every operation, for a loop that makes each of them fail once.
std::vector<Operation> all_operations();

enum class Fault : std::uint8_t {
  none,
  fails,        // unavailable, and nothing was done
  breaks_off,   // the same in the middle of the body, of a request or of a download
  answer_lost,  // done, and unavailable
  hangs,        // nothing is done, and unavailable when the deadline has passed
  hangs_done,   // done, and unavailable when the deadline has passed
  held,         // is done and answered as always, but only after let_go()
  done_twice,   // the client repeats what was done already, and gives the answer to that
  missing,      // nothing is done
  refused,      // nothing is done
};

// Thread-safe. "The n-th" counts from the call that says it; the next request is the first.
class BucketFaults {
 public:
  void fail_nth(int n, Fault fault);
  void fail_nth(Operation operation, int n, Fault fault);
  void fail_all(Operation operation, Fault fault);
  // Takes back what the three above have said. Held requests go on.
  void clear_faults();

  // A dead process: from the n-th request on nothing is done, and everything is unavailable.
  void die_after(int n);
  // The same, only that the n-th request is done and the process dies before it hears of it.
  void die_during(int n);
  void revive();
  bool is_dead() const;

  void let_go();
  int held() const;

  // How many requests were hit by what the first three have said.
  int hits() const;
  int requests() const;
  int requests(Operation operation) const;
  // Bytes of objects and parts, not of heads and XML.
  std::uint64_t sent(Operation operation) const;
  std::uint64_t received(Operation operation) const;
  std::uint64_t sent() const;
  std::uint64_t received() const;
  // "put_part files/a#2 5242880: answer_lost", in the order in which they were sent.
  std::vector<std::string> log() const;
  void reset_counts();

  // What the bucket calls.
  Fault admit(Operation operation, std::string what, std::uint64_t sent);
  void count_received(Operation operation, std::uint64_t bytes);
  // Whether let_go() has been called since this number was taken.
  int begin_hold();
  bool is_let_go(int hold) const;
  void end_hold();

 private:
  struct Plan {
    std::optional<Operation> operation;
    std::optional<int> left;  // the one that brings it to 0; all of them without
    Fault fault = Fault::none;
  };
  struct Counts {
    int requests = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };

  Fault choose_locked(Operation operation);
  Fault die_locked();
  static std::size_t index(Operation operation) { return static_cast<std::size_t>(operation); }

  mutable std::mutex mutex_;
  std::vector<Plan> plans_;
  std::optional<int> left_to_live_;
  Fault last_act_ = Fault::fails;
  int holds_let_go_ = 0;
  int held_ = 0;
  int hits_ = 0;
  std::array<Counts, operation_count> counts_;
  std::vector<std::string> log_;
};

}  // namespace tus::s3::test
