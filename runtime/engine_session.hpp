#pragma once

#include "runtime/container_engine.hpp"
#include "runtime/http_client.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <utility>
#include <vector>

/// Insides of the container engine client; nothing outside runtime/ includes this.
namespace slipway::runtime {

/// Query parameters, encoded when sent.
using engine_query = std::vector<std::pair<std::string, std::string>>;
/// One object of a stream of JSON lines. False gives up.
using object_sink = std::function<bool(const nlohmann::json&)>;

struct engine_call {
  std::string method = "GET";
  std::string path = {};  ///< after the version, its variable parts encoded
  engine_query query = {};
  const nlohmann::json* body = nullptr;
  std::chrono::milliseconds timeout{120'000};  ///< slow flash and a busy engine are normal
  /// For bodies that are not JSON.
  const tar_source* source = nullptr;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

struct container_engine::impl {
  http_client http;
  std::optional<engine_version> known;

  explicit impl(const std::string& endpoint);

  /// The engine's version, asked once.
  result<engine_version> negotiate();
  /// An answer with a status below 400.
  result<http_reply> call(const engine_call& c);
  result<void> call_void(const engine_call& c);
  result<nlohmann::json> call_json(const engine_call& c);
  /// A stream of JSON lines; its own errors are this call's.
  result<void> call_stream(engine_call c, const object_sink& sink);
  result<http_request> make_request(const engine_call& c);
  /// Whether the kernel ended something in this container, which may be gone, for want of memory. False also when the engine does not say.
  bool ran_out_of_memory(const std::string& container);
};

/// What the engine says in a failed answer.
messages::error engine_error(int status, std::string_view body);
/// The code for an error text that came without a status of its own.
messages::errc classify(std::string_view text);
/// An image reference as a part of a path; "" for what cannot be one.
std::string engine_reference(std::string_view reference);
/// `label=a` filters as the API wants them; nothing for no labels.
void add_label_filter(engine_query& query, const std::vector<std::string>& labels);
/// Runs a conversion of engine JSON; what does not have the API's shape becomes errc::corrupt.
template <class Function>
auto convert(Function f) -> messages::result<decltype(f())> {
  try {
    return f();
  } catch (const nlohmann::json::exception& e) {
    return messages::fail(messages::errc::corrupt, std::string("the engine's answer: ") + e.what());
  }
}
/// A member that may be missing or null.
template <class T>
T member(const nlohmann::json& object, const char* name, T otherwise = {}) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? otherwise : it->template get<T>();
}

}  // namespace slipway::runtime
