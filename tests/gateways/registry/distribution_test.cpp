#include "tests/gateways/registry/registry_process.hpp"

using namespace slipway;
using nlohmann::json;
using slipway::test::error_code;
using slipway::test::registry_process;

namespace {

std::string digest_of(const std::string& bytes) {
  return "sha256:" + runtime::sha256_hex(bytes);
}

}  // namespace

TEST_CASE("a blob is pushed in one request, in two and in chunks") {
  registry_process s;
  const auto one = digest_of("one");
  auto r = s.send("POST", "/v2/app/blobs/uploads/?digest=" + one, "one");
  CHECK(r.status == 201);
  CHECK(r.header("docker-content-digest") == one);
  CHECK(r.header("location") == "/v2/app/blobs/" + one);
  CHECK(s.send("GET", "/v2/app/blobs/" + one).body == "one");

  s.push_blob("two");

  const auto where = s.begin();
  r = s.send("PATCH", where, "first ", {{"Content-Range", "0-5"}});
  CHECK(r.status == 202);
  CHECK(r.header("range") == "0-5");
  r = s.send("GET", where);
  CHECK(r.status == 204);
  CHECK(r.header("range") == "0-5");
  r = s.send("PATCH", where, "second ", {{"Content-Range", "6-12"}});
  CHECK(r.header("range") == "0-12");
  r = s.send(
    "PUT",
    where + "?digest=" + digest_of("first second third"),
    "third",
    {{"Content-Range", "13-17"}});
  CHECK(r.status == 201);
  CHECK(s.send("GET", where).status == 404);
  CHECK(
    s.send("GET", "/v2/app/blobs/" + digest_of("first second third")).body == "first second third");
}

TEST_CASE("chunks out of order are refused with the upload's state, and it goes on") {
  registry_process s;
  const auto where = s.begin();
  CHECK(s.send("PATCH", where, "0123456789", {{"Content-Range", "0-9"}}).status == 202);
  for (const auto* range : {"0-4", "11-15", "9-13", "x", "9-1", "10-13"}) {
    const auto r = s.send("PATCH", where, "abcde", {{"Content-Range", range}});
    INFO(range);
    CHECK(r.status == 416);
    CHECK(r.header("range") == "0-9");
    CHECK(r.header("location") == where);
  }
  CHECK(s.send("PUT", where + "?digest=" + digest_of("0123456789")).status == 201);
}

TEST_CASE("a blob with a wrong or malformed digest never exists") {
  registry_process s;
  const auto where = s.begin();
  auto r = s.send("PUT", where + "?digest=" + digest_of("other"), "bytes");
  CHECK(r.status == 400);
  CHECK(error_code(r) == "DIGEST_INVALID");
  for (const auto* digest : {"sha256:xyz", "md5:abc", "", "sha256:../../../etc/passwd"}) {
    CHECK(s.send("PUT", where + "?digest=" + digest).status == 400);
  }
  CHECK(s.send("PUT", where).status == 400);
  CHECK(s.send("HEAD", "/v2/app/blobs/" + digest_of("other")).status == 404);
  CHECK(s.send("PUT", where + "?digest=" + digest_of("bytes")).status == 201);
}

TEST_CASE("a cancelled upload is unknown, and uploads belong to their repository") {
  registry_process s;
  const auto where = s.begin();
  const auto id = where.substr(where.rfind('/'));
  CHECK(s.send("PATCH", "/v2/other/blobs/uploads" + id, "x").status == 404);
  CHECK(s.send("DELETE", where).status == 204);
  const auto r = s.send("PATCH", where, "x");
  CHECK(r.status == 404);
  CHECK(error_code(r) == "BLOB_UPLOAD_UNKNOWN");
}

TEST_CASE("parts of a blob are served by range, and only ranges that exist") {
  registry_process s;
  const auto path = "/v2/app/blobs/" + s.push_blob("0123456789");
  const auto range = [&](const char* text) { return s.send("GET", path, "", {{"Range", text}}); };
  auto r = range("bytes=2-4");
  CHECK(r.status == 206);
  CHECK(r.body == "234");
  CHECK(r.header("content-range") == "bytes 2-4/10");
  CHECK(range("bytes=7-").body == "789");
  CHECK(range("bytes=-3").body == "789");
  CHECK(range("bytes=5-100").body == "56789");
  r = range("bytes=10-12");
  CHECK(r.status == 416);
  CHECK(r.header("content-range") == "bytes */10");
  CHECK(range("bytes=4-2").status == 200);
  CHECK(range("lines=1-2").body.size() == 10);
  const auto head = s.send("HEAD", path);
  CHECK(head.header("content-length") == "10");
  CHECK(
    s.send("GET", path, "", {{"If-None-Match", std::string(head.header("etag"))}}).status == 304);
}

