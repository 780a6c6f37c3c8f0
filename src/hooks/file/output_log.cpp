#include "hooks/file/output_log.h"

#include <algorithm>
#include <utility>

namespace tus::hooks {

OutputLog::OutputLog(std::shared_ptr<Logger> logger, std::string hook, std::string upload_id)
    : logger_(std::move(logger)), hook_(std::move(hook)), upload_id_(std::move(upload_id)) {}

void OutputLog::write(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto piece = text.substr(0, end);
    const auto room = longest_line - line_.size();
    too_long_ = too_long_ || piece.size() > room;
    line_ += piece.substr(0, room);
    if (end == std::string_view::npos) return;
    end_line();
    text.remove_prefix(end + 1);
  }
}

void OutputLog::end_line() {
  if (line_.ends_with('\r')) line_.pop_back();
  if (line_.empty()) return;
  if (++lines_ <= most_lines) {
    if (too_long_) line_ += " [...]";
    logger_->log(LogLevel::info, "HookOutput",
                 {{"hook", hook_}, {"id", upload_id_}, {"text", line_}});
  }
  line_.clear();
  too_long_ = false;
}

void OutputLog::finish() {
  end_line();
  if (lines_ <= most_lines) return;
  const auto dropped = std::to_string(lines_ - most_lines);
  logger_->log(LogLevel::warn, "HookOutputDropped",
               {{"hook", hook_}, {"id", upload_id_}, {"lines", dropped, LogKind::number}});
}

}  // namespace tus::hooks
