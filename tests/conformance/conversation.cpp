#include "tests/conformance/conversation.h"

#include <tus/file_store.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/runtime.h>
#include <tus/testing/request_text.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <stdexcept>
#include <utility>

namespace tus::conformance {

namespace {

const std::string octets = "\nContent-Type: application/offset+octet-stream";

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  const auto at = text.find(what);
  if (at != std::string::npos) text.replace(at, what.size(), with);
  return text;
}

Ask ask_of(const Step& step, const std::string& upload) {
  auto text = replaced(step.request, "{}", upload);
  const auto unversioned = text.find("\n-Tus-Resumable");
  if (unversioned != std::string::npos) {
    text.erase(unversioned, std::string_view("\n-Tus-Resumable").size());
  } else if (text.find("\nTus-Resumable:") == std::string::npos) {
    text += "\nTus-Resumable: 1.0.0";
  }
  auto parsed = testing::request_from_text(text);
  Ask ask;
  ask.method = std::move(parsed.method);
  ask.target = std::move(parsed.target);
  ask.host = std::move(parsed.host);
  ask.fields = std::move(parsed.fields);
  ask.body = step.body;
  return ask;
}

void expect_field(const Response& response, const std::string& line) {
  if (line.starts_with('!')) {
    EXPECT_EQ(response.fields.find(line.substr(1)), nullptr) << line;
    return;
  }
  const auto colon = line.find(": ");
  ASSERT_NE(colon, std::string::npos) << "not an expectation: " << line;
  const auto name = line.substr(0, colon);
  auto value = line.substr(colon + 2);
  EXPECT_EQ(response.fields.count(name), 1u) << line;
  if (response.fields.count(name) == 0) return;
  const auto& got = *response.fields.find(name);
  const bool has_rest = value.ends_with('*');
  if (has_rest) value.pop_back();
  const auto begin = has_rest ? got.substr(0, value.size()) : got;
  const bool fits = std::ranges::equal(
      begin, value, [](char is, char wanted) { return wanted == '?' || is == wanted; });
  EXPECT_TRUE(fits) << line << ", got " << got;
}

void expect_answer(const Response& response, std::string_view expected) {
  EXPECT_EQ(std::to_string(response.status), expected.substr(0, expected.find('\n')));
  while (true) {
    const auto end = expected.find('\n');
    if (end == std::string_view::npos) return;
    expected.remove_prefix(end + 1);
    if (expected.starts_with('\n')) {
      EXPECT_EQ(response.body, expected.substr(1));
      return;
    }
    expect_field(response, std::string(expected.substr(0, expected.find('\n'))));
  }
}

// [CORE-1] [CORE-13] [ERR-1] [HTTP-29] [HTTP-30] [HTTP-31] What is true for every answer.
void expect_common(const Response& response, std::string_view method) {
  expect_field(response, "Tus-Resumable: 1.0.0");
  expect_field(response, "X-Content-Type-Options: nosniff");
  const auto status = response.status;
  if (method == "HEAD") expect_field(response, "Cache-Control: no-store");
  if (method == "GET" && status < 400) {
    // The body is the upload's.
  } else if (method == "HEAD" || status < 400) {
    EXPECT_EQ(response.body, "");
  } else {
    expect_field(response, "Content-Type: text/plain; charset=utf-8");
    EXPECT_TRUE(response.body.starts_with("ERR_") || status == 405) << response.body;
    EXPECT_NE(response.body, "");
  }
  if (status == 405) expect_field(response, "Allow: OPTIONS, *");
  if (status == 412 && method != "GET") expect_field(response, "Tus-Version: 1.0.0");
  if (status == 415) expect_field(response, "Accept-Patch: application/offset+octet-stream");
  if (status == 423 || status == 503) expect_field(response, "Retry-After: *");
}

Awaitable<std::string> read_all(std::shared_ptr<Store> store, UploadId id) {
  auto info = co_await store->inspect(id, Deadline::never());
  if (!info) throw std::runtime_error("no such upload");
  auto stream = co_await store->read(id, {0, info->offset}, Deadline::never());
  if (!stream) throw std::runtime_error("cannot read");
  std::string text;
  std::array<std::byte, 1024> block;
  while (true) {
    const auto got = co_await (*stream)->read(block, Deadline::never());
    if (!got) throw std::runtime_error("cannot read on");
    if (*got == 0) co_return text;
    for (std::size_t i = 0; i < *got; ++i) text.push_back(static_cast<char>(block[i]));
  }
}

}  // namespace

