#include "hooks/http/signature.h"

#include <gtest/gtest.h>

namespace tus::hooks {
namespace {

using std::chrono::system_clock;

std::string sign(std::string_view secret, long long seconds, std::string_view body) {
  return signature(secret, system_clock::time_point(std::chrono::seconds(seconds)), body);
}

// [HOOKHTTP-9] The expected digests are those of `printf '%s' '<t>.<body>' | openssl dgst -sha256 -hmac '<secret>'`.
TEST(Signature, CoversTimeAndBody) {
  EXPECT_EQ(sign("secret", 1792000000, R"({"Type":"post-finish"})"),
            "t=1792000000,v1=e94ca36830c3ea98fd1432f19da29de94413713fdec514b93803d42db2841f34");
  EXPECT_EQ(sign("key", 0, ""),
            "t=0,v1=85841b4efc3cd7776c3c8f9b7cca9e281c550e5d19889d78e9e669c6337f000d");
}

TEST(Signature, EveryPartCounts) {  // [HOOKHTTP-9]
  const auto one = sign("secret", 17, "body");
  EXPECT_NE(one.substr(one.find("v1=")), sign("secret", 18, "body").substr(one.find("v1=")));
  EXPECT_NE(one, sign("secret", 17, "bodY"));
  EXPECT_NE(one, sign("Secret", 17, "body"));
}

TEST(Signature, FractionsOfASecondAreCutOff) {  // [HOOKHTTP-9]
  const system_clock::time_point late(std::chrono::milliseconds(1999));
  EXPECT_EQ(signature("secret", late, "x"), sign("secret", 1, "x"));
}

}  // namespace
}  // namespace tus::hooks
