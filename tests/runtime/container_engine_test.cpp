#include "runtime/container_engine.hpp"

#include "runtime/crypto.hpp"
#include "runtime/registry_accesses.hpp"
#include "tests/support/raw_socket.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>

using namespace slipway;
using messages::errc;
using runtime::container_engine;
using test::raw_socket;

namespace {

std::string answer(int status, std::string_view body) {
  return "HTTP/1.1 " + std::to_string(status)
         + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// An engine that answers every call but /version with one text, and keeps what it was asked.
struct fake_engine {
  std::filesystem::path path =
    std::filesystem::temp_directory_path() / ("slipway-fake-" + runtime::random_hex(8));
  std::string reply;
  std::string version =
    R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"arm64"})";
  std::string asked;
  test::raw_server server{[this](raw_socket s) { serve(std::move(s)); }, path};

  ~fake_engine() { std::filesystem::remove(path); }
  void serve(raw_socket s) {
    for (;;) {
      const auto head = s.read_until("\r\n\r\n");
      if (!head.ends_with("\r\n\r\n")) {
        return;
      }
      if (head.starts_with("GET /version ")) {
        s.send(answer(200, version));
        continue;
      }
      asked = head;
      if (head.find("chunked") != std::string::npos) {
        (void)s.read_until("0\r\n\r\n");
      }
      if (!s.send(reply)) {
        return;
      }
      if (reply.find("Content-Length") == std::string::npos) {
        return;
      }
    }
  }
  container_engine client() { return container_engine("unix://" + path.string()); }
};

template <class T>
errc code(const messages::result<T>& r) {
  REQUIRE(!r.has_value());
  return r.error().code;
}

}  // namespace

TEST_CASE("an error inside a stream that began well is an error of the call") {
  fake_engine f;
  auto e = f.client();
  f.reply = answer(
    200,
    "{\"status\":\"Pulling\",\"id\":\"abc\",\"progressDetail\":{\"current\":5,\"total\":10}}\r\n"
    "{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n");
  std::vector<runtime::transfer_progress> steps;
  auto r = e.pull("reg/app:1", {}, [&](const auto& p) {
    steps.push_back(p);
    return true;
  });
  CHECK(code(r) == errc::not_found);
  CHECK(r.error().detail == "pull reg/app:1: manifest unknown");
  REQUIRE(steps.size() == 1);
  CHECK((steps[0].id == "abc" && steps[0].current_bytes == 5 && steps[0].total_bytes == 10));

  f.reply = answer(200, "{\"error\":\"write /x: no space left on device\"}");  // no line end
  CHECK(code(e.pull("reg/app:1", {}, {})) == errc::disk_full);
  f.reply = answer(200, "{\"error\":\"unauthorized: authentication required\"}\n");
  CHECK(code(e.push("reg/app:1", {}, {})) == errc::unauthorized);
}

TEST_CASE("what a registry refuses for good is told from what may go better the next time") {
  fake_engine f;
  auto e = f.client();
  const auto said = [&](std::string_view text) {
    f.reply = answer(200, nlohmann::json{{"error", text}}.dump() + "\n");
    INFO(text);
    return code(e.push("registry/app:1", {}, {}));
  };
  // As dockerd 20.10 and podman 4.3 say it.
  for (const auto* text :
       {"Get \"https://nowhere.example/v2/\": dial tcp: lookup nowhere.example on 192.0.2.1:53: no "
        "such host",
        "Get \"https://127.0.0.1:5000/v2/\": http: server gave HTTP response to HTTPS client",
        "pinging container registry r: Get \"https://r/v2/\": x509: certificate signed by unknown "
        "authority",
        "manifest invalid: manifest invalid",
        "uploading manifest latest to r/app: name invalid: invalid repository name",
        "unsupported: schema 1 is not taken",
        "error parsing HTTP 404 response body: invalid character '<' looking for beginning of "
        "value",
        "checking whether a blob exists in r/app: StatusCode: 400, <html>"}) {
    CHECK(said(text) == errc::invalid_argument);
  }
  for (const auto* text :
       {"denied: requested access to the resource is denied",
        "unauthorized: authentication required",
        "no basic auth credentials"}) {
    CHECK(said(text) == errc::unauthorized);
  }
  CHECK(said("name unknown: repository name not known to registry") == errc::not_found);
  CHECK(said("toomanyrequests: slow down") == errc::too_many_requests);
  CHECK(said("error parsing HTTP 429 response body: x") == errc::too_many_requests);
  for (const auto* text :
       {"received unexpected HTTP status: 503 Service Unavailable",
        "error parsing HTTP 408 response body: unexpected end of JSON input",
        "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
        "dial tcp: lookup r on 192.0.2.1:53: server misbehaving",
        "net/http: TLS handshake timeout",
        "blob upload unknown: blob upload unknown to registry",
        "unknown: unknown error"}) {
    CHECK(said(text) == errc::io_failed);
  }
}

