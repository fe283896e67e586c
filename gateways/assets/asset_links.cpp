#include "gateways/assets/asset_links.hpp"

#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

constexpr std::int64_t link_seconds = 3600;
constexpr std::size_t filename_bytes_max = 255;
constexpr std::string_view any_type = "application/octet-stream";

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

std::string value_of(std::string_view query, std::string_view name) {
  const auto pairs = runtime::parse_query(query);
  return pairs ? std::string(runtime::query_value(*pairs, name).value_or("")) : "";
}

bool is_token(char c) {
  const bool alphanumeric =
    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return alphanumeric || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace

messages::json_text asset_json(const stored_asset& a) {
  return {messages::dump_json(json{
    {"filename", a.filename},
    {"content_type", a.content_type},
    {"size", a.size},
    {"digest", a.digest}})};
}

std::optional<stored_asset> parse_stored_asset(const messages::value& v) {
  const auto text = messages::as_text(v);
  const auto j = text.empty() ? tl::unexpected(messages::error{}) : messages::parse_json(text);
  if (!j || !j->is_object()) {
    return std::nullopt;
  }
  stored_asset a;
  a.filename = text_of(*j, "filename");
  a.content_type = text_of(*j, "content_type");
  a.digest = text_of(*j, "digest");
  const auto size = j->find("size");
  a.size = size != j->end() && size->is_number_unsigned() ? size->get<std::uint64_t>() : 0;
  return a.digest.empty() ? std::nullopt : std::optional(std::move(a));
}

std::string safe_filename(std::string_view name) {
  name = name.substr(std::min(name.size(), name.find_last_of("/\\") + 1));
  std::string out(name.substr(0, filename_bytes_max));
  std::erase_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '"'; });
  // Not in the middle of a UTF-8 sequence.
  while (out.size() + 4 > filename_bytes_max && !out.empty()
         && static_cast<unsigned char>(out.back()) >= 0x80) {
    out.pop_back();
  }
  return out.empty() || out == "." || out == ".." ? "asset" : out;
}

std::string safe_content_type(std::string_view type) {
  const auto slash = type.find('/');
  const auto end = std::min(type.size(), type.find(';'));
  const auto parameters = type.substr(end);
  const auto plain = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token);
  };
  const auto printable = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
  const bool good = slash < end && plain(type.substr(0, slash))
                    && plain(runtime::trim_space(type.substr(slash + 1, end - slash - 1)))
                    && std::all_of(parameters.begin(), parameters.end(), printable)
                    && type.size() <= 255;
  return std::string(good ? type : any_type);
}

asset_links::asset_links(std::string api_url, std::string key, std::function<std::int64_t()> now_ms)
  : api_url_(std::move(api_url)), key_(std::move(key)), now_ms_(std::move(now_ms)) {}

std::string asset_links::sign(std::int64_t asset, std::string_view digest, std::string_view expires)
  const {
  // No part holds a line's end, so no two different ones give the same text.
  return runtime::hmac_sha256_hex(
    key_,
    "release asset\n" + std::to_string(asset) + "\n" + std::string(digest) + "\n"
      + std::string(expires));
}

std::string asset_links::download(std::int64_t asset, const stored_asset& a) const {
  const auto expires = std::to_string((now_ms_() / 1000 / link_seconds + 2) * link_seconds);
  return api_url_ + "/release-asset/" + std::to_string(asset) + "/"
         + runtime::percent_encode(a.filename) + "?expires=" + expires
         + "&signature=" + sign(asset, a.digest, expires);
}

result<void> asset_links::check_download(
  std::int64_t asset,
  const stored_asset& a,
  std::string_view query) const {
  const auto expires = value_of(query, "expires");
  std::int64_t at = 0;
  const auto [end, failed] = std::from_chars(expires.data(), expires.data() + expires.size(), at);
  const bool whole = failed == std::errc{} && end == expires.data() + expires.size();
  if (
    !whole
    || !runtime::equal_secret(value_of(query, "signature"), sign(asset, a.digest, expires))) {
    return fail(errc::not_found, "no such asset");  // nor which ones there are is told
  }
  return at * 1000 > now_ms_() ? result<void>{} : fail(errc::forbidden, "this link has ended");
}

std::string asset_links::part(std::string_view upload, std::int64_t number) const {
  const auto name = std::string(upload) + "/" + std::to_string(number);
  return api_url_ + "/release-asset-upload/" + name
         + "?signature=" + runtime::hmac_sha256_hex(key_, "upload part\n" + name);
}

bool asset_links::is_part(std::string_view upload, std::int64_t number, std::string_view query)
  const {
  const auto name = std::string(upload) + "/" + std::to_string(number);
  return runtime::equal_secret(
    value_of(query, "signature"),
    runtime::hmac_sha256_hex(key_, "upload part\n" + name));
}

messages::value asset_links::shown(std::int64_t asset, const messages::value& stored) const {
  const auto a = parse_stored_asset(stored);
  if (!a) {
    return messages::null{};
  }
  return messages::json_text{messages::dump_json(json{
    {"filename", a->filename},
    {"href", download(asset, *a)},
    {"content_type", a->content_type},
    {"size", a->size}})};
}

}  // namespace slipway::gateways
