// The grammar of single headers: what is understood is written in one way only, nothing overflows, and nothing that a
// client sends gets out of the field that it is put into.
// [FUZZ-1] [FUZZ-2]
#include "app/origin_pattern.h"
#include "base/ascii.h"
#include "fuzz/check.h"
#include "fuzz/targets.h"
#include "protocol/byte_range.h"
#include "protocol/checksum.h"
#include "protocol/concat.h"
#include "protocol/conditions.h"
#include "protocol/cors.h"
#include "protocol/header_values.h"
#include "protocol/http_date.h"
#include "protocol/limits.h"
#include "protocol/metadata.h"
#include "protocol/presentation.h"
#include "stores/common/info_file.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace tus::fuzz {

namespace {

constexpr std::uint64_t largest = INT64_MAX;

// A limit as an operator gives it, or nothing.
std::optional<std::uint64_t> count_of(const std::string& line) {
  return protocol::parse_count(line);
}

std::string without_zeros(std::string_view digits) {
  return std::string(digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1)));
}

void check_range(std::string_view value, std::uint64_t size) {
  using Kind = protocol::RangeAnswer::Kind;
  const auto answer = protocol::select_range(value, size);
  const auto& span = answer.span;
  if (answer.kind == Kind::unsatisfiable) {
    require(protocol::content_range_of_none(size) == "bytes */" + std::to_string(size));
    return;
  }
  require(span.first <= size && span.count <= size - span.first);
  if (answer.kind == Kind::whole) {
    require(span.first == 0 && span.count == size);
    return;
  }
  require(span.count > 0);
  const auto last = span.first + span.count - 1;
  const auto told = std::to_string(span.first) + "-" + std::to_string(last);
  require(protocol::content_range(span, size) == "bytes " + told + "/" + std::to_string(size));
  require(protocol::select_range("bytes=" + told, size).span == span);
}

bool is_hexadecimal(char c) { return base::is_digit(c) || (c >= 'A' && c <= 'F'); }

// RFC 6266 by a reader that is stricter than any browser: disposition, one quoted name without escapes, one
// extended name.
void check_disposition(std::string_view text) {
  require(text.starts_with("attachment") || text.starts_with("inline"));
  text.remove_prefix(text.starts_with("inline") ? 6 : 10);
  constexpr std::string_view quoted = "; filename=\"";
  if (text.starts_with(quoted)) {
    text.remove_prefix(quoted.size());
    const auto end = text.find('"');
    require(end != std::string_view::npos);
    const auto name = text.substr(0, end);
    require(std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 127; }));
    require(name.find_first_of("/\\%") == std::string_view::npos);
    text.remove_prefix(end + 1);
  }
  constexpr std::string_view extended = "; filename*=UTF-8''";
  if (!text.starts_with(extended)) {
    require(text.empty());
    return;
  }
  text.remove_prefix(extended.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      require(i + 2 < text.size() && is_hexadecimal(text[i + 1]) && is_hexadecimal(text[i + 2]));
      i += 2;
    } else {
      require(protocol::is_field_name(text.substr(i, 1)) && text[i] != '\'' && text[i] != '*');
    }
  }
  const auto name = protocol::decode_percent(text);
  require(name && fits_a_header(*name) && name->find_first_of("/\\") == std::string::npos);
}

}  // namespace

// Upload-Offset, or any other number; then for a limit check: length, declared length, Content-Length, maximum.
void numbers(std::string_view input) {
  const auto lines = lines_of(input);
  const auto text = line_of(lines, 0);
  const auto count = protocol::parse_count(text);
  const bool digits = !text.empty() && std::ranges::all_of(text, base::is_digit);
  if (!digits) require(!count);
  if (count) require(*count <= largest && std::to_string(*count) == without_zeros(text));

  protocol::LengthQuestion question;
  question.offset = count.value_or(0);
  question.length = count_of(line_of(lines, 1));
  question.declared_length = count_of(line_of(lines, 2));
  question.content_length = count_of(line_of(lines, 3));
  question.max_size = count_of(line_of(lines, 4)).value_or(0);
  // A store never has more than the length.
  if (question.length && *question.length < question.offset) return;
  const auto answer = protocol::check_length(question);
  if (!answer) return;
  if (question.length) require(answer->length == question.length);
  if (answer->length && question.declared_length)
    require(answer->length == question.declared_length);
  if (answer->length) require(*answer->length >= question.offset);
  if (answer->length) require(answer->allowance.has_value());
  if (!answer->allowance) {
    require(question.max_size == 0);
    return;
  }
  // What the body brings never passes the length, the limit or what a number can hold.
  require(*answer->allowance <= UINT64_MAX - question.offset);
  const auto end = question.offset + *answer->allowance;
  if (answer->length) require(end <= *answer->length);
  // An upload that was begun under a larger limit may be ended.
  if (!question.length && question.max_size > 0) {
    require(end <= std::max(question.max_size, question.offset));
  }
  if (question.content_length) require(*question.content_length <= *answer->allowance);
}

