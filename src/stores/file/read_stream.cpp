#include "stores/file/read_stream.h"

#include "async/run_blocking.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/stat.h>
#include <utility>

namespace tus::file_store {

namespace {

using std::chrono::steady_clock;

// One system call: a disk that has to be waited for is waited for this long, and not longer.
constexpr std::uint64_t most_at_once = 1 << 20;
// One job: then others get their turn.
constexpr std::uint64_t fair_share = 4 << 20;
constexpr std::chrono::milliseconds fair_time{5};

// sendfile(2) cannot be told to send no SIGPIPE, and programs that use the library may want to live.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoBrokenPipeSignal() {
    constexpr timespec at_once{};
    if (happened_ && ::sigismember(&before_, SIGPIPE) == 0)
      ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;

  void happened() noexcept { happened_ = true; }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool happened_ = false;
};

class FileReadStream final : public ReadStream {
 public:
  FileReadStream(Context& context, Fd data, ByteRange range, std::chrono::sys_seconds modified)
      : context_(context),
        data_(std::move(data)),
        at_(range.first),
        left_(range.count),
        modified_(modified) {}

  ~FileReadStream() override {
    struct stat found{};
    const bool is_last_name = ::fstat(data_.get(), &found) == 0 && found.st_nlink == 0;
    if (!is_last_name) return;
    // The upload was deleted meanwhile, and closing the file is what frees its space: that may take long.
    try {
      context_.pool->submit_slow([data = std::move(data_)](std::span<std::byte>) {});
    } catch (...) {
      // Out of memory: it is closed here.
    }
  }

  Awaitable<Result<std::size_t>> read(std::span<std::byte> into, Deadline) override {
    auto wanted = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_)));
    if (wanted.empty()) co_return 0;
    auto job = [&](std::span<std::byte>) { return context_.io.read(data_.get(), at_, wanted); };
    auto done = co_await run_blocking(*context_.pool, job);
    if (done) took(*done);
    co_return done;
  }

  std::optional<std::chrono::sys_seconds> last_modified() const noexcept override {
    return modified_;
  }
  bool can_send() const noexcept override { return can_send_; }

  Awaitable<Result<StreamSent>> send_to(int socket, Deadline) override {
    auto job = [&](std::span<std::byte>) { return send_share(socket); };
    co_return co_await run_blocking(*context_.pool, job);
  }

 private:
  void took(std::uint64_t bytes) noexcept {
    at_ += bytes;
    left_ -= bytes;
  }

  Result<StreamSent> send_share(int socket) {
    StreamSent sent;
    NoBrokenPipeSignal guard;
    const auto until = steady_clock::now() + fair_time;
    while (left_ > 0 && sent.bytes < fair_share) {
      const int error = send_once(socket, sent);
      if (error == EINTR) continue;
      if (error == EPIPE) guard.happened();
      if (error != 0) {
        if (auto judged = judge(error, sent); !judged) return fail(std::move(judged.error()));
        break;
      }
      if (context_.pool->is_crowded() || steady_clock::now() > until) break;
    }
    return sent;
  }

  // errno; ENODATA when the file has become shorter.
  int send_once(int socket, StreamSent& sent) {
    auto at = static_cast<off_t>(at_);
    const auto most = static_cast<std::size_t>(std::min(left_, most_at_once));
    const auto n = context_.machine.calls->sendfile(socket, data_.get(), &at, most);
    if (n < 0) return errno;
    if (n == 0) return ENODATA;
    took(static_cast<std::uint64_t>(n));
    sent.bytes += static_cast<std::uint64_t>(n);
    return 0;
  }

  // Whose error it is.
  Status judge(int error, StreamSent& sent) {
    switch (error) {
      case EAGAIN:
        sent.socket_is_full = true;
        return {};
      case EINVAL:
      case ENOSYS:
      case EOPNOTSUPP:
        can_send_ = false;  // not with this file system: read() does it
        return {};
      case ENODATA:
        return fail(ErrorCode::upload_damaged, "a data file has become shorter");
      case EIO:
      case EOVERFLOW:
      case ESTALE:
        return fail(error_of_errno(error, "sendfile", {}));
      default:
        sent.socket_error = error;
        return {};
    }
  }

  Context& context_;
  Fd data_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::chrono::sys_seconds modified_;
  bool can_send_ = true;
};

}  // namespace

Result<std::unique_ptr<ReadStream>> open_read_stream(Context& context, const UploadId& id,
                                                     ByteRange range,
                                                     std::span<std::byte> scratch) {
  auto file = context.records.read(id, scratch);
  if (!file) return fail(file.error());
  auto data = context.records.open_data(*file, O_RDONLY);
  if (!data) return fail(data.error());
  struct stat found{};
  if (context.machine.calls->fstatat(data->get(), "", &found, AT_EMPTY_PATH) < 0) {
    return fail(error_of_errno(errno, "stat", id.str()));
  }
  const auto size = static_cast<std::uint64_t>(found.st_size);
  if (size < range.first || size - range.first < range.count) {
    return fail(ErrorCode::upload_damaged, "the data file is too short");
  }
  const std::chrono::sys_seconds modified{std::chrono::seconds(found.st_mtim.tv_sec)};
  return std::make_unique<FileReadStream>(context, *std::move(data), range, modified);
}

}  // namespace tus::file_store
