#pragma once

#include "messages/error.hpp"
#include "runtime/http_client.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::cli {

/// A query of the resource model; empty parts are left out.
struct odata_query {
  std::string resource;  ///< with key if any: `release(8)`
  std::string filter;
  std::string select;
  std::string expand;
  std::string orderby;
  int top = 0;
};

/// Text as an OData literal, quotes doubled.
std::string odata_text(std::string_view text);
std::string percent_encode(std::string_view text);
/// `/v7/...` with everything encoded.
std::string path_of(const odata_query& q);

/// The documented HTTP API, authenticated. Blocking; one thread at a time.
class api {
public:
  /// A server whose certificate cannot be trusted is `unavailable`, with what to do in the text. `trusted`: PEM of further roots; "" = the system's only.
  api(std::string server, std::string token, std::string trusted = "");

  [[nodiscard]] const std::string& server() const { return server_; }
  [[nodiscard]] const std::string& token() const { return token_; }
  void set_token(std::string token) { token_ = std::move(token); }

  /// The rows under `d`. Tried again a few times when the server is busy or briefly gone.
  [[nodiscard]] messages::result<std::vector<nlohmann::json>> query(const odata_query& q);
  /// The only row; not_found with `what` in the text when there is none.
  [[nodiscard]] messages::result<nlohmann::json> first(
    const odata_query& q,
    const std::string& what);

  [[nodiscard]] messages::result<nlohmann::json> get(const std::string& path);
  /// The answer as it is.
  [[nodiscard]] messages::result<std::string> get_text(const std::string& path);
  /// An answer that goes on: `sink` gets each piece, false ends it. Returns when the server ends it. Errors as `get`.
  [[nodiscard]] messages::result<void> stream(
    const std::string& path,
    const std::function<bool(std::string_view)>& sink);
  [[nodiscard]] messages::result<nlohmann::json> post(
    const std::string& path,
    const nlohmann::json& body);
  /// The answer as text: tokens and the like.
  [[nodiscard]] messages::result<std::string> post_text(
    const std::string& path,
    const nlohmann::json& body);
  [[nodiscard]] messages::result<void> patch(const std::string& path, const nlohmann::json& body);
  [[nodiscard]] messages::result<void> remove(const std::string& path);
  /// A body of `length` bytes that `source` fills in as it is sent, see runtime::http_request. No time-out but for standing still.
  [[nodiscard]] messages::result<nlohmann::json> upload(
    const std::string& method,
    const std::string& path,
    const std::string& content_type,
    std::int64_t length,
    const std::function<std::ptrdiff_t(char*, std::size_t)>& source);
  /// POSTs a body of unknown length that `source` makes as it is sent, and gives the answer to `sink` as it comes; see
  /// runtime::http_request. No time-out but for an answer that stands still for `silence_max`.
  [[nodiscard]] messages::result<void> converse(
    const std::string& path,
    const std::vector<std::pair<std::string, std::string>>& headers,
    const std::function<std::ptrdiff_t(char*, std::size_t)>& source,
    const std::function<bool(std::string_view)>& sink,
    std::chrono::seconds silence_max);
  /// What is at a link that the server gave, asked for without the credential: the link may lead to another host. As `stream`.
  [[nodiscard]] messages::result<void> download(
    const std::string& link,
    const std::function<bool(std::string_view)>& sink);

  /// Digest of a manifest in a registry that is reached as the server is; for engines that do not tell what they pushed.
  [[nodiscard]] messages::result<std::string> manifest_digest(
    const std::string& registry,
    const std::string& repository,
    const std::string& registry_token);

  /// Makes a call of another thread end.
  void cancel() { client_.cancel(); }

private:
  [[nodiscard]] messages::result<std::string>
  send(const std::string& method, const std::string& path, const nlohmann::json* body);
  [[nodiscard]] messages::result<std::string> answer_to(const runtime::http_request& r);
  [[nodiscard]] messages::error explain(messages::error e) const;
  [[nodiscard]] runtime::http_request request(const std::string& method, const std::string& path)
    const;

  std::string server_;
  std::string token_;
  bool has_root_;
  runtime::http_client client_;
};

/// What a refusal says: `message`, `error`, `error.text`, a JSON string or the raw text; made printable.
messages::error error_of_reply(int status, std::string_view body);

/// A member that may be absent, null or of another type.
std::string text_of(const nlohmann::json& row, std::string_view member);
std::int64_t int_of(const nlohmann::json& row, std::string_view member);
bool bool_of(const nlohmann::json& row, std::string_view member);
/// First row of an expanded navigation, an empty object when there is none.
nlohmann::json expanded(const nlohmann::json& row, std::string_view member);
/// `{"__id": 5}`, `[{"id": 5}]` or 5 as 5; 0 when there is none.
std::int64_t reference_of(const nlohmann::json& row, std::string_view member);

}  // namespace slipway::cli
