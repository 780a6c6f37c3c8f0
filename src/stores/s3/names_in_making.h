// Names of uploads whose record is being written: where S3 knows no conditions, two creations with one name
// must at least not meet in one process.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace tus::s3 {

// Any thread. Outlives its holds.
class NamesInMaking {
 public:
  // The right to make the upload of this name, unless somebody else is at it.
  class [[nodiscard]] Hold {
   public:
    Hold(NamesInMaking& all, std::string object) : all_(all), object_(std::move(object)) {
      const std::lock_guard lock(all_.mutex_);
      is_ours_ = all_.objects_.insert(object_).second;
    }
    ~Hold() {
      if (!is_ours_) return;
      const std::lock_guard lock(all_.mutex_);
      all_.objects_.erase(object_);
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    bool is_ours() const noexcept { return is_ours_; }

   private:
    NamesInMaking& all_;
    const std::string object_;
    bool is_ours_ = false;
  };

 private:
  std::mutex mutex_;
  std::set<std::string> objects_;
};

}  // namespace tus::s3
