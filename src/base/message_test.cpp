#include <tus/message.h>

#include <gtest/gtest.h>

#include <string>

namespace tus {
namespace {

std::string dump(const Fields& fields) {
  std::string text;
  for (const auto& field : fields) text += field.name + "=" + field.value + ";";
  return text;
}

TEST(fields, are_found_without_regard_to_case_and_keep_their_order) {
  Fields fields;
  fields.add("Upload-Offset", "1");
  fields.add("X", "2");
  fields.add("upload-offset", "3");
  ASSERT_NE(fields.find("UPLOAD-OFFSET"), nullptr);
  EXPECT_EQ(*fields.find("UPLOAD-OFFSET"), "1");
  EXPECT_EQ(fields.count("upload-Offset"), 2u);
  EXPECT_EQ(fields.count("upload-offse"), 0u);
  EXPECT_EQ(fields.find("Y"), nullptr);
  EXPECT_EQ(fields.size(), 3u);
  EXPECT_EQ(dump(fields), "Upload-Offset=1;X=2;upload-offset=3;");
}

TEST(fields, set_replaces_all_of_a_name) {
  Fields fields;
  fields.add("A", "1");
  fields.add("B", "2");
  fields.add("a", "3");
  fields.set("a", "4");
  EXPECT_EQ(dump(fields), "A=4;B=2;");
  fields.set("C", "5");
  EXPECT_EQ(dump(fields), "A=4;B=2;C=5;");
}

TEST(fields, remove_takes_all_of_a_name) {
  Fields fields;
  fields.add("A", "1");
  fields.add("B", "2");
  fields.add("a", "3");
  fields.remove("A");
  EXPECT_EQ(dump(fields), "B=2;");
  fields.remove("A");
  EXPECT_EQ(fields.size(), 1u);
}

}  // namespace
}  // namespace tus
