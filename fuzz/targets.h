// Everything that reads what others have written, each as a function of the bytes. A target ends the program when
// a promise is broken.
#pragma once

#include <span>
#include <string_view>

namespace tus::fuzz {

struct Target {
  std::string_view name;  // of its folder below seeds/, too
  void (*run)(std::string_view input);
};

std::span<const Target> targets();

// HTTP/1.1
void http_head(std::string_view input);
void chunked(std::string_view input);
void response_head(std::string_view input);

// One header each
void numbers(std::string_view input);
void text_codes(std::string_view input);
void checksum(std::string_view input);
void concat(std::string_view input);
void metadata(std::string_view input);
void presentation(std::string_view input);
void range(std::string_view input);
void conditions(std::string_view input);
void http_date(std::string_view input);
void cors(std::string_view input);

// Where a request goes, and what clients are told of it
void authority(std::string_view input);
void forwarded(std::string_view input);
void route(std::string_view input);

// A whole request head, and a whole connection
void protocol(std::string_view input);
void connection(std::string_view input);

// Files in the upload directory
void info_file(std::string_view input);
void json_text(std::string_view input);
void lock_file(std::string_view input);

// Answers of S3, and where its keys are
void s3_xml(std::string_view input);
void aws_config(std::string_view input);

// What operators write, and what they read
void command_line(std::string_view input);
void environment(std::string_view input);
void config_file(std::string_view input);
void option_values(std::string_view input);
void inherited(std::string_view input);
void log_line(std::string_view input);

}  // namespace tus::fuzz
