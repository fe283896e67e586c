#include "messages/json.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace slipway;
using messages::errc;
using messages::value;

namespace {

const std::string digest = "sha256:" + std::string(64, 'a');

/// A fleet of ann's and what she builds for it.
struct building {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");
  messages::entity_ref at{messages::entity_kind::fleet, fleet};

  static messages::start_build order(std::vector<std::string> services = {"web", "worker"}) {
    messages::start_build cmd;
    cmd.commit = std::string(32, 'c');
    cmd.source = "push";
    cmd.plan.composition = R"({"version":"2.4","services":{}})";
    for (auto& name : services) {
      messages::service_plan s;
      s.name = std::move(name);
      s.dockerfile_text = "FROM scratch\n";
      s.project_type = "Standard Dockerfile";
      s.labels = {{"io.example", "1"}};
      cmd.plan.services.push_back(std::move(s));
    }
    return cmd;
  }
  domain::decision start(messages::start_build cmd) {
    if (cmd.by == messages::requester{}) {
      cmd.by = ann;
    }
    return i.tell(at, std::move(cmd));
  }
  std::int64_t started() { return start(order()).value(); }

  domain::decision advance(
    std::int64_t build,
    std::string status,
    std::vector<messages::service_progress> all = {}) {
    messages::advance_build cmd;
    cmd.build = build;
    cmd.status = std::move(status);
    cmd.services = std::move(all);
    cmd.error = cmd.status == "failed" ? "no space" : "";
    return i.tell(at, std::move(cmd));
  }
  static messages::service_progress done(const std::string& name) {
    messages::service_progress s;
    s.name = name;
    s.status = "success";
    s.content_hash = digest;
    s.image_bytes = 1000;
    return s;
  }
  std::int64_t release(std::int64_t build) {
    return messages::as_int(i.of("build", build, "release"));
  }
  std::string status(const char* resource, std::int64_t id) {
    return i.text_of(resource, id, "status");
  }
  std::vector<std::int64_t> images() {
    std::vector<std::int64_t> all;
    i.rows.scan(i.model->at("image").number, 0, [&](const messages::row& r) {
      all.push_back(messages::id_of(r));
      return true;
    });
    return all;
  }
};

}  // namespace

TEST_CASE("starting a build makes release, services, images and labels in one commit") {
  building b;
  const auto build = b.started();
  const auto release = b.release(build);
  CHECK(b.status("build", build) == "queued");
  CHECK(b.status("release", release) == "running");
  CHECK(b.i.text_of("release", release, "source") == "cloud");
  CHECK(b.i.of("release", release, "is_created_by__user") == value{b.user});
  CHECK(b.i.count("service") == 2);
  CHECK(b.images().size() == 2);
  CHECK(b.i.count("release_image") == 2);
  CHECK(b.i.count("image_label") == 2);
  CHECK(b.i.text_of("image", b.images().front(), "dockerfile") == "FROM scratch\n");
}

TEST_CASE("a second build finds the services of the first") {
  building b;
  b.started();
  auto again = building::order();
  again.commit = std::string(32, 'd');
  REQUIRE(b.start(again));
  CHECK(b.i.count("service") == 2);
  CHECK(b.images().size() == 4);
}

TEST_CASE("who may not push to a fleet starts no build there") {
  building b;
  auto cmd = building::order();
  cmd.by = b.i.user(b.i.given_user("mallory"));
  const auto refused = b.start(cmd);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::not_found);
  CHECK(b.i.count("release") == 0);
}

TEST_CASE("a fleet follows a build only once it is released") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "running"));
  REQUIRE(b.advance(build, "pushed", {building::done("web"), building::done("worker")}));
  CHECK(b.status("image", b.images().front()) == "success");
  CHECK(b.status("release", b.release(build)) == "running");
  CHECK(messages::is_null(b.i.of("application", b.fleet, "should_be_running__release")));
  REQUIRE(b.advance(build, "released"));
  CHECK(b.status("release", b.release(build)) == "success");
  CHECK(b.i.of("application", b.fleet, "should_be_running__release") == value{b.release(build)});
}

TEST_CASE("a draft is built and followed by nobody") {
  building b;
  auto cmd = building::order();
  cmd.draft = true;
  const auto build = b.start(cmd).value();
  REQUIRE(b.advance(build, "running"));
  REQUIRE(b.advance(build, "pushed", {building::done("web"), building::done("worker")}));
  REQUIRE(b.advance(build, "released"));
  CHECK(b.status("release", b.release(build)) == "success");
  CHECK(messages::is_null(b.i.of("application", b.fleet, "should_be_running__release")));
}

TEST_CASE("a build that fails fails its release, and cancels the images that were under way") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "running"));
  messages::service_progress bad;
  bad.name = "worker";
  bad.status = "failed";
  bad.error = "exit status 1";
  REQUIRE(b.advance(build, "failed", {bad}));
  CHECK(b.status("release", b.release(build)) == "failed");
  CHECK(b.i.text_of("build", build, "error_message") == "no space");
  std::vector<std::string> all;
  for (const auto id : b.images()) {
    all.push_back(b.status("image", id));
  }
  std::sort(all.begin(), all.end());
  CHECK(all == std::vector<std::string>{"cancelled", "failed"});
}

TEST_CASE("an error that is not UTF-8 is kept as far as it can be read") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "running"));
  messages::service_progress bad;
  bad.name = "worker";
  bad.status = "failed";
  bad.error = "caf\xe9 closed";
  REQUIRE(b.advance(build, "failed", {bad}));
  const auto shown = b.i.text_of("build", build, "services");
  CHECK(shown.find("caf\xef\xbf\xbd closed") != std::string::npos);
}

TEST_CASE("what is over stays over") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "cancelled"));
  for (const auto* to : {"running", "released", "failed", "cancelled"}) {
    const auto refused = b.advance(build, to);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::rule_violated);
  }
  CHECK(b.status("release", b.release(build)) == "cancelled");
}

TEST_CASE("a release that somebody cancelled is not released") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "running"));
  REQUIRE(b.i.change(b.ann, "release", b.release(build), {{"status", "cancelled"}}));
  REQUIRE(b.advance(build, "pushed", {building::done("web"), building::done("worker")}));
  CHECK_FALSE(b.advance(build, "released"));
  REQUIRE(b.advance(build, "failed"));
  CHECK(b.status("release", b.release(build)) == "cancelled");
}

TEST_CASE("a retry begins all services anew") {
  building b;
  const auto build = b.started();
  REQUIRE(b.advance(build, "running", {building::done("web")}));
  REQUIRE(b.advance(build, "queued"));
  for (const auto id : b.images()) {
    CHECK(b.status("image", id) == "running");
    CHECK(messages::is_null(b.i.of("image", id, "content_hash")));
  }
  const auto services = messages::parse_json(b.i.text_of("build", build, "services")).value();
  CHECK(services[0].at("status") == "queued");
}

TEST_CASE("clients write no rows of builds") {
  building b;
  const auto build = b.started();
  CHECK_FALSE(b.i.change(b.ann, "build", build, {{"status", "released"}}));
  CHECK_FALSE(b.i.create(
    b.ann,
    "build",
    {{"release", b.release(build)}, {"status", "released"}, {"source", "push"}}));
}