// Base64, percent-encoding, media types, names and values.
void text_codes(std::string_view input) {
  const std::string text(input);
  require(protocol::decode_base64(protocol::encode_base64(text)) == text);
  if (const auto bytes = protocol::decode_base64(text)) {
    require(text.size() % 4 == 0 && bytes->size() <= text.size() / 4 * 3);
    require(protocol::decode_base64(protocol::encode_base64(*bytes)) == bytes);
  }
  std::string encoded;
  for (const char c : text) {
    char code[4];
    std::snprintf(code, sizeof code, "%%%02x", static_cast<unsigned char>(c));
    encoded += code;
  }
  require(protocol::decode_percent(encoded) == text);
  if (const auto decoded = protocol::decode_percent(text)) {
    require(decoded->size() + 2 * static_cast<std::size_t>(std::ranges::count(text, '%')) ==
            text.size());
  }
  if (protocol::is_field_value(text)) require(fits_a_header(text));
  if (protocol::is_field_name(text)) require(fits_a_header(text) && !text.contains(':'));
  if (protocol::is_well_formed_media_type(text)) {
    require(fits_a_header(text) && text.contains('/'));
    require(protocol::is_media_type(text, base::trim(text.substr(0, text.find(';')))));
  }
}

// Upload-Checksum in the head; Trailer; then each line a trailer Upload-Checksum.
void checksum(std::string_view input) {
  const auto lines = lines_of(input);
  RequestHead head;
  if (!line_of(lines, 0).empty()) head.fields.add("Upload-Checksum", lines[0]);
  if (!line_of(lines, 1).empty()) head.fields.add("Trailer", lines[1]);
  Fields trailers;
  for (std::size_t i = 2; i < lines.size(); ++i) trailers.add("Upload-Checksum", lines[i]);

  const auto demand = protocol::checksum_of(head);
  if (!demand || !*demand) return;
  const bool in_head = (*demand)->known.has_value();
  require(in_head == (head.fields.count("Upload-Checksum") == 1));
  const auto settled = protocol::settle_checksum(**demand, trailers);
  if (!settled) return;
  require(trailers.size() == (in_head ? 0u : 1u));
  const auto& said = in_head ? lines[0] : lines[2];
  require(settled->digest.size() == protocol::digest_size(settled->algorithm));
  const auto name = said.substr(0, said.find(' '));
  require(said == name + " " + protocol::encode_base64(settled->digest));
  const auto known = "," + std::string(protocol::checksum_algorithms()) + ",";
  require(known.contains("," + name + ","));
}

// Upload-Concat; a prefix that a proxy has cut off.
void concat(std::string_view input) {
  const auto lines = lines_of(input);
  const auto value = line_of(lines, 0);
  const auto concat = protocol::parse_concat(value, "/files/", line_of(lines, 1));
  if (!concat) return;
  require(concat->is_partial == (value == "partial"));
  require(concat->is_partial == concat->parts.empty());
  if (concat->is_partial) return;
  std::string again = "final;";
  for (const auto& part : concat->parts) {
    require(UploadId::parse(part.str()) == part);
    again += "/files/" + part.str() + " ";
  }
  const auto once_more = protocol::parse_concat(again, "/files/");
  require(once_more && once_more->parts == concat->parts);
}

// Upload-Metadata.
void metadata(std::string_view input) {
  const std::string raw(input);
  const auto pairs = protocol::parse_metadata(raw);
  std::set<std::string> keys;
  for (const auto& [key, value] : pairs) {
    require(!key.empty() && !key.contains(' ') && !key.contains(','));
    require(keys.insert(key).second);
    require(value.size() <= raw.size());
  }
  // However it is written again, it is fit for a header and says the same.
  for (const auto& text : {protocol::format_metadata(pairs), stores::raw_of_metadata(pairs)}) {
    require(fits_a_header(text));
    const auto again = protocol::parse_metadata(text);
    if (fits_a_header(raw) && !raw.contains('\t')) require(again == pairs);
    require(protocol::parse_metadata(protocol::format_metadata(again)) == again);
  }
}

