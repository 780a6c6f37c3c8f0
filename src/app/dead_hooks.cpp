#include "app/dead_hooks.h"

#include "hooks/common/events.h"
#include "hooks/outbox/outbox_directory.h"
#include "hooks/common/record_text.h"

#include <chrono>
#include <cstdio>

namespace tus::app {

namespace {

int complain(std::string_view what, const Error& error) {
  std::fprintf(stderr, "tusd: %.*s: %s\n", static_cast<int>(what.size()), what.data(),
               error.detail().c_str());
  return 1;
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace

std::string outbox_path(const Config& config) {
  return config.files.directory.string() + "/.tusd/outbox";
}

int list_dead_hooks(const Config& config) {
  const auto path = outbox_path(config);
  const auto dead = hooks::list_buried(path);
  if (!dead) return complain("-dead-hooks", dead.error());
  for (const auto& entry : *dead) {
    const auto text = hooks::read_buried(path, entry);
    const auto envelope =
        text ? hooks::read_record(*text) : Result<hooks::Envelope>(fail(text.error()));
    const std::string id = envelope ? envelope->upload_id : "?";
    const std::string event_id = envelope ? envelope->event_id : "?";
    std::printf("%s %s %s %s\n", time_text(entry.since).c_str(),
                std::string(hooks::name_of(entry.event)).c_str(), id.c_str(), event_id.c_str());
  }
  return 0;
}

int replay_dead_hooks(const Config& config) {
  const auto path = outbox_path(config);
  const auto dead = hooks::list_buried(path);
  if (!dead) return complain("-replay-hooks", dead.error());
  // In their order; a server may take them while they are put there.
  auto time = std::chrono::system_clock::now();
  for (const auto& entry : *dead) {
    time += std::chrono::nanoseconds(1);
    auto replayed = hooks::replay_buried(path, entry, time);
    if (!replayed) return complain("-replay-hooks", replayed.error());
  }
  std::printf("%zu events will be sent again.\n", dead->size());
  return 0;
}

}  // namespace tus::app