Body whole(std::string bytes) { return Body(Body::Framing::length, std::move(bytes)); }
Body chunks(std::string bytes) { return Body(Body::Framing::chunked, std::move(bytes)); }
Body chunks(std::string bytes, std::string trailer) {
  auto body = chunks(std::move(bytes));
  body.trailer = std::move(trailer);
  return body;
}
Body cut(std::string bytes) { return Body(Body::Framing::cut, std::move(bytes)); }

std::string post(const std::string& fields) { return "POST /files/\n" + fields; }
std::string post_content(const std::string& fields) { return post(fields) + octets; }
std::string patch(std::uint64_t offset) {
  return "PATCH {}\nUpload-Offset: " + std::to_string(offset) + octets;
}
std::string head() { return "HEAD {}"; }

void Conformance::talk(const std::vector<Step>& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto& step = steps[i];
    SCOPED_TRACE("step " + std::to_string(i + 1) + ": " + step.request);
    const auto response = carry_out(step);
    SCOPED_TRACE("answer: " + testing::text_from_response(response));
    expect_answer(response, step.expect);
    remember(response);
  }
}

std::shared_ptr<Store> Conformance::make_store() const {
  if (GetParam() != Kind::http_file) return make_memory_store({}, clock);
  FileStoreOptions files;
  files.directory = directory_.path();
  auto store = make_file_store(files, make_blocking_pool(1), std::make_shared<SystemClock>(),
                               std::make_shared<NoLogger>());
  if (!store) throw std::runtime_error(store.error().detail());
  return *store;
}

std::unique_ptr<Transport> Conformance::make_transport() const {
  HandlerParts parts;
  parts.store = store_;
  parts.locker = make_memory_locker();
  parts.clock = clock;
  switch (GetParam()) {
    case Kind::core:
    case Kind::core_buffered:
      return make_core_transport(options, std::move(parts), GetParam());
    case Kind::http:
      return make_http_transport(options, std::move(parts), ZeroCopy::never);
    case Kind::http_file:
      return make_http_transport(options, std::move(parts), ZeroCopy::always);
  }
  return nullptr;
}

Response Conformance::carry_out(const Step& step) {
  if (!transport_) transport_ = make_transport();
  const auto ask = ask_of(step, upload_);
  auto response = transport_->answer(ask);
  const auto* override_method = ask.fields.find("X-HTTP-Method-Override");
  expect_common(response, override_method != nullptr ? *override_method : ask.method);
  return response;
}

void Conformance::remember(const Response& response) {
  const auto* location = response.fields.find("Location");
  if (location == nullptr) return;
  const auto path = location->find("/files/");
  ASSERT_NE(path, std::string::npos) << *location;
  if (!origin.empty()) ASSERT_EQ(location->substr(0, path), origin);
  upload_ = location->substr(path);
}

std::string Conformance::made(const std::string& fields, const std::string& bytes) {
  talk({{post(fields), "201"}});
  if (!bytes.empty()) talk({{patch(0), whole(bytes), "204"}});
  return upload_;
}

void Conformance::expect_stored(const std::string& bytes) {
  const auto id = UploadId::parse(upload_.substr(std::string_view("/files/").size()));
  ASSERT_TRUE(id.has_value());
  asio::io_context loop;
  auto text = asio::co_spawn(loop, read_all(store_, *id), asio::use_future);
  loop.run();
  EXPECT_EQ(text.get(), bytes);
}

std::string name_of(const ::testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::core:
      return "core";
    case Kind::core_buffered:
      return "core_buffered";
    case Kind::http:
      return "http";
    case Kind::http_file:
      return "http_file";
  }
  return "?";
}

INSTANTIATE_TEST_SUITE_P(over, Conformance,
                         ::testing::Values(Kind::core, Kind::core_buffered, Kind::http,
                                           Kind::http_file),
                         name_of);

}  // namespace tus::conformance
