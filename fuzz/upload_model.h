// What a client may believe about its uploads, from what it has sent and what it was told.
#pragma once

#include "fuzz/http_reader.h"

#include <tus/upload_info.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tus::fuzz {

struct StoredUpload {
  UploadInfo info;
  std::string bytes;
};

// Ends the program when an answer, or what is stored in the end, cannot be.
class UploadModel {
 public:
  void answered(const SentRequest& request, const Answer& answer);
  // The connection ended before its answer: its bytes may have been kept.
  void unanswered(const SentRequest& request);
  // The server may have understood something that we do not.
  void lose_track() { certain_ = false; }

  void check(const std::map<std::string, StoredUpload>& stored);

 private:
  struct Known {
    std::string bytes;                 // acknowledged
    std::optional<std::string> maybe;  // as much of it as the server likes may follow
    bool unclear = false;  // too much may have happened; the offset still never goes back
    std::optional<std::uint64_t> length;
    std::optional<std::string> raw_metadata;
    std::vector<std::string> parts;  // of a final upload
    bool gone = false;
  };

  Known* find(const SentRequest& request);
  void created(const SentRequest& request, const Answer& answer);
  void appended(Known& upload, const SentRequest& request, const Answer& answer);
  void inspected(Known& upload, const Answer& answer) const;
  void downloaded(Known& upload, const Answer& answer) const;
  // The server has said that this is the offset.
  void settle(Known& upload, std::uint64_t offset) const;
  std::optional<std::string> content_of(const Known& upload) const;

  std::map<std::string, Known> uploads_;
  bool certain_ = true;
  bool may_be_more_ = false;  // uploads that nobody was told of
};

// After X-HTTP-Method-Override; empty when it is said twice.
std::string method_of(const SentRequest& request);

}  // namespace tus::fuzz
