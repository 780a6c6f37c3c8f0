// The sockets that the configuration asks for, opened here or taken over.
#pragma once

#include "app/config.h"
#include "app/inherited.h"
#include "server/listening_socket.h"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace tus::app {

struct OpenListener {
  explicit OpenListener(server::ListeningSocket s) : socket(std::move(s)) {}

  server::ListeningSocket socket;
  std::optional<server::SocketFile> file;  // of a Unix socket, once it is ours to remove
  std::string name;                        // as the operator wrote it, with the port that was taken
};

// All sockets of one server. They are kept here beside the server's own duplicates, so that they can be
// handed to another process.
class Listeners {
 public:
  // Sockets of the service manager count instead of -host and -unix-sock. Sockets of a predecessor are used
  // where they fit, the others are closed. The error is a sentence for the operator.
  static std::expected<Listeners, std::string> open(const Config& config, Inherited& inherited);

  const std::vector<OpenListener>& all() const noexcept { return all_; }
  bool of_manager() const noexcept { return of_manager_; }
  // From now on files of Unix sockets are removed at the end; not before, because a start that fails must
  // not take away what a predecessor still serves.
  void own_files();
  // Another process goes on with them: the files stay.
  void leave_files() noexcept;
  // The server's own duplicates are the last ones: when it closes them, nobody can connect any more.
  void close() noexcept;

 private:
  Listeners() = default;
  std::optional<std::string> adopt(std::vector<int>& descriptors);
  std::optional<std::string> open_unix(const Config& config, std::vector<int>& old);
  std::optional<std::string> open_addresses(const Config& config, std::vector<int>& old);
  std::optional<std::string> open_tcp(const std::string& host, std::uint16_t port,
                                      std::vector<int>& old);

  std::vector<OpenListener> all_;
  bool of_manager_ = false;
};

}  // namespace tus::app
