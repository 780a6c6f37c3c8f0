// `tusd -dead-hooks` and `tusd -replay-hooks`: events that could not be delivered.
#pragma once

#include "app/config.h"

#include <string>

namespace tus::app {

// Where the server of this configuration keeps what is not delivered yet, when it has uploads in files.
std::string outbox_path(const Config& config);

// Exit codes.
int list_dead_hooks(const Config& config);
int replay_dead_hooks(const Config& config);

}  // namespace tus::app
