#include "gateways/git/packets.hpp"
#include "gateways/git/repository_path.hpp"

#include <catch2/catch.hpp>

using namespace slipway::gateways::git;
using namespace std::string_literals;

TEST_CASE("a repository is named by organization and fleet, with or without its ending") {
  CHECK(parse_slug("ann/cars.git") == "ann/cars");
  CHECK(parse_slug("/ann/cars.git") == "ann/cars");
  CHECK(parse_slug("ann/cars") == "ann/cars");
  CHECK(parse_slug("Ann/My-Cars_2.git") == "ann/my-cars_2");
}

TEST_CASE("a hostile repository name is none") {
  for (const auto& name :
       {""s,
        "/"s,
        "cars"s,
        "ann/"s,
        "/ann//cars"s,
        "//ann/cars"s,
        "ann/cars/more"s,
        "../cars"s,
        "ann/.."s,
        "ann/../../etc"s,
        "ann/.git"s,
        "ann%2fcars"s,
        "ann/ca%72s"s,
        "ann/cars\0.git"s,
        "ann/c\0ars"s,
        "ann/cars.git.git"s,
        "~ann/cars"s,
        "ann/cars;id"s,
        "ann/$(id)"s,
        "ann/cars'"s,
        "-ann/cars\n"s,
        "ann/" + std::string(101, 'a')}) {
    CAPTURE(name);
    CHECK_FALSE(parse_slug(name));
  }
}

TEST_CASE("a request's path is a repository and what is asked of it") {
  const auto refs = parse_http_target("/ann/cars.git/info/refs");
  REQUIRE(refs);
  CHECK(refs->slug == "ann/cars");
  CHECK(refs->rest == "/info/refs");
  CHECK(parse_http_target("/ann/cars/git-upload-pack")->rest == "/git-upload-pack");
  CHECK(parse_http_target("/ann/cars.git")->rest.empty());
  for (const auto* path :
       {"",
        "/",
        "ann/cars.git/info/refs",
        "/ann",
        "/ann/",
        "//ann/cars.git/info/refs",
        "/ann/../cars.git/info/refs",
        "/ann%2Fcars.git/info/refs",
        "/../ann/cars.git"}) {
    CAPTURE(path);
    CHECK_FALSE(parse_http_target(path));
  }
}

TEST_CASE("of what a client of SSH may ask for, only git's two programs are known") {
  const auto push = parse_command("git-receive-pack '/ann/cars.git'");
  REQUIRE(push);
  CHECK(push->what == service::receive_pack);
  CHECK(push->slug == "ann/cars");
  CHECK(parse_command("git-upload-pack 'ann/cars.git'")->what == service::upload_pack);
  CHECK(parse_command("git upload-pack 'ann/cars.git'")->what == service::upload_pack);
  CHECK(parse_command("git-upload-pack \"ann/cars\"")->slug == "ann/cars");
  CHECK(parse_command("git-upload-pack ann/cars")->slug == "ann/cars");
  for (const auto& line :
       {""s,
        "git"s,
        "git-upload-pack"s,
        "git-upload-pack "s,
        "git-upload-pack 'ann/cars.git"s,
        "git-upload-pack 'ann/cars.git' --strict"s,
        "git-upload-pack --upload-pack=id 'ann/cars.git'"s,
        "git-upload-pack 'ann/cars.git'; id"s,
        "git-upload-pack 'ann/'\\''cars.git'"s,
        "git-upload-archive 'ann/cars.git'"s,
        "git-upload-pack\t'ann/cars.git'"s,
        "sh -c id"s,
        "scp -f /etc/passwd"s,
        "git-upload-pack '/ann/cars.git\0'"s}) {
    CAPTURE(line);
    CHECK_FALSE(parse_command(line));
  }
}

TEST_CASE("only a protocol that git knows reaches its environment") {
  CHECK(clean_protocol("version=2") == "version=2");
  CHECK(clean_protocol("version=1:extra-1") == "version=1:extra-1");
  CHECK(clean_protocol("version=2\nLD_PRELOAD=x").empty());
  CHECK(clean_protocol(std::string(200, 'a')).empty());
}

TEST_CASE("a frame begins with its length, and a remark is one of the second band") {
  CHECK(packet("# service=git-upload-pack\n") == "001e# service=git-upload-pack\n");
  CHECK(packet("") == "0004");
  CHECK(remark_packet("hi\n") == "0008\x02hi\n");
}

TEST_CASE("remarks go only to a client that said side-band-64k") {
  const auto line = std::string(40, '0') + " " + std::string(40, '1') + " refs/heads/main";
  CHECK(takes_remarks(packet(line + "\0 report-status side-band-64k"s) + "0000PACK"));
  CHECK_FALSE(takes_remarks(packet(line + "\0 report-status"s) + "0000"));
  CHECK_FALSE(takes_remarks(packet(line + " side-band-64k")));
  for (const auto* bytes : {"", "0", "0000", "0004", "zzzz", "ffff\0 side-band-64k", "-123"}) {
    CAPTURE(bytes);
    CHECK_FALSE(takes_remarks(bytes));
  }
}