TEST_CASE("statuses become codes and keep the engine's text") {
  fake_engine f;
  auto e = f.client();
  const auto status = [&](int s) {
    f.reply = answer(s, R"({"message":"as the engine says"})");
    const auto r = e.start_container("x");
    REQUIRE(!r);
    CHECK(r.error().detail == "as the engine says");
    return r.error().code;
  };
  CHECK(status(400) == errc::invalid_argument);
  CHECK(status(404) == errc::not_found);
  CHECK(status(409) == errc::conflict);
  CHECK(status(500) == errc::io_failed);
  f.reply = answer(304, "");
  CHECK(e.start_container("x"));
  f.reply = answer(500, "not json");
  CHECK(code(e.pull("a", {}, {})) == errc::io_failed);
}

TEST_CASE("answers that are not the API's are corrupt, never a crash") {
  fake_engine f;
  auto e = f.client();
  for (const auto* body :
       {"",
        "x",
        "[1]",
        "[null]",
        "{\"a\":1}",
        "[{\"Id\":5}]",
        "[{\"Names\":{}}]",
        "\"text\"",
        "{\"Names\":[]}",
        "[{\"Labels\":[1]}]"}) {
    f.reply = answer(200, body);
    INFO(body);
    const auto r = e.containers();
    CHECK((!r || r->empty()));
    CHECK(code(e.create_container("n", nlohmann::json::object())) == errc::corrupt);
  }
  for (const auto* body :
       {"x\n",
        "[]\n",
        "{\"status\":5}\n",
        "{\"progressDetail\":7}\n",
        "{\"aux\":[]}\n",
        "{\"status\":\"cut"}) {
    f.reply = answer(200, body);
    INFO(body);
    CHECK(!e.pull("a", {}, [](const auto&) { return true; }));
  }
  f.reply = answer(200, std::string(5U << 20U, 'x'));
  CHECK(code(e.pull("a", {}, {})) == errc::too_large);
  f.reply = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"st";
  CHECK(code(e.pull("a", {}, {})) == errc::unavailable);  // it went away
}

TEST_CASE("credentials, references and versions go out as the engine wants them") {
  fake_engine f;
  auto e = f.client();
  f.reply = answer(200, "{}\n");
  (void)e.pull(
    "127.0.0.1:5000/a/b@sha256:0123",
    {.username = "u>>>???", .password = "p", .server_address = "h"},
    {});
  // The inspection of what was pulled came last; the pull itself is checked through push.
  CHECK(f.asked.starts_with("GET /v1.41/images/127.0.0.1:5000/a/b@sha256:0123/json "));
  (void)e.push(
    "127.0.0.1:5000/a/b:v1",
    {.username = "u>>>???", .password = "p", .server_address = "h"},
    {});
  CHECK(f.asked.starts_with("POST /v1.41/images/127.0.0.1:5000/a/b/push?tag=v1 "));
  const auto at = f.asked.find("X-Registry-Auth: ") + 17;
  auto auth = f.asked.substr(at, f.asked.find("\r\n", at) - at);
  CHECK(auth.find_first_of("+/") == std::string::npos);
  std::replace(auth.begin(), auth.end(), '-', '+');
  std::replace(auth.begin(), auth.end(), '_', '/');
  CHECK(
    nlohmann::json::parse(runtime::base64_decode(auth))
    == nlohmann::json{{"username", "u>>>???"}, {"password", "p"}, {"serveraddress", "h"}});
  // A build's secrets and volumes are lists.
  (void)e.build(
    {.volumes = {"/a:/run/secrets:ro"}, .secrets = {"id=s,src=.s"}},
    [](char*, std::size_t) { return std::ptrdiff_t{0}; },
    {});
  CHECK(f.asked.find("&volumes=%5B%22%2Fa%3A%2Frun%2Fsecrets%3Aro%22%5D&") != std::string::npos);
  CHECK(f.asked.find("&secrets=%5B%22id%3Ds%2Csrc%3D.s%22%5D ") != std::string::npos);
  (void)e.remove_container("a b/../c?x#y");
  CHECK(f.asked.starts_with("DELETE /v1.41/containers/a%20b%2F..%2Fc%3Fx%23y?force=false"));
}

