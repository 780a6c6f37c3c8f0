// Conversations with a server as tables: requests, bodies, and what has to come back.
#pragma once

#include "tests/conformance/transport.h"

#include <tus/store.h>
#include <tus/testing/shifted_clock.h>
#include <tus/testing/temporary_directory.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::conformance {

// `request`: "PATCH {}\nUpload-Offset: 3": {} is the path of the upload that was created last.
//   Tus-Resumable: 1.0.0 is added unless the request has one or says "-Tus-Resumable".
// `expect`: the status; then lines "Name: value" (a '*' at the end stands for any rest, a '?' for any character) or "!Name" for a
//   field that must not be there; then, after an empty line, the exact body.
struct Step {
  Step(std::string r, Body b, std::string e)
      : request(std::move(r)), body(std::move(b)), expect(std::move(e)) {}
  Step(std::string r, std::string e) : request(std::move(r)), expect(std::move(e)) {}

  std::string request;
  Body body;
  std::string expect;
};

Body whole(std::string bytes);
Body chunks(std::string bytes);
Body chunks(std::string bytes, std::string trailer);
Body cut(std::string bytes);

std::string post(const std::string& fields);
std::string post_content(const std::string& fields);
std::string patch(std::uint64_t offset);
std::string head();

class Conformance : public ::testing::TestWithParam<Kind> {
 protected:
  // Also checks what has to be true for every answer. A creation must have come before `{}`.
  void talk(const std::vector<Step>& steps);
  void expect_stored(const std::string& bytes);
  // The path of a new upload with these fields and, in one PATCH, these bytes.
  std::string made(const std::string& fields, const std::string& bytes);

  HandlerOptions options;
  std::shared_ptr<testing::ShiftedClock> clock = std::make_shared<testing::ShiftedClock>();
  // What every Location begins with. Empty where a test says so itself.
  std::string origin = "http://example.org";

 private:
  std::shared_ptr<Store> make_store() const;
  std::unique_ptr<Transport> make_transport() const;
  Response carry_out(const Step& step);
  void remember(const Response& response);

  testing::TemporaryDirectory directory_;
  std::shared_ptr<Store> store_ = make_store();
  std::unique_ptr<Transport> transport_;
  std::string upload_;  // the path of the upload that was created last
};

}  // namespace tus::conformance
