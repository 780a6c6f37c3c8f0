#include "stores/file/create.h"

#include "stores/file/join_marks.h"

#include <algorithm>
#include <utility>

namespace tus::file_store {

namespace {

InfoFile file_of(Context& context, UploadDraft draft, std::uint64_t offset) {
  InfoFile file;
  auto& info = file.info;
  info = info_of(std::move(draft));
  info.offset = offset;
  info.last_activity = std::chrono::floor<std::chrono::seconds>(context.clock->wall());
  context.layout.describe(info);
  if (!context.off() && info.finish != FinishState::finished) {
    auto safe = context.always() ? offset : 0;
    file.durable = DurableMark{safe, context.records.boot_id(), context.always()};
  }
  return file;
}

// Directories that another upload has left empty may go with it after we have found them: then they are made again,
// as often as that happens. But not for ever, for our own directory may be gone.
constexpr int most_repetitions = 100;

// ENOENT on the way to a new file means that our directory is gone, not the upload.
std::unexpected<Error> not_made(const Error& error) {
  if (!(error == ErrorCode::upload_not_found)) return fail(error);
  return fail(ErrorCode::store_unavailable, error.detail());
}

class Creation {
 public:
  Creation(Context& context, const InfoFile& file, std::span<std::byte> scratch)
      : context_(context), file_(file), scratch_(scratch) {}

  // `locked`: the id is under a lease, so that nobody else is making it now.
  Status make(const UploadDraft& wishes, bool locked, std::span<const std::byte> first) {
    bool usual = context_.layout.is_default(wishes.id, wishes.storage);
    auto data = make_data(wishes, locked && usual);
    if (!data) {
      context_.layout.remove_empty_directories(file_.info.id);
      return not_made(data.error());
    }
    auto done = fill(std::move(data->fd), first);
    if (done) done = make_record_with_directory(locked, usual);
    if (done && safe_before_answer()) done = sync_names();
    if (done) return done;
    (void)context_.io.remove(data->place.name);
    context_.layout.remove_empty_directories(file_.info.id);
    return done;
  }

 private:
  bool safe_before_answer() const {
    if (context_.off()) return false;
    const auto& info = file_.info;
    return context_.always() || info.finish == FinishState::finished || info.join_pending;
  }

  struct Data {
    Place place;
    Fd fd;
  };

  static bool vanished(const Error& error) { return error == ErrorCode::upload_not_found; }

  Result<Data> make_data(const UploadDraft& wishes, bool may_take_over) {
    auto made = try_data(wishes, may_take_over);
    for (int i = 0; i < most_repetitions && !made && vanished(made.error()); ++i) {
      made = try_data(wishes, may_take_over);
    }
    return made;
  }

  Result<Data> try_data(const UploadDraft& wishes, bool may_take_over) {
    auto place = context_.layout.data_file(wishes.id, wishes.storage, Layout::Missing::make);
    if (!place) return fail(place.error());
    auto fd = open_new(place->name, may_take_over);
    if (!fd) return fail(fd.error());
    return Data{*std::move(place), *std::move(fd)};
  }

  Result<Fd> open_new(const Name& name, bool may_take_over) {
    constexpr int flags = O_WRONLY | O_NOFOLLOW;
    auto made = context_.io.open(name, flags | O_CREAT | O_EXCL, context_.options.file_perms);
    if (made || !may_take_over || !(made.error() == ErrorCode::upload_exists)) return made;
    // A file without a record is the rest of a creation that was cut off, or somebody else's: the data
    // of an upload whose hook chose this name, or a file of the operator. Only an empty one can be taken
    // over without a look at all the others.
    auto record = context_.records.read(file_.info.id, scratch_);
    if (record || record.error() == ErrorCode::upload_damaged) return made;
    if (!(record.error() == ErrorCode::upload_not_found)) return fail(record.error());
    auto rest = context_.io.open(name, flags);
    if (!rest) return made;
    auto size = context_.io.size(rest->get());
    if (!size) return fail(size.error());
    if (*size > 0) return made;
    return rest;
  }

  Status fill(Fd data, std::span<const std::byte> first) {
    if (auto written = context_.io.write(data.get(), 0, first); !written) return written;
    return safe_before_answer() ? context_.io.sync_data(data.get())
                                : context_.io.close(std::move(data));
  }

  Status make_record_with_directory(bool locked, bool usual) {
    // Where the data is beside it, its directory is there and does not go.
    if (usual) return make_record(locked);
    auto done = try_record(locked);
    for (int i = 0; i < most_repetitions && !done && vanished(done.error()); ++i) {
      done = try_record(locked);
    }
    return done ? done : Status(not_made(done.error()));
  }

  Status try_record(bool locked) {
    auto place = context_.layout.info_file(file_.info.id, Layout::Missing::make);
    return place ? make_record(locked) : Status(fail(place.error()));
  }

  Status make_record(bool locked) {
    auto done = context_.records.create(file_);
    if (done || !locked || !(done.error() == ErrorCode::upload_exists)) return done;
    // We have just made the data file, so that a record which expects its data there is the rest of a
    // termination that was cut off.
    auto other = context_.records.read(file_.info.id, scratch_);
    bool empty = !other && other.error() == ErrorCode::upload_not_found;
    bool ours = other && context_.layout.is_default(file_.info.id, other->info.storage);
    if (!empty && !ours) return done;
    if (auto removed = context_.records.remove(file_.info.id); !removed) return removed;
    return context_.records.create(file_);
  }

  Status sync_names() {
    auto done = context_.records.sync_names(file_);
    if (!done) (void)context_.records.remove(file_.info.id);
    return done;
  }

  Context& context_;
  const InfoFile& file_;
  std::span<std::byte> scratch_;
};

}  // namespace

Result<Loaded> create_files(Context& context, UploadDraft draft, const Lease& lease,
                            std::span<const std::byte> first, std::span<std::byte> scratch) {
  if (lease.lost()) return fail(ErrorCode::lease_lost);
  const auto wanted = std::max<std::uint64_t>(draft.length.value_or(0), first.size());
  if (auto fits = context.has_space_for(wanted); !fits) return fail(fits.error());
  UploadDraft wishes;
  wishes.id = draft.id;
  draft.storage.erase("InfoPath");  // not a hook's to choose
  wishes.storage = draft.storage;
  auto file = file_of(context, std::move(draft), first.size());
  if (file.info.join_pending) {
    if (auto marked = add_join_mark(context, file.info.id); !marked) return fail(marked.error());
  }
  Creation creation(context, file, scratch);
  auto made = creation.make(wishes, lease.token() != 0, first);
  if (!made) {
    // Where the id is taken the mark may be its owner's.
    const bool taken = made.error() == ErrorCode::upload_exists;
    if (file.info.join_pending && !taken) remove_join_mark(context, file.info.id);
    return fail(made.error());
  }
  return Loaded{std::move(file), first.size()};
}

}  // namespace tus::file_store
