#include "stores/s3/names.h"

#include "stores/s3/object_headers.h"

#include <gtest/gtest.h>

namespace tus::s3 {
namespace {

UploadId id_of(std::string_view text) { return UploadId::parse(text).value(); }

StoreOptions options_of(std::string prefix, std::string metadata_prefix = "") {
  StoreOptions options;
  options.bucket = "uploads";
  options.object_prefix = std::move(prefix);
  options.metadata_prefix = std::move(metadata_prefix);
  return options;
}

// [S3-04] As Go's tusd names them.
TEST(names, are_those_of_tusd) {
  const Names names(options_of("files", "meta/"));
  EXPECT_EQ(names.data("a/b").key, "files/a/b");
  EXPECT_EQ(names.info("a/b").key, "meta/a/b.info");
  EXPECT_EQ(names.rest("a/b").key, "meta/a/b.part");
  EXPECT_EQ(Names(options_of("")).info("a").key, "a.info");
  EXPECT_EQ(Names(options_of("p")).info("a").key, "p/a.info");
  EXPECT_EQ(names.object_of_info("meta/a/b.info"), "a/b");
  EXPECT_EQ(names.object_of_info("meta/.tusd/joins/x.info"), std::nullopt);
  EXPECT_EQ(names.object_of_info("meta/.info"), std::nullopt);
  EXPECT_EQ(names.object_of_info("other/a.info"), std::nullopt);
  EXPECT_EQ(names.object_of_info("meta/a.part"), std::nullopt);
}

// [S3-04] The id of the multipart upload is behind the last '+'.
TEST(names, ids_have_two_parts) {
  EXPECT_EQ(split_id(id_of("a+b+2~x")).object, "a+b");
  EXPECT_EQ(split_id(id_of("a+b+2~x")).multipart, "2~x");
  EXPECT_EQ(split_id(id_of("plain")).multipart, "");
  EXPECT_EQ(join_id("a", "2~x")->str(), "a+2~x");
  EXPECT_EQ(join_id("a", "with/slash"), std::nullopt);
  EXPECT_EQ(join_id("a", "with+plus"), std::nullopt);
  EXPECT_EQ(join_id("a", "white space"), std::nullopt);
}

std::string value_of(const ObjectHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers.metadata) {
    if (key == name) return value;
  }
  return "(none)";
}

// [S3-05]
TEST(object_headers, metadata_goes_with_the_object) {
  const auto headers = object_headers(options_of(""),
                                      {{"filetype", "image/png"},
                                       {"filename", "h\xC3\xB6\nhe.png "},
                                       {"bad name", "x"},
                                       {"TUSD-upload", "forged"}},
                                      "the-mark");
  EXPECT_EQ(headers.content_type, "image/png");
  EXPECT_EQ(value_of(headers, "filename"), "h??he.png");
  EXPECT_EQ(value_of(headers, "filetype"), "image/png");
  EXPECT_EQ(value_of(headers, "bad name"), "(none)");
  EXPECT_EQ(value_of(headers, "TUSD-upload"), "(none)");
  EXPECT_EQ(value_of(headers, "tusd-upload"), "the-mark");
}

// [S3-05] What is no media type is none, and what S3 would refuse is not sent.
TEST(object_headers, leave_out_what_does_not_fit) {
  for (const char* type : {"", "png", "image/", "/png", "image/p ng\r\nX: y", "a/b\x01"}) {
    EXPECT_EQ(object_headers(options_of(""), {{"filetype", type}}, "m").content_type, "") << type;
  }
  EXPECT_EQ(
      object_headers(options_of(""), {{"filetype", "text/plain; charset=utf-8"}}, "m").content_type,
      "text/plain; charset=utf-8");
  const auto headers =
      object_headers(options_of(""), {{"long", std::string(2040, 'x')}, {"short", "y"}}, "mark");
  EXPECT_EQ(value_of(headers, "long"), "(none)");
  EXPECT_EQ(value_of(headers, "short"), "y");
}

}  // namespace
}  // namespace tus::s3
