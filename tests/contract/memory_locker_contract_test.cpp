#include <tus/memory_locker.h>
#include <tus/testing/locker_contract.h>

namespace {

const int registered = tus::testing::add_locker_contract("memory", tus::make_memory_locker);

}  // namespace
