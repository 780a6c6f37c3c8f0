// Makes of what a crash has left what Go's tusd can go on with.
#pragma once

#include "stores/s3/context.h"
#include "stores/s3/repair_plan.h"

#include <tus/locker.h>
#include <tus/s3_store.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tus::s3 {

class Work;

// One walk through the bucket. Used once, on one executor.
class Repair {
 public:
  // `context` must outlive it.
  Repair(Context& context, S3RepairOptions options)
      : context_(context), options_(std::move(options)) {}

  // As S3Store::repair().
  Awaitable<Result<S3RepairReport>> run();

 private:
  struct Found {
    std::string object;
    std::optional<Rest>
        rest;  // as it was listed: looked at where nothing else says that it is there
  };
  // An upload at one moment.
  struct View {
    State state;
    std::vector<PartLook> parts;
    std::chrono::sys_seconds changed;
  };

  static std::vector<Found> records_in(const Names& names, const std::vector<ListedObject>& page);
  bool goes_on() const { return !options_.goes_on || options_.goes_on(); }
  Awaitable<void> remove_marks();
  Awaitable<void> look_at_all(std::vector<Found> found);
  Awaitable<void> look_at(Found found);
  Awaitable<Result<View>> look(const Found& found);
  Awaitable<void> treat(Found found, View view, const Lease& lease);
  Awaitable<Result<std::unique_ptr<Lease>>> hold(UploadId id);
  // What was done, for the operator.
  Awaitable<Result<std::string>> apply(Remedy remedy, const View& view, const Lease& lease);
  Awaitable<Status> join(const View& view, const Lease& lease);
  Awaitable<Status> drop_rest(const View& view);
  Awaitable<Status> trim_rest(Work& work, const Lease& lease);
  Awaitable<Status> fill(Work& work, const View& view, const Lease& lease);
  Awaitable<Status> blank(Work& work, const View& view, const Lease& lease);
  Remedy remedy_for(const View& view) const {
    return find_remedy(context_.names, context_.options.parts, view.state, view.parts);
  }
  bool is_young(std::chrono::sys_seconds changed) const;

  void say(std::string id, S3Mending outcome, std::string what);
  void say(std::string id, const Error& error);

  Context& context_;
  const S3RepairOptions options_;
  S3RepairReport report_;
  std::vector<Found> joins_;  // after everything else: they are made of finished uploads
  bool join_now_ = false;
};

}  // namespace tus::s3
