#include "stores/s3/client/xml.h"

#include "base/ascii.h"
#include "stores/s3/client/text.h"

#include <pugixml.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace tus::s3 {

namespace {

using std::unexpected;

constexpr std::uint64_t most_parts = 10'000;
// S3 pages have 1,000 entries; memory does not depend on who answers.
constexpr std::size_t most_entries = 10'000;

bool looks_like_html(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return false;
  text.remove_prefix(start);
  return base::equals_ignoring_case(text.substr(0, 5), "<html") ||
         base::equals_ignoring_case(text.substr(0, 14), "<!doctype html");
}

Parsed<pugi::xml_node> root_of(pugi::xml_document& document, std::string_view xml) {
  if (looks_like_html(xml)) return unexpected("this is an HTML page and not an answer of S3");
  const auto result = document.load_buffer(xml.data(), xml.size());
  if (!result)
    return unexpected("this is no XML (" + std::string(result.description()) + " at byte " +
                      std::to_string(result.offset) + ")");
  return document.document_element();
}

Parsed<pugi::xml_node> root_of(pugi::xml_document& document, std::string_view xml,
                               const char* name) {
  auto root = root_of(document, xml);
  if (root && std::string_view(root->name()) != name)
    return unexpected(std::string("expected <") + name + "> and got <" + root->name() + ">");
  return root;
}

// Of keys and markers: what the answer says that it has done, whatever it was asked for.
enum class Encoding : std::uint8_t { none, url };

Encoding encoding_of(pugi::xml_node root) {
  return std::string_view(root.child("EncodingType").text().get()) == "url" ? Encoding::url
                                                                            : Encoding::none;
}

// The fields of one element. The first that is missing or unfit is remembered.
class Reader {
 public:
  explicit Reader(pugi::xml_node node, Encoding encoding = Encoding::none)
      : node_(node), encoding_(encoding) {}

  std::string text(const char* name) {
    const auto child = node_.child(name);
    if (!child) complain(name, "is missing");
    return child.text().get();
  }
  std::string optional_text(const char* name) const { return node_.child(name).text().get(); }
  std::string nonempty(const char* name) {
    auto value = text(name);
    if (value.empty()) complain(name, "is empty");
    return value;
  }
  std::string decoded(const char* name) {
    auto plain = text(name);
    if (encoding_ == Encoding::none) return plain;
    auto value = decode(plain);
    if (!value) complain(name, "is not encoded as a URL");
    return value.value_or("");
  }
  std::uint64_t number(const char* name) {
    const auto value = parse_number(text(name));
    if (!value) complain(name, "is no number");
    return value.value_or(0);
  }
  std::chrono::sys_seconds time(const char* name) {
    const auto value = parse_time(text(name));
    if (!value) complain(name, "is no time");
    return value.value_or(std::chrono::sys_seconds{});
  }
  // Absent is "false".
  bool flag(const char* name) {
    const auto value = optional_text(name);
    if (!value.empty() && value != "true" && value != "false")
      complain(name, "is not true or false");
    return value == "true";
  }

  const std::string& problem() const noexcept { return problem_; }
  void complain(const char* name, std::string_view what) {
    if (problem_.empty())
      problem_ = std::string("<") + name + "> in <" + node_.name() + "> " + std::string(what);
  }

 private:
  pugi::xml_node node_;
  Encoding encoding_;
  std::string problem_;
};

// Every child of this name; a page that says there is more and has nothing would be asked for again for ever.
template <class Entry, class Read>
Parsed<std::vector<Entry>> entries(pugi::xml_node root, const char* name, bool at_end, Read read) {
  std::vector<Entry> all;
  for (const auto node : root.children(name)) {
    if (all.size() == most_entries) return unexpected("there are too many entries");
    Reader reader(node, encoding_of(root));
    all.push_back(read(reader));
    if (!reader.problem().empty()) return unexpected(reader.problem());
  }
  if (all.empty() && !at_end) return unexpected("a list goes on behind nothing");
  return all;
}

PartLook read_part(Reader& reader) {
  PartLook part;
  const auto number = reader.number("PartNumber");
  if (number < 1 || number > most_parts) reader.complain("PartNumber", "is out of range");
  part.number = static_cast<std::uint32_t>(number);
  part.size = reader.number("Size");
  part.etag = reader.nonempty("ETag");
  part.last_modified = reader.time("LastModified");
  return part;
}

ListedObject read_object(Reader& reader) {
  ListedObject object;
  object.key = reader.decoded("Key");
  object.size = reader.number("Size");
  object.etag = reader.optional_text("ETag");
  object.last_modified = reader.time("LastModified");
  return object;
}

ListedMultipart read_multipart(Reader& reader) {
  ListedMultipart upload;
  upload.key = reader.decoded("Key");
  upload.upload = reader.nonempty("UploadId");
  upload.initiated = reader.time("Initiated");
  return upload;
}

ErrorDocument read_error(Reader& reader) {
  ErrorDocument error;
  error.code = reader.nonempty("Code");
  error.message = reader.optional_text("Message");
  error.request_id = reader.optional_text("RequestId");
  error.region = reader.optional_text("Region");
  return error;
}

// One text of a document.
Parsed<std::string> parse_text(std::string_view xml, const char* root_name, const char* name) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, root_name);
  if (!root) return unexpected(root.error());
  Reader reader(*root);
  auto value = reader.nonempty(name);
  if (!reader.problem().empty()) return unexpected(reader.problem());
  return value;
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

