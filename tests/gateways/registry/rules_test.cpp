#include "gateways/registry/auth_challenge.hpp"
#include "gateways/registry/conditions.hpp"
#include "gateways/registry/content_range.hpp"
#include "gateways/registry/manifest.hpp"
#include "gateways/registry/names.hpp"
#include "gateways/registry/scope.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace slipway;
using namespace slipway::gateways;
using messages::errc;
using nlohmann::json;

namespace {

const std::string hex64(64, 'a');
const std::string digest_a = "sha256:" + hex64;
const std::string oci_manifest = "application/vnd.oci.image.manifest.v1+json";
const std::string oci_index = "application/vnd.oci.image.index.v1+json";
const std::string docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";

json image(const std::string& type = oci_manifest) {
  const json part{{"mediaType", "application/x"}, {"digest", digest_a}, {"size", 3}};
  return {{"schemaVersion", 2}, {"mediaType", type}, {"config", part}, {"layers", {part, part}}};
}

errc refused(const json& j, const std::string& type = "") {
  const auto m = parse_manifest(j.dump(), type);
  return m ? errc::none : m.error().code;
}

}  // namespace

TEST_CASE("repository names follow the specification's grammar") {
  for (const auto& good :
       {std::string("a"),
        std::string("v2/0123456789abcdef0123456789abcdef"),
        std::string("v2/0123456789abcdef0123456789abcdef-1"),
        std::string("library/hello-world"),
        std::string("a.b_c__d---e/f"),
        std::string("blobs/uploads"),
        std::string(255, 'a')}) {
    INFO(good);
    CHECK(valid_repository(good));
  }
  for (const auto& bad :
       {std::string(""),
        std::string("A"),
        std::string("/a"),
        std::string("a/"),
        std::string("a//b"),
        std::string("."),
        std::string("../a"),
        std::string("a/../b"),
        std::string("a..b"),
        std::string("a___b"),
        std::string("a._b"),
        std::string("-a"),
        std::string("a-"),
        std::string("a b"),
        std::string("a\0b", 3),
        std::string("a:b"),
        std::string(256, 'a')}) {
    INFO(bad);
    CHECK(!valid_repository(bad));
  }
}

TEST_CASE("tags follow the specification's grammar") {
  CHECK(valid_tag("latest"));
  CHECK(valid_tag("_1.2-X"));
  CHECK(valid_tag(std::string(128, 'a')));
  CHECK(!valid_tag(""));
  CHECK(!valid_tag(".a"));
  CHECK(!valid_tag("-a"));
  CHECK(!valid_tag("a/b"));
  CHECK(!valid_tag("a\n"));
  CHECK(!valid_tag(std::string(129, 'a')));
}

TEST_CASE("paths are read from their end, so names may hold the words of the specification") {
  using enum registry_resource;
  CHECK(parse_registry_path("/v2/").resource == base);
  CHECK(parse_registry_path("/v2").resource == base);
  const auto blob_route = parse_registry_path("/v2/v2/" + hex64 + "/blobs/" + digest_a);
  CHECK(blob_route.resource == blob);
  CHECK(blob_route.repository == "v2/" + hex64);
  CHECK(blob_route.last == digest_a);
  CHECK(parse_registry_path("/v2/a/blobs/sha256%3A" + hex64).last == digest_a);
  CHECK(parse_registry_path("/v2/a/blobs/uploads/").resource == uploads);
  CHECK(parse_registry_path("/v2/a/blobs/uploads").resource == uploads);
  CHECK(parse_registry_path("/v2/a/blobs/uploads/x").resource == upload);
  CHECK(parse_registry_path("/v2/a/manifests/latest").resource == manifest);
  CHECK(parse_registry_path("/v2/a/tags/list").resource == tags);
  CHECK(
    parse_registry_path("/v2/blobs/uploads/manifests/manifests/x").repository
    == "blobs/uploads/manifests");
  for (const auto* nothing :
       {"",
        "/",
        "/v1/",
        "/v2/a",
        "/v2/manifests/x",
        "/v2/a/manifests",
        "/v2/a/other/x",
        "/v2//////"}) {
    INFO(nothing);
    CHECK(!valid_repository(parse_registry_path(nothing).repository));
  }
}

TEST_CASE("path tricks never make a valid repository") {
  for (const auto* trick :
       {"/v2/../../etc/manifests/passwd",
        "/v2/a/../b/manifests/x",
        "/v2/%2e%2e/manifests/x",
        "/v2/a%2Fb/manifests/x",
        "/v2/a%00/manifests/x",
        "/v2/a%zz/manifests/x",
        "/v2/./manifests/x",
        "/v2/a//manifests/x"}) {
    INFO(trick);
    CHECK(!valid_repository(parse_registry_path(trick).repository));
  }
}

