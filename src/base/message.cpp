#include "base/ascii.h"

#include <tus/message.h>

#include <algorithm>

TUS_NAMESPACE_BEGIN

namespace {

auto is_named(std::string_view name) noexcept {
  return [name](const Field& field) { return base::equals_ignoring_case(field.name, name); };
}

}  // namespace

void Fields::set(std::string_view name, std::string value) {
  const auto first = std::ranges::find_if(list_, is_named(name));
  if (first == list_.end()) {
    list_.push_back({std::string(name), std::move(value)});
    return;
  }
  first->value = std::move(value);
  list_.erase(std::remove_if(first + 1, list_.end(), is_named(name)), list_.end());
}

void Fields::remove(std::string_view name) { std::erase_if(list_, is_named(name)); }

const std::string* Fields::find(std::string_view name) const noexcept {
  const auto first = std::ranges::find_if(list_, is_named(name));
  return first == list_.end() ? nullptr : &first->value;
}

std::size_t Fields::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(list_, is_named(name)));
}

TUS_NAMESPACE_END
