// What keeps Go's tusd from going on with an upload, and what helps. Pure.
#pragma once

#include "stores/s3/part_plan.h"
#include "stores/s3/state.h"

#include <cstdint>
#include <vector>

namespace tus::s3 {

// How Go's tusd (2.x) reads a bucket: the id is `<object>+<multipart upload>`, split at the first '+'. The
// offset is the sum of all parts that S3 lists and the whole of `.part`; the next part gets the number of parts
// plus one; all parts are completed in their order. No multipart upload means finished.
enum class Remedy : std::uint8_t {
  none,
  remove,     // a removal was cut off: Go's would show the upload
  join,       // a join was cut off: Go's joins only while it creates
  complete,   // all bytes are there and no object: Go's waits for bytes
  drop_rest,  // nothing of `.part` counts: Go's would count it
  trim_rest,  // a part has some of its bytes
  fill,       // parts lie behind a gap, and `.part` is enough to fill it: see plan_gap()
  blank,      // the same, and it is not: then empty parts keep Go's from overwriting what counts
  hopeless,   // such an upload afterwards: S3 refuses parts that small in the middle
  elsewhere,  // Go's does not look where the data is
};

// `listed`: all parts as S3 lists them. Nothing else of the state is unknown.
Remedy find_remedy(const Names& names, const PartLimits& limits, const State& state,
                   const std::vector<PartLook>& listed);

// Parts cannot be taken out of a multipart upload, only overwritten, and not read either.
struct GapPlan {
  std::uint32_t last = 0;             // the largest number that is listed
  std::vector<std::uint32_t> absent;  // numbers below it that are not, in their order
  // Sizes of the parts that `.part` makes of itself behind those that count, up to `last`. None: not enough.
  std::vector<std::uint64_t> sizes;
};

GapPlan plan_gap(const PartLimits& limits, const Ledger& ledger,
                 const std::vector<PartLook>& listed);

}  // namespace tus::s3
