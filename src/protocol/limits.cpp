#include "protocol/limits.h"

#include <algorithm>
#include <limits>

namespace tus::protocol {

namespace {

// Offsets are signed 64-bit numbers in files, in JSON and in most clients.
constexpr std::uint64_t largest_offset = std::numeric_limits<std::int64_t>::max();

struct Bound {
  std::uint64_t end;  // the offset that no byte may pass
  ErrorCode excess;
};

Bound bound_of(std::optional<std::uint64_t> length, std::uint64_t max_size) {
  if (length) return {*length, ErrorCode::size_exceeded};
  if (max_size > 0) return {max_size, ErrorCode::max_size_exceeded};
  return {largest_offset, ErrorCode::max_size_exceeded};
}

Status check_declared(const LengthQuestion& q) {
  if (!q.declared_length) return {};
  const std::uint64_t declared = *q.declared_length;
  if (q.length && *q.length != declared) return fail(ErrorCode::invalid_upload_length);
  if (declared < q.offset || declared > largest_offset) {
    return fail(ErrorCode::invalid_upload_length);
  }
  // A length that is on record was within the limit of its time; only a new one is measured.
  if (!q.length && q.max_size > 0 && declared > q.max_size) {
    return fail(ErrorCode::max_size_exceeded);
  }
  return {};
}

}  // namespace

Result<LengthAnswer> check_length(const LengthQuestion& question) {
  if (auto declared = check_declared(question); !declared) return std::unexpected(declared.error());

  LengthAnswer answer;
  answer.length = question.length ? question.length : question.declared_length;
  const Bound bound = bound_of(answer.length, question.max_size);
  const std::uint64_t room = bound.end - std::min(bound.end, question.offset);
  if (question.content_length.value_or(0) > room) return fail(bound.excess);
  if (answer.length || question.max_size > 0) answer.allowance = room;
  answer.excess = bound.excess;
  return answer;
}

}  // namespace tus::protocol
