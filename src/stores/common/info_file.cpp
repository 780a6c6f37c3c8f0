#include "stores/common/info_file.h"

#include "base/json_text.h"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace tus::stores {

namespace json = boost::json;

using base::append_base64;
using base::append_json_bytes;
using base::append_json_string;
using base::bytes_of_text;
using base::is_utf8;

namespace {

// What a member of the file turns out to be; thrown by the readers below and caught in parse_info().
struct Damaged {
  const char* what;
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Go matches the keys of an object without regard to case.
bool is_key(std::string_view key, std::string_view name) {
  return std::ranges::equal(key, name, {}, lower, lower);
}

std::string_view view_of(const json::string& text) { return {text.data(), text.size()}; }

std::uint64_t number_of(const json::value& value) {
  if (value.is_null()) return 0;
  if (value.is_int64() && value.get_int64() >= 0) {
    return static_cast<std::uint64_t>(value.get_int64());
  }
  throw Damaged{"not a size"};
}

bool flag_of(const json::value& value) {
  if (value.is_null()) return false;
  if (value.is_bool()) return value.get_bool();
  throw Damaged{"not true or false"};
}

std::string text_of(const json::value& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return std::string(view_of(value.get_string()));
  throw Damaged{"not a string"};
}

const json::object& object_of(const json::value& value) {
  if (value.is_object()) return value.get_object();
  throw Damaged{"not an object"};
}

// A header value that goes back into a header: nothing in it may end one.
std::string header_of(const json::value& value) {
  auto bytes = bytes_of_text(text_of(value));
  if (!bytes) throw Damaged{"not a header value"};
  for (unsigned char c : *bytes) {
    if ((c < 0x20 && c != '\t') || c == 0x7F) throw Damaged{"control characters in a header value"};
  }
  return *std::move(bytes);
}

// Numbers beyond those of a double become "Infinity" when they are written, and that is no JSON.
bool can_be_written(const json::value& value) {
  if (value.is_double()) return std::isfinite(value.get_double());
  if (value.is_array()) return std::ranges::all_of(value.get_array(), can_be_written);
  if (!value.is_object()) return true;
  return std::ranges::all_of(value.get_object(),
                             [](const auto& pair) { return can_be_written(pair.value()); });
}

// Of somebody else, kept as it is; nothing for what would make the record unreadable.
std::string member(std::string_view key, const json::value& value) {
  if (!can_be_written(value)) return {};
  std::string out(",");
  append_json_string(out, key);
  out.push_back(':');
  out.append(json::serialize(value));
  return out;
}

Metadata metadata_of(const json::value& value) {
  Metadata metadata;
  if (value.is_null()) return metadata;
  for (const auto& pair : object_of(value)) {
    metadata.emplace_back(std::string(pair.key()), text_of(pair.value()));
  }
  return metadata;
}

FinishState finish_of(const json::value& value) {
  auto text = text_of(value);
  if (text == "pending") return FinishState::pending;
  if (text == "finished") return FinishState::finished;
  if (text == "abandoned") return FinishState::abandoned;
  throw Damaged{"unknown finish state"};
}

DurableMark durable_of(const json::value& value) {
  DurableMark mark;
  for (const auto& pair : object_of(value)) {
    if (is_key(pair.key(), "Offset")) mark.offset = number_of(pair.value());
    if (is_key(pair.key(), "BootId")) mark.boot_id = text_of(pair.value());
    if (is_key(pair.key(), "Strict")) mark.strict = flag_of(pair.value());
  }
  return mark;
}

std::string join_of(const json::value& value) {
  std::string boot_id;
  for (const auto& pair : object_of(value)) {
    if (is_key(pair.key(), "BootId")) boot_id = text_of(pair.value());
  }
  return boot_id;
}

std::optional<std::uint64_t> pending_of(const json::value& value) {
  std::optional<std::uint64_t> start;
  for (const auto& pair : object_of(value)) {
    if (is_key(pair.key(), "Start")) start = number_of(pair.value());
  }
  if (!start) throw Damaged{"pending without a start"};
  return start;
}

BucketRecord bucket_of(const json::value& value) {
  BucketRecord bucket;
  for (const auto& pair : object_of(value)) {
    if (is_key(pair.key(), "Multipart")) bucket.multipart = text_of(pair.value());
    if (is_key(pair.key(), "Mark")) bucket.mark = text_of(pair.value());
    if (is_key(pair.key(), "Claim")) bucket.claim = text_of(pair.value());
    if (is_key(pair.key(), "Safe")) bucket.safe = number_of(pair.value());
    if (is_key(pair.key(), "Going")) bucket.going = flag_of(pair.value());
    if (is_key(pair.key(), "PartSize")) bucket.part_size = number_of(pair.value());
    if (is_key(pair.key(), "Doubles")) bucket.doubles = flag_of(pair.value());
  }
  return bucket;
}

UploadDigest digest_of(const json::value& value) {
  UploadDigest digest;
  for (const auto& pair : object_of(value)) {
    if (is_key(pair.key(), "Repr")) digest.repr = header_of(pair.value());
    if (is_key(pair.key(), "State")) digest.state = text_of(pair.value());
  }
  return digest;
}

// What was found of members that are not simply copied.
struct Found {
  bool size = false;
  bool deferred = false;
  bool raw_metadata = false;
  bool raw_concat = false;
};

void read_tusd(const json::value& value, InfoFile& file, Found& found) {
  if (value.is_null()) return;
  for (const auto& pair : object_of(value)) {
    std::string_view key(pair.key());
    if (is_key(key, "RawMetadata")) {
      file.info.raw_metadata = header_of(pair.value());
      found.raw_metadata = true;
    } else if (is_key(key, "RawConcat")) {
      file.info.raw_concat = header_of(pair.value());
      found.raw_concat = true;
    } else if (is_key(key, "Finish")) {
      file.info.finish = finish_of(pair.value());
    } else if (is_key(key, "Pending")) {
      file.pending_start = pending_of(pair.value());
    } else if (is_key(key, "Durable")) {
      file.durable = durable_of(pair.value());
    } else if (is_key(key, "CreationId")) {
      file.info.creation_id = text_of(pair.value());
    } else if (is_key(key, "Digest")) {
      file.info.digest = digest_of(pair.value());
    } else if (is_key(key, "Join")) {
      file.join_boot_id = join_of(pair.value());
      file.info.join_pending = true;
    } else if (is_key(key, "Bucket")) {
      file.bucket = bucket_of(pair.value());
    } else {
      file.unknown_tusd += member(key, pair.value());
    }
  }
}

void read_storage(const json::value& value, UploadInfo& info) {
  if (value.is_null()) return;
  for (const auto& pair : object_of(value)) {
    info.storage[std::string(pair.key())] = text_of(pair.value());
  }
}

void read_parts(const json::value& value, UploadInfo& info) {
  if (value.is_null()) return;
  if (!value.is_array()) throw Damaged{"PartialUploads is not a list"};
  for (const auto& part : value.get_array()) info.partial_uploads.push_back(text_of(part));
}

void read_member(std::string_view key, const json::value& value, InfoFile& file, Found& found) {
  auto& info = file.info;
  if (is_key(key, "Offset")) return;  // the data says it
  if (is_key(key, "ID")) {
    file.named = value.is_string() ? text_of(value) : std::string();
  } else if (is_key(key, "Size")) {
    info.length = number_of(value);
    found.size = true;
  } else if (is_key(key, "SizeIsDeferred")) {
    found.deferred = flag_of(value);
  } else if (is_key(key, "MetaData")) {
    info.metadata = metadata_of(value);
  } else if (is_key(key, "IsPartial")) {
    info.is_partial = flag_of(value);
  } else if (is_key(key, "IsFinal")) {
    info.is_final = flag_of(value);
  } else if (is_key(key, "PartialUploads")) {
    read_parts(value, info);
  } else if (is_key(key, "Storage")) {
    read_storage(value, info);
  } else if (is_key(key, "Tusd")) {
    read_tusd(value, file, found);
  } else {
    file.unknown += member(key, value);
  }
}

std::string derived_concat(const UploadInfo& info) { return info.is_partial ? "partial" : ""; }

InfoFile read_file(const json::value& root, UploadId id) {
  InfoFile file;
  Found found;
  file.info.id = std::move(id);
  for (const auto& pair : object_of(root)) {
    read_member(std::string_view(pair.key()), pair.value(), file, found);
  }
  // An object without a size is not an upload of no bytes: something has eaten the rest.
  if (!found.size && !found.deferred) throw Damaged{"no Size"};
  if (found.deferred) file.info.length.reset();
  if (!found.raw_metadata) file.info.raw_metadata = raw_of_metadata(file.info.metadata);
  if (!found.raw_concat) file.info.raw_concat = derived_concat(file.info);
  return file;
}

// Whether reading MetaData back gives the client's own header.
bool derives_raw_metadata(const UploadInfo& info) {
  if (info.raw_metadata != raw_of_metadata(info.metadata)) return false;
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : info.metadata) {
    if (!is_utf8(key) || !is_utf8(value)) return false;
    keys.push_back(key);
  }
  std::ranges::sort(keys);
  return std::ranges::adjacent_find(keys) == keys.end();
}

// Writes the object "Tusd", unless there is nothing to say that the rest of the file does not.
class TusdWriter {
 public:
  explicit TusdWriter(std::string& out) : out_(out) {}

