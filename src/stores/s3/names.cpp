#include "stores/s3/names.h"

namespace tus::s3 {

namespace {

constexpr std::string_view info_suffix = ".info";
constexpr std::string_view rest_suffix = ".part";
constexpr std::string_view ours = ".tusd/";

std::string as_folder(std::string prefix) {
  if (!prefix.empty() && !prefix.ends_with('/')) prefix.push_back('/');
  return prefix;
}

std::string joined(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string text(a);
  text.append(b).append(c);
  return text;
}

}  // namespace

IdParts split_id(const UploadId& id) {
  const auto& text = id.str();
  const auto plus = text.rfind('+');
  if (plus == std::string::npos) return {text, ""};
  return {text.substr(0, plus), text.substr(plus + 1)};
}

std::optional<UploadId> join_id(const std::string& object, const std::string& multipart) {
  if (multipart.find_first_of("+/") != std::string::npos) return std::nullopt;
  return UploadId::parse(object + "+" + multipart);
}

Names::Names(const StoreOptions& options)
    : bucket_(options.bucket),
      data_(as_folder(options.object_prefix)),
      metadata_(options.metadata_prefix.empty() ? data_ : as_folder(options.metadata_prefix)) {}

ObjectName Names::data(std::string_view object) const { return {bucket_, joined(data_, object)}; }

ObjectName Names::info(std::string_view object) const {
  return {bucket_, joined(metadata_, object, info_suffix)};
}

ObjectName Names::rest(std::string_view object) const {
  return {bucket_, joined(metadata_, object, rest_suffix)};
}

ObjectName Names::staged(std::string_view object) const {
  return {bucket_, joined(joined(metadata_, ours), "staged/", object)};
}

ObjectName Names::join_mark(std::string_view id) const {
  return {bucket_, join_marks().append(id)};
}

std::string Names::join_marks() const { return joined(metadata_, ours, "joins/"); }

ObjectName Names::outbox() const { return {bucket_, joined(metadata_, ours, "outbox/")}; }

std::optional<std::string> Names::object_of_info(std::string_view key) const {
  return object_of(key, info_suffix);
}

std::optional<std::string> Names::object_of_rest(std::string_view key) const {
  return object_of(key, rest_suffix);
}

std::optional<std::string> Names::object_of(std::string_view key, std::string_view suffix) const {
  if (!key.starts_with(metadata_) || !key.ends_with(suffix)) return std::nullopt;
  key.remove_prefix(metadata_.size());
  if (key.size() <= suffix.size()) return std::nullopt;
  key.remove_suffix(suffix.size());
  if (!UploadId::parse(key)) return std::nullopt;
  return std::string(key);
}

}  // namespace tus::s3
