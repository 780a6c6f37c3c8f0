// A program that mounts resumable uploads twice, with stores of their own, and uploads to both.
#include <tus/file_store.h>
#include <tus/http_server.h>
#include <tus/memory_locker.h>
#include <tus/memory_store.h>
#include <tus/runtime.h>
#include <tus/version.h>

#include <boost/asio.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

namespace {

void expect(bool right, const std::string& what) {
  if (!right) throw std::runtime_error(what);
}

std::shared_ptr<tus::Handler> make_handler(std::string base_path, std::shared_ptr<tus::Store> store,
                                           asio::any_io_executor background) {
  tus::HandlerOptions options;
  options.base_path = std::move(base_path);
  tus::HandlerParts parts;
  parts.store = std::move(store);
  parts.locker = tus::make_memory_locker();
  return std::make_shared<tus::Handler>(options, parts, background);
}

// One request on a connection of its own; the whole answer.
std::string ask(std::uint16_t port, const std::string& request) {
  asio::io_context context;
  asio::ip::tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  asio::write(socket, asio::buffer(request));
  std::string answer;
  boost::system::error_code end;
  asio::read(socket, asio::dynamic_buffer(answer), end);
  return answer;
}

std::string upload(std::uint16_t port, const std::string& base_path, const std::string& bytes) {
  const auto answer =
      ask(port, "POST " + base_path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                    "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n" +
                    "Upload-Length: " + std::to_string(bytes.size()) +
                    "\r\nContent-Length: " + std::to_string(bytes.size()) + "\r\n\r\n" + bytes);
  expect(answer.starts_with("HTTP/1.1 201 "), "POST " + base_path + ": " + answer);
  const std::string name = "Location: http://localhost";
  const auto begin = answer.find(name);
  expect(begin != answer.npos, "no Location: " + answer);
  return answer.substr(begin + name.size(), answer.find('\r', begin) - begin - name.size());
}

std::string inspect(std::uint16_t port, const std::string& path) {
  return ask(port, "HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
}

template <class T>
T wait_for(tus::EventLoops& loops, tus::Awaitable<T> task) {
  return asio::co_spawn(loops.executors()[0], std::move(task), asio::use_future).get();
}

std::uint64_t stored_offset(tus::EventLoops& loops, tus::Store& store, const std::string& id) {
  auto info = wait_for(loops, store.inspect(*tus::UploadId::parse(id), tus::Deadline::never()));
  return info ? info->offset : 0;
}

void run(const std::filesystem::path& directory) {
  tus::EventLoops loops(2);
  auto pool = tus::make_blocking_pool(4);
  auto memory = tus::make_memory_store();
  tus::FileStoreOptions files;
  files.directory = directory;
  auto file_store = tus::make_file_store(files, pool, std::make_shared<tus::SystemClock>(),
                                         std::make_shared<tus::NoLogger>());
  expect(file_store.has_value(), "file store");

  auto fast = make_handler("/fast/", memory, loops.executors()[0]);
  auto safe = make_handler("/safe/", *file_store, loops.executors()[1]);
  tus::HttpServer server(tus::HttpServerOptions(), loops.executors(), pool, nullptr, nullptr);
  server.mount("/fast/", fast);
  server.mount("/safe/", safe);
  const auto port = server.listen("127.0.0.1", 0);
  expect(port.has_value(), "listen");

  const auto in_memory = upload(*port, "/fast/", "hello");
  const auto in_file = upload(*port, "/safe/", "hello, world");
  expect(in_memory.starts_with("/fast/") && in_file.starts_with("/safe/"), "locations");
  expect(inspect(*port, in_memory).find("Upload-Offset: 5\r\n") != std::string::npos,
         "HEAD /fast/");
  expect(inspect(*port, in_file).find("Upload-Offset: 12\r\n") != std::string::npos, "HEAD /safe/");
  // Each upload is where it belongs and nowhere else.
  expect(inspect(*port, "/safe/" + in_memory.substr(6)).starts_with("HTTP/1.1 404 "),
         "not in /safe/");
  expect(stored_offset(loops, *memory, in_memory.substr(6)) == 5, "in memory");
  expect(std::filesystem::file_size(directory / in_file.substr(6)) == 12, "in a file");

  const auto deadline =
      tus::Deadline::after(std::chrono::steady_clock::now(), std::chrono::seconds(5));
  wait_for(loops, server.stop(deadline));
  wait_for(loops, fast->close(deadline));
  wait_for(loops, safe->close(deadline));
  wait_for(loops, (*file_store)->close(deadline));
  loops.stop();
}

}  // namespace

int main() try {
  char name[] = "/tmp/tus-consumer-XXXXXX";
  const std::filesystem::path directory = ::mkdtemp(name);
  run(directory);
  std::filesystem::remove_all(directory);
  std::cout << "two handlers of tus " << tus::version() << " in one program\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << "consumer: " << error.what() << '\n';
  return 1;
}
