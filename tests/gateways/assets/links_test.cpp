#include "gateways/assets/asset_links.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace slipway::gateways;
using slipway::messages::errc;

namespace {

struct world {
  std::int64_t now = 1'790'000'000'000;
  asset_links links{"http://api.test", "key", [this] { return now; }};
  stored_asset asset{"a b.bin", "text/plain", 3, "sha256:abc"};

  [[nodiscard]] std::string query() const {
    const auto url = links.download(7, asset);
    return url.substr(url.find('?') + 1);
  }
};

}  // namespace

TEST_CASE("a link is good for its asset, its bytes and its time") {
  world w;
  const auto query = w.query();
  CHECK(w.links.download(7, w.asset).starts_with("http://api.test/release-asset/7/a%20b.bin?"));
  CHECK(w.links.check_download(7, w.asset, query));
  CHECK(w.links.check_download(8, w.asset, query).error().code == errc::not_found);
  auto other = w.asset;
  other.digest = "sha256:abd";
  CHECK(w.links.check_download(7, other, query).error().code == errc::not_found);
  CHECK(!w.links.check_download(7, w.asset, query.substr(0, query.size() - 1) + "0"));
  CHECK(!w.links.check_download(7, w.asset, ""));
  CHECK(!w.links.check_download(7, w.asset, "expires=99999999999999999999999&signature="));
  CHECK(!asset_links("http://api.test", "other key", [] {
           return 0;
         }).check_download(7, w.asset, query));
  w.now += 3'599'000;
  CHECK(w.links.check_download(7, w.asset, query));
  w.now += 2 * 3'600'000;
  CHECK(w.links.check_download(7, w.asset, query).error().code == errc::forbidden);
}

TEST_CASE("a link stays the same for a while, so that answers can be compared") {
  world w;
  w.now = 3'600'000 * 1000LL;
  const auto first = w.query();
  w.now += 3'599'000;
  CHECK(w.query() == first);
}

TEST_CASE("a link to a part is good for that part of that upload") {
  world w;
  const auto url = w.links.part("abc", 2);
  const auto query = url.substr(url.find('?') + 1);
  CHECK(w.links.is_part("abc", 2, query));
  CHECK(!w.links.is_part("abc", 3, query));
  CHECK(!w.links.is_part("abd", 2, query));
  CHECK(!w.links.is_part("abc", 2, ""));
}

TEST_CASE("what clients read of an asset has a link and not the digest") {
  world w;
  const auto shown = w.links.shown(7, asset_json(w.asset));
  const auto j = nlohmann::json::parse(slipway::messages::as_text(shown));
  CHECK(j["filename"] == "a b.bin");
  CHECK(j["content_type"] == "text/plain");
  CHECK(j["size"] == 3);
  CHECK(j["href"] == w.links.download(7, w.asset));
  CHECK(!j.contains("digest"));
  CHECK(slipway::messages::is_null(w.links.shown(7, {})));
  CHECK(slipway::messages::is_null(w.links.shown(7, slipway::messages::json_text{"[1"})));
}

TEST_CASE("names and types of files are made harmless") {
  CHECK(safe_filename("../../etc/passwd") == "passwd");
  CHECK(safe_filename("C:\\temp\\a.txt") == "a.txt");
  CHECK(safe_filename("a\r\nSet-Cookie: x") == "aSet-Cookie: x");
  CHECK(safe_filename("") == "asset");
  CHECK(safe_filename("..") == "asset");
  CHECK(safe_filename(std::string(1000, 'a')).size() == 255);
  CHECK(safe_content_type("text/plain; charset=utf-8") == "text/plain; charset=utf-8");
  for (const auto* wrong :
       {"", "text", "text/", "/plain", "a b/c", "text/plain\r\nX: y", "text/html; a\nb"}) {
    CHECK(safe_content_type(wrong) == "application/octet-stream");
  }
}
