#include "gateways/registry/manifest.hpp"

#include <nlohmann/json.hpp>

namespace slipway::gateways {
namespace {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view docker_list =
  "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
constexpr std::size_t media_type_bytes_max = 256;

tl::unexpected<messages::error> invalid(std::string why) {
  return fail(errc::manifest_invalid, std::move(why));
}

/// Counts brackets and commas outside strings before anything is built: megabytes of `[` must cost neither a parse nor its memory.
bool too_deep_or_many(std::string_view bytes) {
  int depth = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const bool begins_value = !in_string && (c == '{' || c == '[' || c == ',');
    if (begins_value && ++values > manifest_values_max) {
      return true;
    }
    if (in_string) {
      i += c == '\\' ? 1U : 0U;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > manifest_depth_max) {
        return true;
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

std::string text_member(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

result<descriptor> parse_descriptor(const json& j, const std::string& where) {
  if (!j.is_object()) {
    return invalid(where + " is not an object");
  }
  auto id = storage::parse_digest(text_member(j, "digest"));
  if (!id) {
    return invalid(where + ": " + id.error().detail);
  }
  const auto size = j.find("size");
  if (size == j.end() || !size->is_number_unsigned()) {
    return invalid(where + " has no size");
  }
  auto media_type = text_member(j, "mediaType");
  if (media_type.empty() || media_type.size() > media_type_bytes_max) {
    return invalid(where + " has no media type");
  }
  return descriptor{std::move(*id), size->get<std::uint64_t>(), std::move(media_type)};
}

/// Layers that clients fetch from elsewhere and do not push.
bool is_foreign(const json& layer) {
  const auto type = text_member(layer, "mediaType");
  const auto urls = layer.find("urls");
  return type.find(".foreign.") != std::string::npos
         || type.find(".nondistributable.") != std::string::npos
         || (urls != layer.end() && urls->is_array() && !urls->empty());
}

result<void> parse_image(const json& body, parsed_manifest& out) {
  const auto config = body.find("config");
  const auto layers = body.find("layers");
  if (config == body.end() || layers == body.end() || !layers->is_array()) {
    return invalid("an image manifest has a config and layers");
  }
  if (layers->size() > manifest_descriptors_max) {
    return invalid("too many layers");
  }
  auto parsed = parse_descriptor(*config, "config");
  if (!parsed) {
    return tl::unexpected(parsed.error());
  }
  out.blobs.push_back(std::move(*parsed));
  for (std::size_t i = 0; i < layers->size(); ++i) {
    parsed = parse_descriptor((*layers)[i], "layers[" + std::to_string(i) + "]");
    if (!parsed) {
      return tl::unexpected(parsed.error());
    }
    if (!is_foreign((*layers)[i])) {
      out.blobs.push_back(std::move(*parsed));
    }
  }
  return {};
}

result<void> parse_index(const json& body, parsed_manifest& out) {
  const auto members = body.find("manifests");
  if (members == body.end() || !members->is_array()) {
    return invalid("an index has manifests");
  }
  if (members->size() > manifest_descriptors_max) {
    return invalid("too many manifests");
  }
  for (std::size_t i = 0; i < members->size(); ++i) {
    auto parsed = parse_descriptor((*members)[i], "manifests[" + std::to_string(i) + "]");
    if (!parsed) {
      return tl::unexpected(parsed.error());
    }
    out.manifests.push_back(std::move(*parsed));
  }
  return {};
}

/// OCI image-spec: `subject`, `artifactType` and `annotations` of images and indexes.
result<void> parse_relations(const json& body, parsed_manifest& out) {
  if (const auto subject = body.find("subject"); subject != body.end()) {
    auto parsed = parse_descriptor(*subject, "subject");
    if (!parsed) {
      return tl::unexpected(parsed.error());
    }
    out.subject = std::move(parsed->id.text);
  }
  out.artifact_type = text_member(body, "artifactType");
  if (out.artifact_type.size() > media_type_bytes_max) {
    return invalid("artifactType is too long");
  }
  if (out.artifact_type.empty() && !out.index) {
    out.artifact_type = out.blobs.front().media_type;
  }
  const auto annotations = body.find("annotations");
  if (annotations == body.end() || annotations->is_null()) {
    return {};
  }
  if (!annotations->is_object()) {
    return invalid("annotations are not an object");
  }
  for (const auto& [name, text] : annotations->items()) {
    if (!text.is_string()) {
      return invalid("an annotation is not a text");
    }
  }
  if (!annotations->empty()) {
    out.annotations = annotations->dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return {};
}

result<std::string> type_of(const json& body, std::string_view content_type) {
  const auto inner = text_member(body, "mediaType");
  // Parameters such as a charset do not matter.
  auto outer = std::string(content_type.substr(0, content_type.find(';')));
  outer.erase(outer.find_last_not_of(" \t") + 1);
  if (outer.empty() || outer == "application/json") {
    outer = inner;
  }
  if (!inner.empty() && inner != outer) {
    return invalid("mediaType " + inner + " is sent as " + outer);
  }
  return outer;
}

}  // namespace

result<parsed_manifest> parse_manifest(std::string_view bytes, std::string_view content_type) {
  if (bytes.size() > manifest_bytes_max || too_deep_or_many(bytes)) {
    return invalid("too large, too deep or too many values");
  }
  const auto body = json::parse(bytes, nullptr, false);
  if (!body.is_object()) {
    return invalid("not a JSON object");
  }
  const auto version = body.find("schemaVersion");
  if (version == body.end() || !version->is_number_integer()) {
    return invalid("no schemaVersion");
  }
  if (*version != 2) {
    return *version == 1 ? result<parsed_manifest>(
             fail(errc::unsupported, "schema 1 manifests are not accepted"))
                         : invalid("unknown schemaVersion");
  }
  auto type = type_of(body, content_type);
  if (!type) {
    return tl::unexpected(type.error());
  }
  parsed_manifest out;
  out.media_type = std::move(*type);
  out.index = out.media_type == docker_list || out.media_type == oci_index;
  if (!out.index && out.media_type != docker_manifest && out.media_type != oci_manifest) {
    return invalid("unknown manifest type " + out.media_type.substr(0, media_type_bytes_max));
  }
  // One document that is both could mean different things to different clients (CVE-2021-41190).
  if (out.index ? body.contains("layers") || body.contains("config") : body.contains("manifests")) {
    return invalid("a manifest is an image or an index, not both");
  }
  auto parsed = out.index ? parse_index(body, out) : parse_image(body, out);
  parsed = parsed ? parse_relations(body, out) : parsed;
  return parsed ? result<parsed_manifest>(std::move(out)) : tl::unexpected(parsed.error());
}

storage::new_manifest
manifest_to_store(const parsed_manifest& m, const storage::digest& d, std::uint64_t size) {
  storage::new_manifest out;
  out.record.digest = d.text;
  out.record.media_type = m.media_type;
  out.record.size = size;
  out.record.subject = m.subject;
  out.artifact_type = m.artifact_type;
  out.annotations = m.annotations;
  for (const auto& blob : m.blobs) {
    out.references.push_back({blob.id, blob.size, false});
  }
  for (const auto& member : m.manifests) {
    out.references.push_back({member.id, member.size, true});
  }
  return out;
}

}  // namespace slipway::gateways
