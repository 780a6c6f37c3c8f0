#include "stores/s3/client/sigv4.h"

#include <gtest/gtest.h>

#include <string>

namespace tus::s3 {
namespace {

using namespace std::chrono;

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string signature_in(const std::string& authorization) {
  return authorization.substr(authorization.rfind('=') + 1);
}

// ---- AWS's suite of vectors for all services: https://github.com/awslabs/aws-c-auth, header-signed requests ----

struct Vector {
  std::string_view name;
  std::string_view method;
  std::string_view path;
  Query query;
  Headers headers;  // without Host and X-Amz-Date
  std::string_view signature;
};

std::string suite_signature(const Vector& vector) {
  auto headers = vector.headers;
  headers.emplace_back("x-amz-date", "20150830T123600Z");
  headers.emplace_back("host", "example.amazonaws.com");
  const auto path = encode_path(vector.path);
  const auto nothing = sha256_hex("");
  const ToSign request{.method = vector.method,
                       .path = path,
                       .query = vector.query,
                       .headers = headers,
                       .payload_hash = nothing};
  const Scope scope{
      .time = sys_days(2015y / 8 / 30) + 12h + 36min, .region = "us-east-1", .service = "service"};
  return signature_in(authorization(
      request, scope, {.id = "AKIDEXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}));
}

TEST(SigV4Test, SignsAsTheSuiteOfAws) {  // [S3CLIENT-1]
  const std::string unreserved =
      "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const std::vector<Vector> vectors = {
      {"get-vanilla",
       "GET",
       "/",
       {},
       {},
       "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
      {"post-vanilla",
       "POST",
       "/",
       {},
       {},
       "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
      {"get-vanilla-query-order-key-case",
       "GET",
       "/",
       {{"Param2", "value2"}, {"Param1", "value1"}},
       {},
       "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
      {"get-vanilla-query-order-encoded",
       "GET",
       "/",
       {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\xe1\x88\xb4", "Value1"}},
       {},
       "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
      {"get-vanilla-query-unreserved",
       "GET",
       "/",
       {{unreserved, unreserved}},
       {},
       "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
      {"get-vanilla-utf8-query",
       "GET",
       "/",
       {{"\xe1\x88\xb4", "bar"}},
       {},
       "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
      {"get-utf8",
       "GET",
       "/\xe1\x88\xb4",
       {},
       {},
       "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
      {"get-slash-dot-slash-unnormalized",
       "GET",
       "/./",
       {},
       {},
       "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
      {"get-header-key-duplicate",
       "GET",
       "/",
       {},
       {{"my-header1", "value2"}, {"my-header1", "value2"}, {"my-header1", "value1"}},
       "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
      {"get-header-value-trim",
       "GET",
       "/",
       {},
       {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}},
       "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
      {"get-vanilla-with-session-token",
       "GET",
       "/",
       {},
       {{"x-amz-security-token",
         "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
       "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
  };
  for (const auto& vector : vectors)
    EXPECT_EQ(suite_signature(vector), vector.signature) << vector.name;
}

// ---- the examples in the documentation of S3: "Authenticating Requests: Using the Authorization Header" ----

struct Example {
  std::string_view method;
  std::string_view path;
  Query query;
  Headers headers;  // without Host, X-Amz-Date and the hash
  std::string_view body;
};

std::string s3_authorization(const Example& example) {
  const auto hash = sha256_hex(example.body);
  auto headers = example.headers;
  headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
  headers.emplace_back("x-amz-date", "20130524T000000Z");
  headers.emplace_back("x-amz-content-sha256", hash);
  const auto path = encode_path(example.path);
  const ToSign request{.method = example.method,
                       .path = path,
                       .query = example.query,
                       .headers = headers,
                       .payload_hash = hash};
  const Scope scope{.time = sys_days(2013y / 5 / 24), .region = "us-east-1"};
  return authorization(
      request, scope,
      {.id = "AKIAIOSFODNN7EXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"});
}

TEST(SigV4Test, SignsAsTheDocumentationOfS3) {  // [S3CLIENT-1]
  EXPECT_EQ(s3_authorization({"GET", "/test.txt", {}, {{"range", "bytes=0-9"}}, ""}),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(signature_in(s3_authorization({"PUT",
                                           "/test$file.text",
                                           {},
                                           {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                            {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                                           "Welcome to Amazon S3."})),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(signature_in(s3_authorization({"GET", "/", {{"lifecycle", ""}}, {}, ""})),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  EXPECT_EQ(
      signature_in(s3_authorization({"GET", "/", {{"max-keys", "2"}, {"prefix", "J"}}, {}, ""})),
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4Test, AnUnsignedPayloadIsSaidSo) {  // [S3CLIENT-1]
  const ToSign request{.method = "PUT",
                       .path = "/b/k",
                       .query = {},
                       .headers = {{"host", "h"}},
                       .payload_hash = unsigned_payload};
  EXPECT_TRUE(canonical_request(request).ends_with("\nUNSIGNED-PAYLOAD"));
}

TEST(SigV4Test, HashesPieceByPiece) {
  const std::string text = "Welcome to Amazon S3.";
  Sha256 sha;
  for (const char& c : text) sha.update(std::as_bytes(std::span(&c, 1)));
  EXPECT_EQ(sha.finish(), sha256_hex(text));
  EXPECT_EQ(sha256_hex(text), "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
}

}  // namespace
}  // namespace tus::s3