TEST_CASE("a blob is mounted from a repository that the token may pull, else an upload begins") {
  registry_process s;
  const auto digest = s.push_blob("shared");
  CHECK(s.send("HEAD", "/v2/other/blobs/" + digest).status == 404);
  CHECK(s.send("POST", "/v2/other/blobs/uploads/?mount=" + digest + "&from=app").status == 201);
  CHECK(s.send("GET", "/v2/other/blobs/" + digest).body == "shared");
  CHECK(
    s.send("POST", "/v2/other/blobs/uploads/?mount=" + digest_of("no") + "&from=app").status
    == 202);
  const auto other_only = s.token("repository:deep/app:pull,push");
  const auto r = s.raw(
    "POST",
    "/v2/deep/app/blobs/uploads/?mount=" + digest + "&from=app",
    "",
    {{"Authorization", "Bearer " + other_only}});
  CHECK(r.status == 202);
}

TEST_CASE("manifests are pushed and pulled by tag and digest, byte for byte") {
  registry_process s;
  const auto bytes = s.image("layer");
  auto r = s.put_manifest("/v2/app/manifests/v1", bytes);
  REQUIRE(r.status == 201);
  const auto digest = digest_of(bytes);
  CHECK(r.header("docker-content-digest") == digest);
  for (const auto& reference : {std::string("v1"), digest}) {
    r = s.send("GET", "/v2/app/manifests/" + reference);
    CHECK(r.status == 200);
    CHECK(r.body == bytes);
    CHECK(r.header("content-type") == registry_process::manifest_type);
    CHECK(r.header("docker-content-digest") == digest);
    r = s.send("HEAD", "/v2/app/manifests/" + reference);
    CHECK(r.header("content-length") == std::to_string(bytes.size()));
  }
  CHECK(s.put_manifest("/v2/app/manifests/" + digest, bytes).status == 201);
  CHECK(
    error_code(s.put_manifest("/v2/app/manifests/" + digest_of("x"), bytes)) == "DIGEST_INVALID");
  r = s.send("GET", "/v2/app/manifests/none");
  CHECK(r.status == 404);
  CHECK(error_code(r) == "MANIFEST_UNKNOWN");
}

TEST_CASE("an index needs its manifests, a manifest its blobs, both with the right size") {
  registry_process s;
  const auto bytes = s.image("layer");
  const std::string type = "application/vnd.oci.image.index.v1+json";
  const auto index = [&](std::size_t size) {
    return json{
      {"schemaVersion", 2},
      {"mediaType", type},
      {"manifests",
       {{{"mediaType", registry_process::manifest_type},
         {"digest", digest_of(bytes)},
         {"size", size}}}}}
      .dump();
  };
  auto r = s.put_manifest("/v2/app/manifests/all", index(bytes.size()), type);
  CHECK(r.status == 400);
  CHECK(error_code(r) == "MANIFEST_BLOB_UNKNOWN");
  REQUIRE(s.put_manifest("/v2/app/manifests/" + digest_of(bytes), bytes).status == 201);
  CHECK(s.put_manifest("/v2/app/manifests/all", index(bytes.size()), type).status == 201);
  CHECK(error_code(s.put_manifest("/v2/app/manifests/all", index(1), type)) == "MANIFEST_INVALID");
  CHECK(error_code(s.put_manifest("/v2/other/manifests/v1", bytes)) == "MANIFEST_BLOB_UNKNOWN");
  auto wrong = json::parse(bytes);
  wrong["layers"][0]["size"] = 77;
  CHECK(error_code(s.put_manifest("/v2/app/manifests/v1", wrong.dump())) == "MANIFEST_INVALID");
}

TEST_CASE("giant and malformed manifests are refused and nothing is tagged") {
  registry_process s;
  auto r = s.put_manifest("/v2/app/manifests/big", std::string(5'000'000, '['));
  CHECK(r.status == 413);
  CHECK(
    error_code(s.put_manifest("/v2/app/manifests/bad", std::string(3'000'000, '[')))
    == "MANIFEST_INVALID");
  CHECK(error_code(s.put_manifest("/v2/app/manifests/bad", "not json")) == "MANIFEST_INVALID");
  CHECK(
    error_code(s.put_manifest("/v2/app/manifests/bad", s.image("x"), "text/plain"))
    == "MANIFEST_INVALID");
  CHECK(s.put_manifest("/v2/app/manifests/.bad", s.image("x")).status == 400);
  CHECK(json::parse(s.send("GET", "/v2/app/tags/list").body)["tags"] == json::array());
}