// `filetype`, then `filename`, which takes the rest with all its line ends.
void presentation(std::string_view input) {
  const auto end = std::min(input.find('\n'), input.size());
  Metadata pairs;
  pairs.emplace_back("filetype", input.substr(0, end));
  pairs.emplace_back("filename", input.substr(std::min(end + 1, input.size())));
  const auto shown = protocol::present(pairs);
  require(fits_a_header(shown.content_type) && fits_a_header(shown.disposition));
  require(protocol::is_well_formed_media_type(shown.content_type));
  require(shown.content_type.size() <= 256 && shown.disposition.size() <= 8 * 1024);
  check_disposition(shown.disposition);
  // Nothing that a browser would run.
  if (shown.disposition.starts_with("inline")) {
    for (const auto* kind : {"html", "xml", "svg", "script", "pdf"}) {
      const auto type = shown.content_type.substr(0, shown.content_type.find(';'));
      require(!type.contains(kind));
    }
  }
  UploadInfo upload;
  upload.id = *UploadId::parse("a");
  upload.metadata = pairs;
  const auto tag = protocol::entity_tag(upload);
  require(tag.size() > 2 && tag.front() == '"' && tag.find('"', 1) == tag.size() - 1);
  std::ranges::reverse(upload.metadata);
  require(protocol::entity_tag(upload) == tag);
}

// Range; the size of what is asked for.
void range(std::string_view input) {
  const auto lines = lines_of(input);
  const auto value = line_of(lines, 0);
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{10}, largest}) {
    check_range(value, size);
  }
  if (const auto size = count_of(line_of(lines, 1))) check_range(value, *size);
}

// If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range, in turn.
void conditions(std::string_view input) {
  static constexpr const char* names[] = {"If-Match", "If-None-Match", "If-Modified-Since",
                                          "If-Unmodified-Since", "If-Range"};
  const protocol::Validators ours{.etag = "\"abc-10\"",
                                  .last_modified = std::chrono::sys_seconds(std::chrono::seconds(
                                      784111777))};  // Sun, 06 Nov 1994 08:49:37 GMT
  Fields fields;
  std::size_t number = 0;
  for (const auto& line : lines_of(input)) {
    if (!line.empty()) fields.add(names[number % 5], line);
    ++number;
  }
  const auto answer = protocol::check_preconditions(fields, ours);
  const auto* none = fields.find("If-None-Match");
  const auto* match = fields.find("If-Match");
  using protocol::Precondition;
  // Said in so many words.
  if (match != nullptr && fields.count("If-Match") == 1 && *match == ours.etag) {
    require(answer != Precondition::failed);
  }
  if (match != nullptr && !match->contains('"') && !match->contains('*') &&
      fields.count("If-Match") == 1) {
    require(answer == Precondition::failed);
  }
  if (match == nullptr && none != nullptr && *none == ours.etag) {
    require(answer != Precondition::holds);
  }
  // Each condition that is taken away leaves fewer reasons to refuse.
  if (fields.size() == 0) require(answer == Precondition::holds);
  const bool counts = protocol::range_counts(fields, ours);
  const auto* if_range = fields.find("If-Range");
  if (if_range == nullptr) require(counts);
  if (if_range != nullptr && if_range->contains("W/")) require(!counts);
}

// A date in one of the three forms.
void http_date(std::string_view input) {
  const auto time = protocol::parse_http_date(input);
  if (!time) return;
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(*time));
  require(date.ok() && date.year() >= std::chrono::year(0));
  // The leap second at the end of the last year that has four digits.
  if (date.year() > std::chrono::year(9999)) return;
  const auto text = protocol::format_http_date(*time);
  require(text.size() == 29 && fits_a_header(text));
  require(protocol::parse_http_date(text) == time);
}

// A pattern of origins; Origin; the method; then more fields of an answer, as Vary.
void cors(std::string_view input) {
  const auto lines = lines_of(input);
  const auto pattern = app::OriginPattern::compile(line_of(lines, 0).substr(0, 100));
  if (!pattern) {
    require(fits_a_header(pattern.error()));
    return;
  }
  CorsOptions options;
  options.allow_credentials = input.size() % 2 == 0;
  options.allows_origin = [&pattern](std::string_view origin) { return pattern->matches(origin); };
  RequestHead head;
  head.method = line_of(lines, 2);
  const auto origin = line_of(lines, 1);
  if (!origin.empty()) head.fields.add("Origin", origin);
  Response response;
  for (std::size_t i = 3; i < lines.size(); ++i) {
    if (fits_a_header(lines[i])) response.fields.add("Vary", lines[i]);
  }
  const protocol::Cors rules(options);
  const bool refused = rules.refuses(head);
  if (refused) response.error = ErrorCode::origin_not_allowed;
  rules.complete(head, response);
  for (const auto& field : response.fields) require(fits_a_header(field.value));
  const auto* allowed = response.fields.find("Access-Control-Allow-Origin");
  if (allowed == nullptr) {
    require(response.fields.find("Access-Control-Allow-Credentials") == nullptr);
    return;
  }
  require(*allowed == origin && !refused && pattern->matches(origin));
  require(response.fields.count("Access-Control-Allow-Origin") == 1);
  require(response.fields.find("Vary") != nullptr);
}

}  // namespace tus::fuzz
