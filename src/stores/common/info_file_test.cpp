#include "stores/common/info_file.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tus::stores {
namespace {

UploadId some_id() { return *UploadId::parse("24e533e02ec3bc40c387f1a0e460e216"); }

// As Go's tusd 2 writes it.
constexpr std::string_view go_file =
    R"({"ID":"24e533e02ec3bc40c387f1a0e460e216","Size":14,"SizeIsDeferred":false,"Offset":0,)"
    R"("MetaData":{"filename":"h\u00f6\u003cb\u003e.txt","filetype":""},"IsPartial":false,)"
    R"("IsFinal":false,"PartialUploads":null,"Storage":{"InfoPath":"/data/24e5.info",)"
    R"("Path":"/data/24e5","Type":"filestore"}})";

// [FILE-01] what Go's tusd has written is read, and its uploads need no finish of ours.
TEST(info_file, reads_what_go_has_written) {
  auto file = parse_info(go_file, some_id());
  ASSERT_TRUE(file) << file.error().detail();
  const auto& info = file->info;
  EXPECT_EQ(info.id, some_id());
  EXPECT_EQ(info.length, 14u);
  EXPECT_EQ(info.metadata, (Metadata{{"filename", "h\xC3\xB6<b>.txt"}, {"filetype", ""}}));
  EXPECT_EQ(info.raw_metadata, "filename aMO2PGI+LnR4dA==,filetype");
  EXPECT_EQ(info.storage.at("Path"), "/data/24e5");
  EXPECT_EQ(info.finish, FinishState::derived);
  EXPECT_FALSE(file->durable);
  EXPECT_FALSE(file->pending_start);
}

// [FILE-02] keys are matched as Go does it; what we do not know is kept.
TEST(info_file, keeps_unknown_members_and_ignores_the_case_of_keys) {
  auto file =
      parse_info(R"({"id":"x","sIZE":7,"Novelty":{"a":[1,"\u00e4"]},"METADATA":{"k":"v"},)"
                 R"("storage":{"Path":"p","Region":"eu"},"tusd":{"finish":"pending","New":1}})",
                 some_id());
  ASSERT_TRUE(file) << file.error().detail();
  EXPECT_EQ(file->info.length, 7u);
  EXPECT_EQ(file->info.finish, FinishState::pending);
  auto again = write_info(*file);
  EXPECT_NE(again.find(R"("Novelty":{"a":[1,"ä"]})"), std::string::npos) << again;
  EXPECT_NE(again.find(R"("Tusd":{"Finish":"pending","New":1})"), std::string::npos) << again;
  EXPECT_NE(again.find(R"("Region":"eu")"), std::string::npos) << again;
  auto third = parse_info(again, some_id());
  ASSERT_TRUE(third);
  EXPECT_EQ(write_info(*third), again);
}

// [DIGEST-7]
TEST(info_file, keeps_the_digest) {
  InfoFile file;
  file.info.id = some_id();
  file.info.length = 5;
  EXPECT_EQ(write_info(file).find("Digest"), std::string::npos);
  file.info.digest.state = "sha-256 a b";
  auto text = write_info(file);
  EXPECT_NE(text.find(R"("Tusd":{"Digest":{"Repr":"","State":"sha-256 a b"}})"), std::string::npos)
      << text;
  EXPECT_EQ(parse_info(text, some_id())->info.digest, file.info.digest);
  file.info.digest = {"sha-256=:AAAA:", ""};
  EXPECT_EQ(parse_info(write_info(file), some_id())->info.digest, file.info.digest);
  // It goes into a header.
  EXPECT_FALSE(parse_info(R"({"Size":5,"Tusd":{"Digest":{"Repr":"a\r\nb"}}})", some_id()));
  EXPECT_FALSE(parse_info(R"({"Size":5,"Tusd":{"Digest":"x"}})", some_id()));
}

TEST(info_file, writes_what_go_reads) {
  InfoFile file;
  file.info.id = some_id();
  file.info.length = 5;
  file.info.metadata = {{"name", "a\"b\n\xFF"}};
  file.info.raw_metadata = "name YSJiCv8=";
  file.info.storage = {{"Type", "filestore"}, {"Path", "/d/x"}, {"InfoPath", "/d/x.info"}};
  EXPECT_EQ(
      write_info(file),
      R"({"ID":"24e533e02ec3bc40c387f1a0e460e216","Size":5,"SizeIsDeferred":false,"Offset":0,)"
      R"("MetaData":{"name":"a\"b\u000a)"
      "\xEF\xBF\xBD"
      R"("},"IsPartial":false,"IsFinal":false,"PartialUploads":null,)"
      R"("Storage":{"InfoPath":"/d/x.info","Path":"/d/x","Type":"filestore"},)"
      R"("Tusd":{"RawMetadata":"name YSJiCv8="}})");
}

