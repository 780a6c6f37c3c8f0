// A store in the shape of S3: asynchronous, without append in place, with a finish that can fail.
#pragma once

#include <tus/store.h>
#include <tus/testing/fake_bucket.h>

#include <cstddef>
#include <memory>

TUS_NAMESPACE_BEGIN

namespace testing {

// Bytes become parts of `part_size`; what is left at the end of a request is kept in a .part object that
// the next request takes up. The offset is what the parts and the .part object hold.
std::shared_ptr<Store> make_fake_part_store(std::shared_ptr<FakeBucket> bucket,
                                            std::size_t part_size = 16);

}  // namespace testing

TUS_NAMESPACE_END
