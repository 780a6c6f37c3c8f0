#include "protocol/forwarded.h"

#include "base/ascii.h"
#include "protocol/authority.h"
#include "protocol/header_values.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tus::protocol {

namespace {

struct Pair {
  std::string_view name;
  std::string value;
};

bool is_plain(char c) noexcept {
  return is_field_name({&c, 1}) || std::string_view(":[]").contains(c);
}

// RFC 7239 section 6: an address, "unknown" or a name that hides one, each with a port or a name for that.
bool is_node(std::string_view text) noexcept {
  const auto is_hidden = [](std::string_view name) {
    const auto fits = [](char c) {
      return base::is_alpha(c) || base::is_digit(c) || std::string_view("._-").contains(c);
    };
    return name.size() > 1 && name.starts_with('_') && std::ranges::all_of(name, fits);
  };
  const auto is_port = [&](std::string_view port) {
    const bool number = !port.empty() && port.size() <= 5;
    return is_hidden(port) || (number && std::ranges::all_of(port, base::is_digit));
  };
  auto end = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) end = std::min(text.find(']'), text.size() - 1) + 1;
  const auto name = text.substr(0, end);
  const auto rest = text.substr(end);
  if (!rest.empty() && !(rest.starts_with(':') && is_port(rest.substr(1)))) return false;
  if (name.starts_with('[')) return name.ends_with(']') && is_ipv6(name.substr(1, name.size() - 2));
  return is_ipv4(name) || is_hidden(name) || base::equals_ignoring_case(name, "unknown");
}

// Reads one element of the list off the front.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // Commas with nothing between them are no elements (RFC 9110 section 5.6.1).
  bool finds_element() {
    skip(" \t,");
    return !text_.empty();
  }

  // Its pairs, up to the comma or the end; nothing when it is malformed.
  std::optional<std::vector<Pair>> element() {
    std::vector<Pair> pairs;
    while (finds_pair()) {
      auto pair = next_pair();
      if (!pair) return std::nullopt;
      const auto is_same = [&](const Pair& p) {
        return base::equals_ignoring_case(p.name, pair->name);
      };
      if (std::ranges::any_of(pairs, is_same)) return std::nullopt;
      pairs.push_back(*std::move(pair));
    }
    if (pairs.empty()) return std::nullopt;
    return pairs;
  }

 private:
  void skip(std::string_view what) {
    text_.remove_prefix(std::min(text_.find_first_not_of(what), text_.size()));
  }

  // The grammar allows a pair to be empty.
  bool finds_pair() {
    skip(" \t;");
    return !text_.empty() && !text_.starts_with(',');
  }

  std::string_view take_while(bool (*fits)(char) noexcept) {
    const auto end = std::ranges::find_if_not(text_, fits);
    const auto taken = text_.substr(0, static_cast<std::size_t>(end - text_.begin()));
    text_.remove_prefix(taken.size());
    return taken;
  }

  std::optional<Pair> next_pair() {
    Pair pair;
    pair.name = take_while([](char c) noexcept { return is_field_name({&c, 1}); });
    if (pair.name.empty() || !text_.starts_with('=')) return std::nullopt;
    text_.remove_prefix(1);
    if (text_.starts_with('"')) {
      auto value = quoted();
      if (!value) return std::nullopt;
      pair.value = *std::move(value);
    } else {
      pair.value = take_while(is_plain);
      if (pair.value.empty()) return std::nullopt;
    }
    skip(" \t");
    const bool ends = text_.empty() || text_.starts_with(';') || text_.starts_with(',');
    if (!ends) return std::nullopt;
    return pair;
  }

  std::optional<std::string> quoted() {
    std::string value;
    for (std::size_t at = 1; at < text_.size(); ++at) {
      if (text_[at] == '"') {
        text_.remove_prefix(at + 1);
        return value;
      }
      if (text_[at] == '\\' && ++at == text_.size()) break;
      value += text_[at];
    }
    return std::nullopt;
  }

  std::string_view text_;
};

ForwardedHop hop_of(std::vector<Pair> pairs) {
  ForwardedHop hop;
  for (auto& [name, value] : pairs) {
    const auto is = [&](std::string_view known) { return base::equals_ignoring_case(name, known); };
    if (is("for") && is_node(value)) {
      hop.client = std::move(value);
    } else if (is("host") && parse_authority(value)) {
      hop.host = std::move(value);
    } else if (is("proto")) {
      hop.scheme = known_scheme(value);
    }
  }
  return hop;
}

std::optional<ForwardedHop> last_hop(const Fields& fields) {
  std::optional<ForwardedHop> last;
  for (const auto& field : fields) {
    if (!base::equals_ignoring_case(field.name, "Forwarded")) continue;
    Reader reader(field.value);
    while (reader.finds_element()) {
      auto pairs = reader.element();
      if (!pairs) return std::nullopt;
      last = hop_of(*std::move(pairs));
    }
  }
  return last;
}

std::string_view last_value(const Fields& fields, std::string_view name) {
  std::string_view last;
  for (const auto& field : fields) {
    if (!base::equals_ignoring_case(field.name, name)) continue;
    const std::string_view value = field.value;
    last = base::trim(value.substr(value.rfind(',') + 1));
  }
  return last;
}

}  // namespace

std::optional<std::string> named_client(const Fields& fields) {
  if (auto hop = last_hop(fields); hop && !hop->client.empty()) return std::move(hop->client);
  for (const std::string_view name : {"X-Forwarded-For", "X-Real-IP"}) {
    const auto value = last_value(fields, name);
    if (is_node(value) || is_ipv6(value)) return std::string(value);
  }
  return std::nullopt;
}

std::optional<ForwardedHop> first_hop(const Fields& fields) {
  for (const auto& field : fields) {
    if (!base::equals_ignoring_case(field.name, "Forwarded")) continue;
    Reader reader(field.value);
    if (!reader.finds_element()) continue;
    auto pairs = reader.element();
    if (!pairs) return std::nullopt;
    return hop_of(*std::move(pairs));
  }
  return std::nullopt;
}

std::string_view known_scheme(std::string_view text) noexcept {
  for (const std::string_view scheme : {"https", "http"}) {
    if (base::equals_ignoring_case(text, scheme)) return scheme;
  }
  return {};
}

}  // namespace tus::protocol
