#include "runtime/join_token.hpp"

#include "runtime/crypto.hpp"

#include <algorithm>
#include <cctype>

namespace slipway::runtime {
namespace {

constexpr std::string_view prefix = "slipway-builder-";
constexpr std::size_t token_bytes_max = 1024;
constexpr std::size_t name_characters_max = 63;
/// Of the keys' text form, between whose characters this is none.
constexpr char separator = '\n';

}  // namespace

bool is_builder_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= name_characters_max && plain(name.front())
         && plain(name.back())
         && std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
}

std::string write_join_token(const join_token& t) {
  return std::string(prefix)
         + base64(t.name + separator + t.server_key + separator + t.keys.secret_key);
}

messages::result<join_token> read_join_token(std::string_view text) {
  const auto wrong = [] {
    return messages::fail(
      messages::errc::invalid_argument,
      "that is no join token: it begins with `slipway-builder-` and comes from `slipwayd admin "
      "builder add`");
  };
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  if (text.size() > token_bytes_max || !text.starts_with(prefix)) {
    return wrong();
  }
  const auto inner = base64_decode(text.substr(prefix.size()));
  const auto first = inner.find(separator);
  const auto second = first == std::string::npos ? first : inner.find(separator, first + 1);
  if (second == std::string::npos) {
    return wrong();
  }
  join_token t;
  t.name = inner.substr(0, first);
  t.server_key = inner.substr(first + 1, second - first - 1);
  t.keys.secret_key = inner.substr(second + 1);
  const auto own = curve_public_of(t.keys.secret_key);
  if (!own || !is_curve_key(t.server_key) || !is_builder_name(t.name)) {
    return wrong();
  }
  t.keys.public_key = *own;
  return t;
}

}  // namespace slipway::runtime
