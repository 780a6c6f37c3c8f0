// Tests that are registered at run time: a table of functions, run for each backend.
#pragma once

#include <tus/export.h>

#include <gtest/gtest.h>

#include <functional>
#include <span>
#include <string>
#include <utility>

TUS_NAMESPACE_BEGIN

namespace testing {

template <class Subject>
struct ContractTest {
  const char* name;
  void (*body)(Subject&);
};

// `run` makes a subject and calls the body with it.
template <class Subject>
int add_contract(const std::string& suite, std::span<const ContractTest<Subject>> tests,
                 std::function<void(void (*)(Subject&))> run, const char* file) {
  class Test : public ::testing::Test {
   public:
    Test(std::function<void(void (*)(Subject&))> run, void (*body)(Subject&))
        : run_(std::move(run)), body_(body) {}
    void TestBody() override { run_(body_); }

   private:
    std::function<void(void (*)(Subject&))> run_;
    void (*body_)(Subject&);
  };

  for (const auto& test : tests) {
    auto make = [run, body = test.body]() -> ::testing::Test* { return new Test(run, body); };
    ::testing::RegisterTest(suite.c_str(), test.name, nullptr, nullptr, file, 0, make);
  }
  return static_cast<int>(tests.size());
}

}  // namespace testing

TUS_NAMESPACE_END