TEST_CASE("tags are listed in pages and go with their manifest") {
  registry_process s;
  const auto bytes = s.image("layer");
  for (const auto* tag : {"c", "a", "b"}) {
    REQUIRE(s.put_manifest(std::string("/v2/app/manifests/") + tag, bytes).status == 201);
  }
  auto r = s.send("GET", "/v2/app/tags/list?n=2");
  CHECK(json::parse(r.body) == json({{"name", "app"}, {"tags", {"a", "b"}}}));
  CHECK(r.header("link") == "</v2/app/tags/list?n=2&last=b>; rel=\"next\"");
  r = s.send("GET", "/v2/app/tags/list?n=2&last=b");
  CHECK(json::parse(r.body)["tags"] == json({"c"}));
  CHECK(r.header("link").empty());
  CHECK(error_code(s.send("GET", "/v2/other/tags/list")) == "NAME_UNKNOWN");
  CHECK(s.send("DELETE", "/v2/app/manifests/a").status == 202);
  CHECK(s.send("DELETE", "/v2/app/manifests/" + digest_of(bytes)).status == 202);
  CHECK(s.send("DELETE", "/v2/app/manifests/" + digest_of(bytes)).status == 404);
  CHECK(s.send("GET", "/v2/app/manifests/b").status == 404);
}

TEST_CASE("path tricks and unknown resources change nothing and say so") {
  registry_process s;
  for (const auto* path :
       {"/v2/app%2f..%2f..%2fetc/manifests/v1",
        "/v2/%2e%2e/%2e%2e/manifests/v1",
        "/v2/APP/manifests/v1",
        "/v2/app/blobs/uploads/%2e%2e%2f%2e%2e",
        "/v2/app/blobs/sha256:%2e%2e%2fpasswd",
        "/v2/app/unknown",
        "/v2/_catalog",
        "/v1/"}) {
    const auto r = s.send("GET", path);
    INFO(path << " " << r.status);
    CHECK((r.status == 404 || r.status == 400 || r.status == 401));
    CHECK(!error_code(r).empty());
  }
  CHECK(s.send("PATCH", "/v2/app/manifests/v1").status == 405);
}

TEST_CASE("without a token the answer is the challenge that docker understands") {
  registry_process s;
  auto r = s.raw("GET", "/v2/");
  CHECK(r.status == 401);
  CHECK(r.header("docker-distribution-api-version") == "registry/2.0");
  CHECK(
    std::string(r.header("www-authenticate")).find("/auth/v1/token\",service=\"registry_server\"")
    != std::string::npos);
  r = s.raw("GET", "/v2/app/manifests/v1");
  CHECK(r.status == 401);
  CHECK(
    std::string(r.header("www-authenticate")).find("scope=\"repository:app:pull\"")
    != std::string::npos);
  CHECK(error_code(r) == "UNAUTHORIZED");
  r = s.raw("POST", "/v2/app/blobs/uploads/");
  CHECK(
    std::string(r.header("www-authenticate")).find("scope=\"repository:app:pull,push\"")
    != std::string::npos);
}

TEST_CASE("a token opens what it lists and nothing else") {
  registry_process s;
  const auto with = [&](const std::string& token, const char* method, const char* path) {
    return s.raw(method, path, "", {{"Authorization", "Bearer " + token}}).status;
  };
  const auto pull = s.token("repository:app:pull");
  CHECK(with(pull, "GET", "/v2/") == 200);
  CHECK(with(pull, "GET", "/v2/app/manifests/v1") == 404);
  CHECK(with(pull, "POST", "/v2/app/blobs/uploads/") == 401);
  CHECK(with(pull, "DELETE", "/v2/app/manifests/v1") == 401);
  CHECK(with(pull, "GET", "/v2/other/manifests/v1") == 401);
  CHECK(with(pull, "GET", "/v2/app/x/manifests/v1") == 401);
  CHECK(with(s.token("repository:secret:pull"), "GET", "/v2/secret/manifests/v1") == 401);
  CHECK(with("garbage", "GET", "/v2/") == 401);
  CHECK(with("eyJhbGciOiJub25lIn0.eyJhY2Nlc3MiOltdfQ.", "GET", "/v2/") == 401);
  CHECK(with(pull + "x", "GET", "/v2/") == 401);
}

