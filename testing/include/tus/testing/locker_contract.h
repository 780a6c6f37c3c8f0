// What every locker has to do:
//
//   const int registered = tus::testing::add_locker_contract("memory", make_memory_locker);
//
#pragma once

#include <tus/locker.h>

#include <functional>
#include <memory>
#include <string>

TUS_NAMESPACE_BEGIN

namespace testing {

using MakeLocker = std::function<std::shared_ptr<Locker>()>;

// Before main(); returns the number of tests.
int add_locker_contract(const std::string& name, MakeLocker make);

}  // namespace testing

TUS_NAMESPACE_END
