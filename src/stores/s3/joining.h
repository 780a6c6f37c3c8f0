// Filling a final upload with the bytes of its parts.
#pragma once

#include "stores/s3/join_plan.h"
#include "stores/s3/work.h"

#include <tus/store.h>

#include <vector>

namespace tus::s3 {

class Joining {
 public:
  // Must outlive it.
  explicit Joining(Work& work) : work_(work), context_(work.context()) {}

  // As Upload::concatenate().
  Awaitable<Result<Joined>> go_on(const Lease& lease, Deadline deadline);

 private:
  Awaitable<Status> find_sources(Deadline deadline);
  void find_done();
  Awaitable<Status> make_part(const Lease& lease, const JoinPart& part);
  Awaitable<Result<std::string>> copy(std::uint32_t number, Segment segment);
  Awaitable<Result<std::string>> carry(const Lease& lease, std::uint32_t number,
                                       const JoinPart& part);
  Awaitable<Status> show(const Lease& lease);

  Work& work_;
  Context& context_;
  bool begun_ = false;
  std::vector<ObjectName> sources_;
  std::vector<std::uint64_t> sizes_;
  std::vector<JoinPart> plan_;
  std::vector<PartTag> done_;
};

}  // namespace tus::s3
