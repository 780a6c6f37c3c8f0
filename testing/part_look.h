// What a bucket says of an upload of the fake part store.
#pragma once

#include <tus/testing/fake_bucket.h>

#include <cstddef>
#include <string>

TUS_NAMESPACE_BEGIN

namespace testing {

// An upload as the bucket has it.
struct Seen {
  FakeBucket::Record record;
  std::size_t parts = 0;    // that count
  std::string rest;         // behind them
  bool has_object = false;  // completed
};

// What counts is said by the record: it has to be the same before and after. Error: upload_not_found.
Awaitable<Result<Seen>> look(FakeBucket& bucket, UploadId id);

}  // namespace testing

TUS_NAMESPACE_END
