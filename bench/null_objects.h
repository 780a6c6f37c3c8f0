// What the null S3 remembers: sizes, etags, user metadata and small objects. All other bytes are dropped.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

inline constexpr std::uint64_t kept_object = 64 << 10;  // records of uploads are smaller

struct S3Request {
  std::string_view head;  // lines, as they came
  std::string method;
  std::string name;  // "bucket/key"
  std::map<std::string, std::string> query;
  std::uint64_t size = 0;  // of the body, without what signatures of chunks add
  std::string body;        // where it is not longer than an object that is kept

  // The value of a field; nothing when it is not there.
  std::optional<std::string> field(std::string_view name) const;
};

S3Request parse_request(std::string_view head);

struct S3Reply {
  int status = 200;
  std::string fields;  // lines
  std::string body;
  std::uint64_t zeros = 0;  // in place of a body whose bytes were dropped
};

class NullObjects {
 public:
  S3Reply handle(const S3Request& request);

 private:
  struct Object {
    std::uint64_t size = 0;
    std::string etag;
    std::string fields;  // x-amz-meta-* and the type
    std::string bytes;
  };
  struct Multipart {
    std::string name;
    std::string fields;
    std::map<int, Object> parts;
  };
  enum class Operation : std::uint8_t {
    put,
    get,
    head,
    remove,
    create_multipart,
    upload_part,
    copy_part,
    list_parts,
    complete,
    abort,
    list,
    other,
  };
  static constexpr std::size_t operations = 12;
  struct Counts {
    std::atomic<std::uint64_t> requests = 0;
    std::atomic<std::uint64_t> received = 0;
    std::atomic<std::uint64_t> sent = 0;
  };

  static Operation operation_of(const S3Request& request);
  S3Reply answer(Operation operation, const S3Request& request);
  S3Reply control(const S3Request& request);
  S3Reply put(const S3Request& request);
  S3Reply get(const S3Request& request);
  S3Reply create(const S3Request& request);
  S3Reply part(const S3Request& request);
  S3Reply copy(const S3Request& request);
  S3Reply list_parts(const S3Request& request);
  S3Reply complete(const S3Request& request);
  S3Reply list(const S3Request& request);
  std::string next_etag();

  std::array<Counts, operations> counts_;
  std::atomic<std::uint64_t> made_ = 0;
  std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::map<std::string, Multipart> multiparts_;  // by S3's id
};

}  // namespace bench