TEST_CASE("image manifests of both families are understood") {
  for (const auto& type : {oci_manifest, docker_manifest}) {
    const auto m = parse_manifest(image(type).dump(), type);
    REQUIRE(m);
    CHECK(m->media_type == type);
    CHECK(!m->index);
    CHECK(m->blobs.size() == 3);
  }
  auto untyped = image();
  untyped.erase("mediaType");
  CHECK(parse_manifest(untyped.dump(), oci_manifest + "; charset=utf-8"));
  CHECK(refused(untyped) == errc::manifest_invalid);
}

TEST_CASE("an index lists manifests") {
  const json index{
    {"schemaVersion", 2},
    {"mediaType", oci_index},
    {"manifests", {{{"mediaType", oci_manifest}, {"digest", digest_a}, {"size", 7}}}}};
  const auto m = parse_manifest(index.dump(), oci_index);
  REQUIRE(m);
  CHECK(m->index);
  CHECK(m->blobs.empty());
  REQUIRE(m->manifests.size() == 1);
  CHECK(m->manifests[0].size == 7);
}

TEST_CASE("layers that live elsewhere need not be here") {
  auto j = image(docker_manifest);
  j["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  j["layers"][1]["urls"] = {"https://example.org/layer"};
  CHECK(parse_manifest(j.dump(), docker_manifest)->blobs.size() == 1);
}

TEST_CASE("malformed manifests are refused") {
  CHECK(parse_manifest("", oci_manifest).error().code == errc::manifest_invalid);
  CHECK(parse_manifest("{", oci_manifest).error().code == errc::manifest_invalid);
  CHECK(parse_manifest("[]", oci_manifest).error().code == errc::manifest_invalid);
  CHECK(parse_manifest("{} {}", oci_manifest).error().code == errc::manifest_invalid);
  CHECK(
    parse_manifest(std::string(100'000, '['), oci_manifest).error().code == errc::manifest_invalid);
  const auto with = [](const char* path, json value) {
    auto j = image();
    j[json::json_pointer(path)] = std::move(value);
    return j;
  };
  CHECK(refused(with("/schemaVersion", 1)) == errc::unsupported);
  CHECK(refused(with("/schemaVersion", "2")) == errc::manifest_invalid);
  CHECK(refused(with("/config", 3)) == errc::manifest_invalid);
  CHECK(refused(with("/config/digest", "sha256:../../x")) == errc::manifest_invalid);
  CHECK(refused(with("/config/size", -1)) == errc::manifest_invalid);
  CHECK(refused(with("/layers", json::object())) == errc::manifest_invalid);
  CHECK(refused(with("/layers/0", "x")) == errc::manifest_invalid);
  CHECK(refused(with("/layers/0/size", 1.5)) == errc::manifest_invalid);
  CHECK(refused(with("/manifests", json::array())) == errc::manifest_invalid);
  CHECK(refused(with("/mediaType", "text/plain")) == errc::manifest_invalid);
  CHECK(refused(image(), docker_manifest) == errc::manifest_invalid);
  auto many = image();
  many["layers"] = json::array();
  for (std::size_t i = 0; i <= manifest_descriptors_max; ++i) {
    many["layers"].push_back(image()["config"]);
  }
  CHECK(refused(many) == errc::manifest_invalid);
}

TEST_CASE("a manifest of more values than any image has is refused before it is parsed") {
  const auto with_values = [](std::size_t count) {
    auto m = image();
    m["x"] = json::array();
    m["text"] = std::string(manifest_values_max, ',');
    for (std::size_t i = 0; i < count; ++i) {
      m["x"].push_back(json::object());
    }
    return parse_manifest(m.dump(), "");
  };
  CHECK(with_values(manifest_values_max / 2 - 100));
  const auto refused = with_values(manifest_values_max / 2);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::manifest_invalid);
}

TEST_CASE("scopes are parsed in all the ways that clients send them") {
  const auto one = parse_scopes({"repository:v2/abc:pull,push"});
  REQUIRE(one.size() == 1);
  CHECK(one[0] == scope{"v2/abc", "", {"pull", "push"}});
  CHECK(parse_scopes({"repository:a:pull repository:b:push", "repository:c:pull"}).size() == 3);
  CHECK(
    parse_scopes({"repository:org/fleet/1.2.3-rc.1+rev2:pull"})[0].name
    == "org/fleet/1.2.3-rc.1+rev2");
  CHECK(parse_scopes({"repository:a:latest:pull"})[0] == scope{"a", "latest", {"pull"}});
  CHECK(parse_scopes({"repository:a@" + digest_a + ":pull"})[0] == scope{"a", digest_a, {"pull"}});
  CHECK(parse_scopes({"repository:a:*"})[0].actions.size() == 3);
  CHECK(
    parse_scopes({"repository:a:pull,pull,fly"})[0].actions == std::vector<std::string>{"pull"});
}

TEST_CASE("the list of repositories has a scope of its own, which is no repository's") {
  const auto scopes = parse_scopes({"registry:catalog:* repository:catalog:pull"});
  REQUIRE(scopes.size() == 2);
  CHECK(scopes[0] == scope{"catalog", "", {"*"}, true});
  CHECK(scopes[1] == scope{"catalog", "", {"pull"}});
}

TEST_CASE("conditions compare tags weakly, If-Range strictly") {
  const std::string tag = "sha256:ab";
  CHECK(check_conditions("", "", tag) == condition::go_on);
  CHECK(check_conditions("", "\"sha256:ab\"", tag) == condition::not_modified);
  CHECK(check_conditions("", "\"x\" , W/\"sha256:ab\"", tag) == condition::not_modified);
  CHECK(check_conditions("", "sha256:ab", tag) == condition::not_modified);
  CHECK(check_conditions("", "*", tag) == condition::not_modified);
  CHECK(check_conditions("", "\"sha256:abc\"", tag) == condition::go_on);
  CHECK(check_conditions("\"sha256:ab\"", "", tag) == condition::go_on);
  CHECK(check_conditions("\"sha256:a\"", "*", tag) == condition::failed);
  CHECK(check_conditions("\"", "W/", tag) == condition::failed);
  CHECK(range_applies("", tag));
  CHECK(range_applies("\"sha256:ab\"", tag));
  CHECK_FALSE(range_applies("W/\"sha256:ab\"", tag));
  CHECK_FALSE(range_applies("Mon, 23 Nov 2026 05:22:03 GMT", tag));
}

TEST_CASE("what a manifest says of its subject is read, and nothing that is not text") {
  const std::string subject =
    R"("subject":{"mediaType":"m","digest":")" + digest_a + R"(","size":3})";
  const std::string begin =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
    R"("config":{"mediaType":"c/t","digest":")"
    + digest_a + R"(","size":2},"layers":[])";
  const auto m = parse_manifest(begin + "," + subject + R"(,"annotations":{"a":"b"}})", "");
  REQUIRE(m);
  CHECK(m->subject == digest_a);
  CHECK(m->artifact_type == "c/t");
  CHECK(m->annotations == R"({"a":"b"})");
  CHECK(parse_manifest(begin + R"(,"artifactType":"x/y"})", "")->artifact_type == "x/y");
  CHECK(parse_manifest(begin + "}", "")->subject.empty());
  for (const auto* bad :
       {R"(,"subject":{}})",
        R"(,"subject":[]})",
        R"(,"annotations":[]})",
        R"(,"annotations":{"a":1}})"}) {
    CHECK(parse_manifest(begin + bad, "").error().code == messages::errc::manifest_invalid);
  }
}

TEST_CASE("what is no scope is dropped silently") {
  for (const auto& bad :
       {std::string(""),
        std::string("repository"),
        std::string("repository:a"),
        std::string("registry:catalog:pull"),
        std::string("registry:other:*"),
        std::string("repository::pull"),
        std::string("repository:../a:pull"),
        std::string("repository:a//b:pull"),
        std::string("repository:/a:pull"),
        std::string("repository:a\"b:pull"),
        "repository:" + std::string(2000, 'a') + ":pull"}) {
    INFO(bad);
    CHECK(parse_scopes({bad}).empty());
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) {
    many += "repository:a:pull ";
  }
  CHECK(parse_scopes({many}).size() == scopes_max);
}

TEST_CASE("chunk ranges are two numbers in order") {
  CHECK(parse_chunk_range("0-9")->size() == 10);
  CHECK(parse_chunk_range("bytes 5-5/100")->first == 5);
  for (const auto* bad :
       {"", "-", "5", "9-0", "a-b", "-1-5", "1--5", " 0-9", "0-9 ", "0-99999999999999999999"}) {
    INFO(bad);
    CHECK(!parse_chunk_range(bad));
  }
}

TEST_CASE("a challenge of another registry is read whatever its form") {
  const auto bearer = gateways::parse_challenge(
    R"(Bearer Realm="https://auth.example.org/token", service="a, b",scope="repository:x:pull,push")");
  REQUIRE(bearer);
  CHECK(bearer->bearer);
  CHECK(bearer->parameters.at("realm") == "https://auth.example.org/token");
  CHECK(bearer->parameters.at("service") == "a, b");
  CHECK(bearer->parameters.at("scope") == "repository:x:pull,push");
  const auto basic = gateways::parse_challenge("BASIC realm=here");
  REQUIRE(basic);
  CHECK_FALSE(basic->bearer);
  CHECK(basic->parameters.at("realm") == "here");
  CHECK_FALSE(gateways::parse_challenge("Negotiate abc"));
  CHECK_FALSE(gateways::parse_challenge(""));
}
