// A request on its way to a bucket of the tests and back, and what goes wrong with it there.
#pragma once

#include "stores/s3/client/bucket.h"
#include "stores/s3/client/bucket_faults_test_kit.h"

#include <tus/clock.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tus::s3::test {

struct Request {
  Operation operation;
  std::string what;
  std::uint64_t sent = 0;
};

std::string text_of(const ObjectName& name);
std::string text_of(const MultipartName& upload);
std::string text_of(const MultipartName& upload, std::uint32_t number);
// Of objects and parts that were put: their MD5, in quotes.
std::string etag_of(std::string_view bytes);
// Some take etags without their quotes, or give them so; they are the same.
std::string_view bare(std::string_view etag);
std::string bytes_of(const Payload& payload);

// One way: others get their turn.
Awaitable<void> travel();

// The clock is that of deadlines. Both have to outlive it.
class RequestWay {
 public:
  RequestWay(BucketFaults& faults, const Clock& clock) : faults_(faults), clock_(clock) {}

  Fault admit(const Request& request) {
    return faults_.admit(request.operation, request.what, request.sent);
  }
  // Whatever happens before something is done; or in its place: then a failure.
  Awaitable<Answer<void>> there(const Request& request, Fault fault, Deadline deadline);
  // And before the answer is there, or in its place.
  Awaitable<Answer<void>> back(const Request& request, Fault fault, Deadline deadline);

 private:
  // False when the deadline has passed first.
  Awaitable<bool> wait(Deadline deadline);

  BucketFaults& faults_;
  const Clock& clock_;
};

}  // namespace tus::s3::test