// [FILE-03] the raw headers come back byte for byte, whatever they are.
TEST(info_file, keeps_raw_headers) {
  for (std::string raw : {"", "a", "a ", "a,b YQ==", "a YQ==,a Yg==", "a YQ== , b",
                          "\xE4\xFF\x80 eA==", "\xC3\xA4 eA==", "a !!!", "\"\\ eA=="}) {
    InfoFile file;
    file.info.id = some_id();
    file.info.raw_metadata = raw;
    file.info.metadata = {{"a", "a"}};
    file.info.raw_concat = raw;
    auto read = parse_info(write_info(file), some_id());
    ASSERT_TRUE(read) << raw << " " << read.error().detail();
    EXPECT_EQ(read->info.raw_metadata, raw);
    EXPECT_EQ(read->info.raw_concat, raw);
  }
}

TEST(info_file, says_only_what_cannot_be_derived) {
  InfoFile file;
  file.info.id = some_id();
  file.info.is_partial = true;
  file.info.raw_concat = "partial";
  file.info.metadata = {{"a", "x"}, {"b", ""}};
  file.info.raw_metadata = "a eA==,b";
  EXPECT_EQ(write_info(file).find("Tusd"), std::string::npos);
  auto read = parse_info(write_info(file), some_id());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->info.raw_metadata, "a eA==,b");
  EXPECT_EQ(read->info.raw_concat, "partial");
  EXPECT_EQ(read->info.length, std::nullopt);
}

TEST(info_file, brings_our_state_back) {
  InfoFile file;
  file.info.id = some_id();
  file.info.length = 1ull << 62;
  file.info.creation_id = "born \"today\"";
  file.info.is_final = true;
  file.info.partial_uploads = {"a", "b/c"};
  file.pending_start = 17;
  file.durable = DurableMark{12, "boot \"1\"", true};
  file.bucket = BucketRecord{"up", "mark", "claim", 1ull << 61, true, 5ull << 30, true};
  for (auto state : {FinishState::derived, FinishState::pending, FinishState::finished,
                     FinishState::abandoned}) {
    file.info.finish = state;
    auto read = parse_info(write_info(file), some_id());
    ASSERT_TRUE(read) << read.error().detail();
    EXPECT_EQ(read->info.finish, state);
    EXPECT_EQ(read->info.length, 1ull << 62);
    EXPECT_EQ(read->info.creation_id, file.info.creation_id);
    EXPECT_TRUE(read->info.is_final);
    EXPECT_EQ(read->info.partial_uploads, file.info.partial_uploads);
    EXPECT_EQ(read->pending_start, 17u);
    ASSERT_TRUE(read->durable);
    EXPECT_EQ(read->durable->offset, 12u);
    EXPECT_EQ(read->durable->boot_id, "boot \"1\"");
    EXPECT_TRUE(read->durable->strict);
    EXPECT_EQ(read->bucket, file.bucket);
  }
}

