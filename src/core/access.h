// Who may resume, read or remove an upload, or make it a part of another: asked of a hook.
#pragma once

#include "core/hook_calls.h"
#include "protocol/command.h"

#include <tus/handler.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace tus::core {

// Permissions, for the short time that they are not asked for again. Any thread.
class AccessCache {
 public:
  explicit AccessCache(std::size_t most) : most_(most) {}

  bool has(const std::string& key, Deadline::Point now);
  void add(std::string key, Deadline::Point now, Deadline::Point until);

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::unordered_map<std::string, Deadline::Point> until_;
};

// What a permission is for: the upload, and all of the request that a hook may have looked at, but for what
// is another one for every piece of an upload.
std::string access_key(const UploadId& id, const RequestHead& head);

// Any thread.
class Access {
 public:
  // Both outlive it.
  Access(const HandlerOptions& options, const HandlerParts& parts);

  bool is_asked() const noexcept { return context_.parts.hooks->wants(HookEvent::pre_access); }
  // Why the command may not be carried out; nothing: it may. Both outlive the call.
  Awaitable<std::optional<Outcome>> refusal(const Command& command, const RequestHead& head);

 private:
  Awaitable<std::optional<Outcome>> refusal_for(UploadId id, const RequestHead& head);

  HookContext context_;
  AccessCache cache_;
};

}  // namespace tus::core