  std::string& key(std::string_view name) {
    out_.append(empty_ ? ",\"Tusd\":{" : ",");
    empty_ = false;
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void unknown(std::string_view members) {
    if (members.empty()) return;
    out_.append(empty_ ? ",\"Tusd\":{" : ",").append(members.substr(1));
    empty_ = false;
  }
  void end() {
    if (!empty_) out_.push_back('}');
  }

 private:
  std::string& out_;
  bool empty_ = true;
};

void write_tusd(std::string& out, const InfoFile& file) {
  TusdWriter tusd(out);
  const auto& info = file.info;
  if (!derives_raw_metadata(info)) {
    append_json_bytes(tusd.key("RawMetadata"), info.raw_metadata);
  }
  if (info.raw_concat != derived_concat(info)) {
    append_json_bytes(tusd.key("RawConcat"), info.raw_concat);
  }
  if (info.finish == FinishState::pending) tusd.key("Finish").append("\"pending\"");
  if (info.finish == FinishState::finished) tusd.key("Finish").append("\"finished\"");
  if (info.finish == FinishState::abandoned) tusd.key("Finish").append("\"abandoned\"");
  if (file.pending_start) {
    tusd.key("Pending")
        .append("{\"Start\":")
        .append(std::to_string(*file.pending_start))
        .append("}");
  }
  if (file.durable) {
    auto& to = tusd.key("Durable").append("{\"Offset\":");
    to.append(std::to_string(file.durable->offset)).append(",\"BootId\":");
    append_json_string(to, file.durable->boot_id);
    to.append(file.durable->strict ? ",\"Strict\":true}" : "}");
  }
  if (const auto& digest = info.digest; digest != UploadDigest()) {
    auto& to = tusd.key("Digest").append("{\"Repr\":");
    append_json_bytes(to, digest.repr);
    append_json_string(to.append(",\"State\":"), digest.state);
    to.append("}");
  }
  if (!info.creation_id.empty()) append_json_string(tusd.key("CreationId"), info.creation_id);
  if (info.join_pending) {
    auto& to = tusd.key("Join").append("{\"BootId\":");
    append_json_string(to, file.join_boot_id);
    to.push_back('}');
  }
  if (file.bucket != BucketRecord()) {
    auto& to = tusd.key("Bucket").append("{\"Multipart\":");
    append_json_string(to, file.bucket.multipart);
    append_json_string(to.append(",\"Mark\":"), file.bucket.mark);
    append_json_string(to.append(",\"Claim\":"), file.bucket.claim);
    to.append(",\"Safe\":").append(std::to_string(file.bucket.safe));
    if (file.bucket.part_size > 0) {
      to.append(",\"PartSize\":").append(std::to_string(file.bucket.part_size));
    }
    if (file.bucket.doubles) to.append(",\"Doubles\":true");
    to.append(file.bucket.going ? ",\"Going\":true}" : "}");
  }
  tusd.unknown(file.unknown_tusd);
  tusd.end();
}

template <class Pairs>
void write_strings(std::string& out, const Pairs& pairs) {
  char before = '{';
  for (const auto& [key, value] : pairs) {
    out.push_back(std::exchange(before, ','));
    append_json_string(out, key);
    out.push_back(':');
    append_json_string(out, value);
  }
  out.append(before == '{' ? "{}" : "}");
}

void write_parts(std::string& out, const std::vector<std::string>& parts) {
  if (parts.empty()) {
    out.append("null");
    return;
  }
  char before = '[';
  for (const auto& part : parts) {
    out.push_back(std::exchange(before, ','));
    append_json_string(out, part);
  }
  out.push_back(']');
}

const char* word(bool value) { return value ? "true" : "false"; }

}  // namespace

Result<InfoFile> parse_info(std::string_view text, UploadId id) {
  if (text.empty()) return fail(ErrorCode::upload_damaged, "the .info file is empty");
  std::array<unsigned char, 4096> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code error;
  auto root = json::parse(text, error, &memory, options);
  if (error)
    return fail(ErrorCode::upload_damaged, "the .info file is not JSON: " + error.message());
  try {
    return read_file(root, std::move(id));
  } catch (const Damaged& damaged) {
    return fail(ErrorCode::upload_damaged, std::string("the .info file: ") + damaged.what);
  }
}

std::string write_info(const InfoFile& file) {
  const auto& info = file.info;
  std::string out;
  out.reserve(512 + info.raw_metadata.size() * 2);
  out.append("{\"ID\":");
  append_json_string(out, info.id.str());
  out.append(",\"Size\":").append(std::to_string(info.length.value_or(0)));
  out.append(",\"SizeIsDeferred\":").append(word(!info.length));
  out.append(",\"Offset\":0,\"MetaData\":");
  write_strings(out, info.metadata);
  out.append(",\"IsPartial\":").append(word(info.is_partial));
  out.append(",\"IsFinal\":").append(word(info.is_final));
  out.append(",\"PartialUploads\":");
  write_parts(out, info.partial_uploads);
  out.append(",\"Storage\":");
  write_strings(out, info.storage);
  out.append(file.unknown);
  write_tusd(out, file);
  out.push_back('}');
  return out;
}

std::uint64_t counted_size(const InfoFile& file, std::uint64_t data_size,
                           std::string_view boot_id) {
  if (file.info.join_pending) return 0;
  auto size = data_size;
  if (file.pending_start) size = std::min(size, *file.pending_start);
  // A mark that another policy, or another server, has left in a finished upload says nothing.
  if (file.info.finish == FinishState::finished) return size;
  if (file.durable && (file.durable->strict || file.durable->boot_id != boot_id)) {
    size = std::min(size, file.durable->offset);
  }
  return size;
}

std::string raw_of_metadata(const Metadata& metadata) {
  std::string raw;
  for (const auto& [key, value] : metadata) {
    // A key that cannot be in the header was not in it.
    auto fits = [](unsigned char c) { return c > 0x20 && c != 0x7F && c != ','; };
    if (key.empty() || !std::ranges::all_of(key, fits)) continue;
    if (!raw.empty()) raw.push_back(',');
    raw.append(key);
    if (value.empty()) continue;
    raw.push_back(' ');
    append_base64(raw, value);
  }
  return raw;
}

}  // namespace tus::stores
