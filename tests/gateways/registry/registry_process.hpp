#pragma once

#include "runtime/crypto.hpp"
#include "runtime/http_client.hpp"
#include "tests/support/child.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace slipway::test {

/// The registry as a program of its own, in a folder that outlives its restarts.
class registry_process {
public:
  using headers = std::vector<std::pair<std::string, std::string>>;

  registry_process() { start(); }

  void start(const std::map<std::string, std::string>& environment = {}) {
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path()
                         / "bin" / "registry_server";
    server_ = std::make_unique<background_child>(
      std::vector<std::string>{
        program.string(),
        "--data-dir",
        folder_.path() + "/data",
        "--deny",
        "secret"},
      environment);
    port_ = server_->read_line();
    REQUIRE(!port_.empty());
    client_ = std::make_unique<runtime::http_client>(runtime::http_client::options{});
  }
  /// SIGKILL, and a new process on the same folder.
  void kill_and_restart() {
    server_->stop(SIGKILL);
    start();
  }
  /// Restarts with the failpoint armed, pushes an image until that kills the server, and starts it again.
  void wait_after_kill_at(const std::string& failpoint) {
    server_->stop(SIGKILL);
    start({{"SLIPWAY_FAILPOINT", failpoint}});
    const std::string layer = "newer";
    const std::string config = "{\"c\":\"newer\"}";
    for (const auto& bytes : {layer, config}) {
      const auto at = std::string(send("POST", "/v2/app/blobs/uploads/").header("location"));
      send("PUT", at + "?digest=sha256:" + runtime::sha256_hex(bytes), bytes);
    }
    const auto part = [](const std::string& bytes, const char* type) {
      return nlohmann::json{
        {"mediaType", type},
        {"digest", "sha256:" + runtime::sha256_hex(bytes)},
        {"size", bytes.size()}};
    };
    const nlohmann::json manifest{
      {"schemaVersion", 2},
      {"mediaType", manifest_type},
      {"config", part(config, "application/vnd.oci.image.config.v1+json")},
      {"layers", {part(layer, "application/vnd.oci.image.layer.v1.tar")}}};
    put_manifest("/v2/app/manifests/v1", manifest.dump());
    CHECK(server_->wait().signal == SIGKILL);
    start();
  }

  runtime::http_reply raw(
    const std::string& method,
    const std::string& path,
    std::string body = {},
    headers fields = {}) {
    runtime::http_request r;
    r.method = method;
    r.url = "http://127.0.0.1:" + port_ + path;
    r.headers = std::move(fields);
    r.headers.emplace_back("Expect", "");
    r.body = std::move(body);
    auto reply = client_->send(r);
    last_error = reply ? "" : reply.error().detail;
    return reply.value_or(runtime::http_reply{});
  }

  /// With a token for everything in `app` and `other`.
  runtime::http_reply send(
    const std::string& method,
    const std::string& path,
    std::string body = {},
    headers fields = {}) {
    if (token_.empty()) {
      token_ = token("repository:app:* repository:other:pull,push,delete repository:deep/app:*");
    }
    fields.emplace_back("Authorization", "Bearer " + token_);
    return raw(method, path, std::move(body), std::move(fields));
  }

  std::string token(const std::string& scope) {
    std::string encoded;
    for (const char c : scope) {
      encoded += c == ' ' ? std::string("%20") : std::string(1, c);
    }
    const auto reply = raw("GET", "/auth/v1/token?service=registry_server&scope=" + encoded);
    REQUIRE(reply.status == 200);
    return nlohmann::json::parse(reply.body).at("token").get<std::string>();
  }

  std::string begin(const std::string& repository = "app") {
    const auto reply = send("POST", "/v2/" + repository + "/blobs/uploads/");
    REQUIRE(reply.status == 202);
    return std::string(reply.header("location"));
  }
  std::string push_blob(const std::string& bytes, const std::string& repository = "app") {
    const auto digest = "sha256:" + runtime::sha256_hex(bytes);
    REQUIRE(send("PUT", begin(repository) + "?digest=" + digest, bytes).status == 201);
    return digest;
  }
  /// A manifest of one config and one layer that are both pushed.
  std::string image(const std::string& content, const std::string& repository = "app") {
    const auto part = [&](const std::string& bytes, const char* type) {
      return nlohmann::json{
        {"mediaType", type},
        {"digest", push_blob(bytes, repository)},
        {"size", bytes.size()}};
    };
    return nlohmann::json{
      {"schemaVersion", 2},
      {"mediaType", manifest_type},
      {"config", part("{\"c\":\"" + content + "\"}", "application/vnd.oci.image.config.v1+json")},
      {"layers", {part(content, "application/vnd.oci.image.layer.v1.tar")}}}
      .dump();
  }
  runtime::http_reply put_manifest(
    const std::string& path,
    const std::string& bytes,
    const std::string& type = manifest_type) {
    return send("PUT", path, bytes, {{"Content-Type", type}});
  }
  const std::string& folder() const { return folder_.path(); }

  static inline const std::string manifest_type = "application/vnd.oci.image.manifest.v1+json";
  std::string last_error;

private:
  temp_folder folder_;
  std::unique_ptr<background_child> server_;
  std::string port_;
  std::unique_ptr<runtime::http_client> client_;
  std::string token_;
};

inline std::string error_code(const runtime::http_reply& r) {
  const auto body = nlohmann::json::parse(r.body, nullptr, false);
  return body.is_object() ? body.at("errors").at(0).at("code").get<std::string>() : "";
}

}  // namespace slipway::test