TEST_CASE("an alias that the token names reaches the real repository, for reading only") {
  registry_process s;
  const auto blob = "/v2/org/fleet/blobs/" + s.push_blob("by another name");
  const auto bearer = "Bearer " + s.token("repository:org/fleet:pull,push");
  const auto with = [&](const char* method, const std::string& path) {
    return s.raw(method, path, "", {{"Authorization", bearer}});
  };
  CHECK(with("GET", blob).body == "by another name");
  CHECK(with("POST", "/v2/org/fleet/blobs/uploads/").status == 401);
  CHECK(s.send("GET", blob).status == 401);
}

TEST_CASE("the token endpoint takes scopes in every form and refuses a wrong secret") {
  registry_process s;
  const auto claims = [&](const std::string& query) {
    const auto r = s.raw("GET", "/auth/v1/token?" + query);
    REQUIRE(r.status == 200);
    auto token = json::parse(r.body)["token"].get<std::string>();
    auto part = token.substr(token.find('.') + 1);
    part = part.substr(0, part.find('.'));
    for (auto& c : part) {
      c = c == '-' ? '+' : c == '_' ? '/' : c;
    }
    part.append((4 - part.size() % 4) % 4, '=');
    return json::parse(runtime::base64_decode(part));
  };
  CHECK(claims("service=x")["access"].empty());
  CHECK(claims("scope=repository:a:pull&scope=repository:b:pull")["access"].size() == 2);
  CHECK(claims("scope%5B0%5D=repository:a:pull&scope[1]=repository:b:pull")["access"].size() == 2);
  CHECK(claims("scope=repository:secret:pull,push")["access"][0]["actions"].empty());
  CHECK(claims("scope=nonsense")["access"].empty());
  const auto login = [&](const std::string& pair) {
    return s.raw("GET", "/auth/v1/token", "", {{"Authorization", "Basic " + runtime::base64(pair)}})
      .status;
  };
  CHECK(login("d_0123:key") == 200);
  CHECK(login("user:bad") == 401);
  CHECK(s.raw("GET", "/auth/v1/token", "", {{"Authorization", "Basic ???"}}).status == 401);
  CHECK(s.raw("GET", "/auth/v1/token?apikey=bad").status == 401);
}

TEST_CASE("a registry token given as a password is answered with itself") {
  registry_process s;
  const auto token = s.token("repository:a:pull");
  const auto login = [&](const std::string& password) {
    const std::vector<std::pair<std::string, std::string>> basic{
      {"Authorization", "Basic " + runtime::base64("token:" + password)}};
    return s.raw("GET", "/auth/v1/token?scope=repository:b:pull,push", "", basic);
  };
  const auto r = login(token);
  REQUIRE(r.status == 200);
  CHECK(json::parse(r.body) == json{{"token", token}});
  CHECK(login("bad").status == 401);
}

TEST_CASE("killed in the middle of an upload, the server goes on with it after a restart") {
  registry_process s;
  const std::string first(3'000'000, 'a');
  const std::string second(2'000'000, 'b');
  const auto where = s.begin();
  REQUIRE(s.send("PATCH", where, first).status == 202);
  s.kill_and_restart();
  auto r = s.send("GET", where);
  CHECK(r.status == 204);
  CHECK(r.header("range") == "0-2999999");
  REQUIRE(s.send("PATCH", where, second).status == 202);
  CHECK(s.send("PUT", where + "?digest=" + digest_of(first + second)).status == 201);
  s.kill_and_restart();
  CHECK(s.send("GET", "/v2/app/blobs/" + digest_of(first + second)).body == first + second);
}

TEST_CASE(
  "killed at each step of a push, the registry keeps what it acknowledged and the push can be "
  "repeated") {
  for (const auto* failpoint :
       {"blob.append.written",
        "blob.finish.verified",
        "blob.finish.synced",
        "blob.finish.renamed",
        "repository.blob.synced",
        "blob.put.written",
        "repository.manifest.synced"}) {
    INFO(failpoint);
    registry_process s;
    const auto kept = s.push_blob("kept");
    const auto old_image = s.image("old");
    REQUIRE(s.put_manifest("/v2/app/manifests/v1", old_image).status == 201);
    s.kill_and_restart();
    const auto layer = s.push_blob("new");  // passes everything but the last two once
    s.kill_and_restart();
    s.wait_after_kill_at(failpoint);
    CHECK(s.send("GET", "/v2/app/blobs/" + kept).body == "kept");
    CHECK(s.send("GET", "/v2/app/blobs/" + layer).body == "new");
    const auto tagged = s.send("GET", "/v2/app/manifests/v1").body;
    CHECK((tagged == old_image || tagged == s.image("newer")));
    const auto again = s.image("newer");
    CHECK(s.put_manifest("/v2/app/manifests/v1", again).status == 201);
    CHECK(s.send("GET", "/v2/app/manifests/v1").body == again);
  }
}
