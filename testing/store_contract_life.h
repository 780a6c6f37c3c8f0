// The whole life of an upload, which ends too early somewhere: by a crash, or because its lease is lost.
#pragma once

#include "testing/store_contract_kit.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

TUS_NAMESPACE_BEGIN

namespace testing {

class Life {
 public:
  // `lease` must outlive it.
  Life(StoreBackend& backend, std::string id, const Lease& lease);

  // All steps from the creation to the termination, until one fails; that one's answer.
  Status live();

  // What is stored is what was there before the step that failed, or after it, and nothing else; bytes of
  // an append, or of a creation that nobody was told of, may have come in part.
  void expect_true();

  // The upload goes on, until it is finished, or may be created anew.
  void bring_to_an_end();

 private:
  struct State {
    bool exists = false;
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> length;
    FinishState finish = FinishState::pending;
  };
  struct Step;
  static const Step steps[];
  static const std::size_t step_count;

  Status create_it();
  Status append_plain();
  Status stage_right();
  Status commit();
  Status stage_wrong();
  Status roll_back();
  Status declare();
  Status append_rest();
  Status finish();
  Status record_finish();
  Status terminate();
  AppendOutcome append(std::string bytes, AppendRequest::Mode mode);

  StoreBackend& backend_;
  std::string id_;
  const Lease& lease_;
  std::string text_;
  std::unique_ptr<Upload> upload_;
  std::size_t at_ = 0;  // the step that failed, or the last
  bool over_ = false;   // none failed
};

}  // namespace testing

TUS_NAMESPACE_END
