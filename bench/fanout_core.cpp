#include "fanout_core.hpp"

#include "messages/json.hpp"
#include "runtime/child_process.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_client.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace slipway::bench {
namespace {

using nlohmann::json;

constexpr int register_connections = 8;
constexpr int start_tries_max = 600;
constexpr auto start_pause = std::chrono::milliseconds(50);

/// One connection to the server.
class api {
public:
  api(std::string base, std::string token) : base_(std::move(base)), token_(std::move(token)) {}

  json call(const std::string& method, const std::string& path, const json& body = nullptr) {
    runtime::http_request r;
    r.method = method;
    r.url = base_ + path;
    r.headers = {{"Content-Type", "application/json"}};
    if (!token_.empty()) {
      r.headers.emplace_back("Authorization", "Bearer " + token_);
    }
    if (!body.is_null()) {
      r.body = body.dump();
    }
    const auto reply = client_.send(r);
    if (!reply || reply->status >= 300) {
      throw std::runtime_error(
        method + " " + path + ": "
        + (reply ? std::to_string(reply->status) + " " + reply->body : reply.error().detail));
    }
    const auto parsed = messages::parse_json(reply->body);
    return parsed ? *parsed : json(reply->body);
  }

private:
  std::string base_;
  std::string token_;
  runtime::http_client client_{{}};
};

/// The only child of `parent`, -1 when there is none yet.
pid_t child_of(pid_t parent) {
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    pid_t pid = -1;
    if (std::ifstream(task.path() / "children") >> pid) {
      return pid;
    }
  }
  return -1;
}

}  // namespace

core_side::core_side(
  const std::string& program,
  const std::vector<bench_device>& devices,
  contest& c) {
  start(program);
  make_fleet();
  enrol(devices);
  find_overlay(c);
}