TEST_CASE("podman is given a token as a password, and tells a digest in words") {
  fake_engine f;
  f.version =
    R"({"Components":[{"Name":"Podman Engine","Version":"4.3.1"}],"ApiVersion":"1.41","MinAPIVersion":"1.24"})";
  auto e = f.client();
  CHECK((e.version()->podman && !e.version()->balena));
  const auto digest = "sha256:" + std::string(64, 'a');
  f.reply = answer(200, "{\"status\":\"latest: digest: " + digest + " size: 582\"}\n");
  CHECK(e.push("registry/app:1", {.registry_token = "t", .plain_http = true}, {}) == digest);
  CHECK(f.asked.starts_with("POST /v1.41/images/registry/app/push?tag=1&tlsVerify=false "));
  CHECK(
    f.asked.find(runtime::base64(R"({"password":"t","username":"token"})")) != std::string::npos);
  f.version = R"({"Engine":"balena-engine","ApiVersion":"1.41","MinAPIVersion":"1.12"})";
  CHECK((e.version()->balena && !e.version()->podman));
}

TEST_CASE("the credentials of a project are given to the registry that an image names") {
  const auto all = runtime::accesses_of(
    {{"reg.example:5000", "ann", "p"}, {"localhost", "bob", "p"}, {"docker.io", "carl", "p"}});
  const auto who = [&](std::string_view image) { return runtime::access_for(all, image).username; };
  CHECK(who("reg.example:5000/a/b:1") == "ann");
  CHECK(who("localhost/a") == "bob");
  for (const auto* image : {"debian:12", "ann/debian", "docker.io/ann/debian@sha256:0123"}) {
    CHECK(who(image) == "carl");
  }
  CHECK(runtime::access_for(all, "debian").server_address == "https://index.docker.io/v1/");
  CHECK(who("reg.example/a").empty());
  CHECK(runtime::access_for({}, "debian").server_address.empty());
}

TEST_CASE("a name that is a path of its own reaches no other resource") {
  fake_engine f;
  auto e = f.client();
  f.reply = answer(301, "");
  CHECK(code(e.remove_container("..")) == errc::invalid_argument);
  CHECK(f.asked.starts_with("DELETE /v1.41/containers/..?"));
  CHECK(code(e.remove_image("a/../../containers/b")) == errc::invalid_argument);
  CHECK(f.asked.starts_with("DELETE /v1.41/images/?"));
}

TEST_CASE("an older engine is spoken to in its own version, a newer one in its oldest") {
  fake_engine f;
  f.reply = answer(200, "[]");
  f.version = R"({"ApiVersion":"1.40","MinAPIVersion":"1.12"})";
  CHECK(f.client().containers());
  CHECK(f.asked.starts_with("GET /v1.40/"));
  f.version = R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})";
  CHECK(f.client().containers());
  CHECK(f.asked.starts_with("GET /v1.44/"));
  f.version = "[]";
  CHECK(code(f.client().containers()) == errc::corrupt);
}
