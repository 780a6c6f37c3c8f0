// What a service manager, or the process that this one replaces, hands over at the start.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus::app {

// Variables of the environment as they are given: the value, or nullptr.
using GetVariable = const char* (*)(const char* name);

struct Inherited {
  Inherited() = default;

  std::vector<int>
      from_manager;  // listening sockets of systemd, used instead of -host and -unix-sock
  std::vector<int> from_predecessor;  // ours; used where the configuration still asks for them
  std::optional<int> handover;        // the connection to the process that this one replaces
  std::string notify_socket;          // empty: nobody wants to know
  std::string complaint;              // a sentence: what is there cannot be what it says
};

// The protocol of sd_listen_fds: LISTEN_PID names the process that is meant, LISTEN_FDS counts the
// descriptors from 3 on. With "TUS_HANDOVER=<descriptor>:<count>" the last `count` of them are sockets that
// an older process of ours has opened. Pure, but for `get`.
Inherited read_inherited(GetVariable get, long own_pid);

// The names of all variables that read_inherited looks at. They are for this process alone.
inline constexpr const char* inherited_variables[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                                      "NOTIFY_SOCKET", "TUS_HANDOVER"};

// read_inherited() of this process; the variables are taken out of the environment, and the descriptors are
// kept from child processes. Before there are threads.
Inherited take_inherited();

}  // namespace tus::app