core_side::~core_side() {
  ::kill(server_, SIGTERM);
  ::waitpid(server_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void core_side::start(const std::string& program) {
  folder_ = (std::filesystem::temp_directory_path() / "bench-XXXXXX").string();
  if (::mkdtemp(folder_.data()) == nullptr) {
    throw std::runtime_error("no temporary folder");
  }
  const auto admin = folder_ + "/admin";
  std::ofstream(admin) << "bench:bench-password\n";
  ::chmod(admin.c_str(), S_IRUSR | S_IWUSR);
  const auto address = "127.0.0.1:" + std::to_string(free_port());
  base_ = "http://" + address;
  const auto child = runtime::spawn_child(
    program,
    {"serve",
     "--data-dir",
     folder_ + "/data",
     "--http",
     address,
     "--overlay",
     "tcp://127.0.0.1:0",
     "--ssh",
     "off",
     "--admin-file",
     admin,
     "--log-level",
     "warn"},
    "");
  if (!child) {
    throw std::runtime_error(child.error().detail);
  }
  server_ = *child;
  const json login{{"username", "bench"}, {"password", "bench-password"}};
  for (int i = 0; token_.empty(); ++i) {
    try {
      token_ = api(base_, "").call("POST", "/login_", login).get<std::string>();
    } catch (const std::runtime_error&) {
      if (i == start_tries_max || ::waitpid(server_, nullptr, WNOHANG) != 0) {
        throw;
      }
      std::this_thread::sleep_for(start_pause);
    }
  }
}

void core_side::make_fleet() {
  api a(base_, token_);
  const auto organization =
    a.call("GET", "/v7/organization?$filter=handle%20ne%20'slipway_os'").at("d").at(0).at("id");
  const auto kind = a.call("GET", "/v7/device_type?$filter=slug%20eq%20'generic-amd64'&$select=id")
                      .at("d")
                      .at(0)
                      .at("id");
  fleet_ =
    a.call(
       "POST",
       "/v7/application",
       {{"app_name", "bench"}, {"organization", organization}, {"is_for__device_type", kind}})
      .at("id");
  for (const char* name : {"one", "two", "three"}) {
    services_.push_back(
      a.call("POST", "/v7/service", {{"application", fleet_}, {"service_name", name}}).at("id"));
  }
  prepare_release();
  finish_release();
  provisioning_key_ = a.call(
                         "POST",
                         "/api-key/application/" + std::to_string(fleet_) + "/provisioning",
                         json::object())
                        .get<std::string>();
}

void core_side::prepare_release() {
  api a(base_, token_);
  json composed = json::object();
  for (const char* name : {"one", "two", "three"}) {
    composed[name] = {{"image", name}, {"restart", "always"}};
  }
  release_ = a.call(
                "POST",
                "/v7/release",
                {{"belongs_to__application", fleet_},
                 {"commit", runtime::random_hex(32)},
                 {"composition", {{"version", "2"}, {"services", composed}}},
                 {"status", "running"},
                 {"source", "local"},
                 {"start_timestamp", runtime::now_ms()}})
               .at("id");
  for (const auto service : services_) {
    const std::int64_t image = a.call(
                                  "POST",
                                  "/v7/image",
                                  {{"is_a_build_of__service", service},
                                   {"status", "running"},
                                   {"start_timestamp", runtime::now_ms()}})
                                 .at("id");
    a.call(
      "POST",
      "/v7/image__is_part_of__release",
      {{"is_part_of__release", release_}, {"image", image}});
    a.call(
      "PATCH",
      "/v7/image(" + std::to_string(image) + ")",
      {{"status", "success"},
       {"push_timestamp", runtime::now_ms()},
       {"content_hash", "sha256:" + runtime::random_hex(64)}});
  }
}

std::int64_t core_side::finish_release() {
  api(base_, token_)
    .call("PATCH", "/v7/release(" + std::to_string(release_) + ")", {{"status", "success"}});
  return now_ns();
}

void core_side::enrol(const std::vector<bench_device>& devices) {
  const auto from = now_ns();
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < register_connections; ++t) {
    threads.emplace_back([&] {
      api a(base_, provisioning_key_);
      try {
        for (auto i = next++; i < devices.size() && !failed; i = next++) {
          a.call(
            "POST",
            "/device/register",
            {{"application", fleet_},
             {"uuid", devices[i].uuid},
             {"device_type", "generic-amd64"},
             {"api_key", runtime::random_hex(32)},
             {"overlay_public_key", devices[i].keys.public_key}});
        }
      } catch (const std::runtime_error& e) {
        failed = true;
        std::fprintf(stderr, "bench_fanout: %s\n", e.what());
      }
    });
  }
  for (auto& t : threads) {
    t.join();
  }
  if (failed) {
    throw std::runtime_error("a device could not be registered");
  }
  registered_per_second_ =
    static_cast<double>(devices.size()) * 1e9 / static_cast<double>(now_ns() - from);
}

void core_side::find_overlay(contest& c) {
  api a(base_, token_);
  for (int i = 0; i < start_tries_max; ++i) {
    const auto told = a.call(
      "POST",
      "/download-config",
      {{"appId", fleet_}, {"version", "1.0.0"}, {"deviceType", "generic-amd64"}});
    const auto endpoint = told.at("overlayEndpoint").get<std::string>();
    const auto key = told.at("overlayServerKey").get<std::string>();
    edge_ = child_of(server_);
    if (!endpoint.empty() && edge_ > 0 && key.size() < c.server_key.size()) {
      c.port = std::atoi(endpoint.c_str() + endpoint.rfind(':') + 1);
      std::strcpy(c.server_key.data(), key.c_str());
      return;
    }
    std::this_thread::sleep_for(start_pause);
  }
  throw std::runtime_error("the server has no edge");
}

int core_side::online() {
  const auto answer =
    api(base_, token_).call("GET", "/v7/device/$count?$filter=is_connected_to_vpn%20eq%20true");
  if (answer.is_number()) {
    return answer.get<int>();
  }
  return answer.is_object() ? answer.at("d").get<int>()
                            : std::atoi(answer.get<std::string>().c_str());
}

}  // namespace slipway::bench