// [FILE-04] an empty or damaged file is an error, never an upload with other numbers.
TEST(info_file, refuses_what_is_damaged) {
  for (std::string_view text : {"",
                                " ",
                                "{",
                                "{}",
                                "[]",
                                "null",
                                "7",
                                "\"x\"",
                                R"({"ID":"x"})",
                                R"({"Size":-1})",
                                R"({"Size":1.5})",
                                R"({"Size":1e3})",
                                R"({"Size":"7"})",
                                R"({"Size":9223372036854775808})",
                                R"({"Size":99999999999999999999})",
                                R"({"Size":7}x)",
                                R"({"Size":7,"SizeIsDeferred":"no"})",
                                R"({"Size":7,"MetaData":{"a":1}})",
                                R"({"Size":7,"MetaData":[]})",
                                R"({"Size":7,"Storage":{"Path":5}})",
                                R"({"Size":7,"PartialUploads":{}})",
                                R"({"Size":7,"PartialUploads":[1]})",
                                R"({"Size":7,"Tusd":[]})",
                                R"({"Size":7,"Tusd":{"Finish":"soon"}})",
                                R"({"Size":7,"Tusd":{"Pending":{}}})",
                                R"({"Size":7,"Tusd":{"Pending":{"Start":-1}}})",
                                R"({"Size":7,"Tusd":{"Durable":5}})",
                                R"({"Size":7,"Tusd":{"RawMetadata":"a\r\nX: y"}})",
                                R"({"Size":7,"Tusd":{"RawMetadata":"\u20ac"}})",
                                R"({"Size":7,"Tusd":{"RawConcat":"\n"}})",
                                "\x7F"
                                "ELF",
                                "{\"Size\":7,\"a\":\"\x01\"}"}) {
    auto file = parse_info(text, some_id());
    ASSERT_FALSE(file) << text;
    EXPECT_TRUE(file.error() == ErrorCode::upload_damaged) << text;
  }
  std::string deep(100'000, '[');
  EXPECT_FALSE(parse_info(deep, some_id()));
}

TEST(info_file, refuses_every_shortened_file) {
  for (std::size_t length = 0; length < go_file.size(); ++length) {
    EXPECT_FALSE(parse_info(go_file.substr(0, length), some_id())) << length;
  }
}

TEST(info_file, survives_random_damage) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(go_file);
    for (int flips = 0; flips < 3; ++flips) {
      text[random() % text.size()] = static_cast<char>(random() % 256);
    }
    auto file = parse_info(text, some_id());
    if (file) (void)parse_info(write_info(*file), some_id());
  }
}

// [FILE-05] the offset is what counts of the data file.
TEST(info_file, counts_what_is_neither_pending_nor_unsafe) {
  InfoFile file;
  EXPECT_EQ(counted_size(file, 100, "a"), 100u);
  file.pending_start = 70;
  EXPECT_EQ(counted_size(file, 100, "a"), 70u);
  EXPECT_EQ(counted_size(file, 50, "a"), 50u);
  file.durable = DurableMark{30, "a", false};
  EXPECT_EQ(counted_size(file, 100, "a"), 70u);
  EXPECT_EQ(counted_size(file, 100, "b"), 30u);
  EXPECT_EQ(counted_size(file, 20, "b"), 20u);
  file.durable->strict = true;
  EXPECT_EQ(counted_size(file, 100, "a"), 30u);
  file.info.finish = FinishState::finished;
  file.pending_start.reset();
  EXPECT_EQ(counted_size(file, 100, "b"), 100u) << "nothing takes back what is finished";
}

// What comes out of a hand-made file must not end a header.
TEST(info_file, keeps_keys_out_of_headers_that_cannot_be_there) {
  EXPECT_EQ(raw_of_metadata({{"a\r\nb", "x"}, {"c d", "x"}, {"e,f", "x"}, {"", "x"}, {"g", "x"}}),
            "g eA==");
}

// [FILE-02]
TEST(info_file, leaves_out_what_would_make_it_unreadable) {
  const auto id = *UploadId::parse("a");
  const auto file = parse_info(R"({"ID":"a","Size":1,"X":{"y":[1,11e4007]},"Z":[1.5,null]})", id);
  ASSERT_TRUE(file);
  const auto again = parse_info(write_info(*file), id);
  ASSERT_TRUE(again);
  EXPECT_TRUE(write_info(*again).contains("\"Z\":["));
}

}  // namespace
}  // namespace tus::stores