Parsed<ErrorDocument> parse_error(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "Error");
  if (!root) return unexpected(root.error());
  Reader reader(*root);
  auto error = read_error(reader);
  if (!reader.problem().empty()) return unexpected(reader.problem());
  return error;
}

std::optional<ErrorDocument> error_within(std::string_view xml) {
  auto error = parse_error(xml);
  if (!error) return std::nullopt;
  return *std::move(error);
}

Parsed<PartPage> parse_parts(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "ListPartsResult");
  if (!root) return unexpected(root.error());
  Reader reader(*root);
  PartPage page;
  page.at_end = !reader.flag("IsTruncated");
  if (!reader.problem().empty()) return unexpected(reader.problem());
  auto parts = entries<PartLook>(*root, "Part", page.at_end, read_part);
  if (!parts) return unexpected(parts.error());
  page.parts = *std::move(parts);
  std::ranges::sort(page.parts, {}, &PartLook::number);
  if (std::ranges::adjacent_find(page.parts, {}, &PartLook::number) != page.parts.end())
    return unexpected("a part is listed twice");
  return page;
}

Parsed<ObjectPage> parse_objects(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "ListBucketResult");
  if (!root) return unexpected(root.error());
  Reader reader(*root);
  ObjectPage page;
  page.at_end = !reader.flag("IsTruncated");
  if (!reader.problem().empty()) return unexpected(reader.problem());
  auto objects = entries<ListedObject>(*root, "Contents", page.at_end, read_object);
  if (!objects) return unexpected(objects.error());
  page.objects = *std::move(objects);
  return page;
}

Parsed<MultipartPage> parse_multiparts(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "ListMultipartUploadsResult");
  if (!root) return unexpected(root.error());
  Reader reader(*root, encoding_of(*root));
  MultipartPage page;
  page.at_end = !reader.flag("IsTruncated");
  if (!page.at_end) {
    page.key_marker = reader.decoded("NextKeyMarker");
    page.upload_marker = reader.nonempty("NextUploadIdMarker");
  }
  if (!reader.problem().empty()) return unexpected(reader.problem());
  auto uploads = entries<ListedMultipart>(*root, "Upload", page.at_end, read_multipart);
  if (!uploads) return unexpected(uploads.error());
  page.uploads = *std::move(uploads);
  return page;
}

Parsed<std::string> parse_initiated(std::string_view xml) {
  return parse_text(xml, "InitiateMultipartUploadResult", "UploadId");
}

Parsed<std::string> parse_copied_part(std::string_view xml) {
  return parse_text(xml, "CopyPartResult", "ETag");
}

Parsed<void> parse_completed(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "CompleteMultipartUploadResult");
  if (!root) return unexpected(root.error());
  return {};
}

Parsed<AssumedRole> parse_assumed_role(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "AssumeRoleWithWebIdentityResponse");
  if (!root) return unexpected(root.error());
  Reader reader(root->child("AssumeRoleWithWebIdentityResult").child("Credentials"));
  AssumedRole role;
  role.key_id = reader.nonempty("AccessKeyId");
  role.secret = reader.nonempty("SecretAccessKey");
  role.token = reader.nonempty("SessionToken");
  role.expires = reader.time("Expiration");
  if (!reader.problem().empty()) return unexpected(reader.problem());
  return role;
}

Parsed<ErrorDocument> parse_sts_error(std::string_view xml) {
  pugi::xml_document document;
  const auto root = root_of(document, xml, "ErrorResponse");
  if (!root) return unexpected(root.error());
  Reader reader(root->child("Error"));
  auto error = read_error(reader);
  if (!reader.problem().empty()) return unexpected(reader.problem());
  return error;
}

std::string complete_request(std::span<const PartTag> parts) {
  std::string out = R"(<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (const auto& part : parts) {
    out += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>";
    append_escaped(out, part.etag);
    out += "</ETag></Part>";
  }
  out += "</CompleteMultipartUpload>";
  return out;
}

}  // namespace tus::s3
