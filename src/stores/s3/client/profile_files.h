// ~/.aws/credentials and ~/.aws/config. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tus::s3 {

// The keys of one profile.
using Profile = std::map<std::string, std::string, std::less<>>;
using Profiles = std::map<std::string, Profile, std::less<>>;

// `[name]`, and in the file config `[profile name]`. What is nested below a key is left out, as is a line that
// nobody understands.
Profiles parse_profiles(std::string_view text);

// What both files say of one; the file credentials comes first. Empty: neither has it.
Profile merge_profile(const Profiles& credentials, const Profiles& config, std::string_view name);

}  // namespace tus::s3
