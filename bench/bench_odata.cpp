// OData requests against the embedded store: parse, take a view, decide rights, plan, read, write JSON. No HTTP.
//   bench_odata [--quick] [--dir FOLDER] [--only WORKLOAD]
// The store holds 200 fleets of 50 devices each; a request is made by a user of one organization with one of them.

#include "domain/access.hpp"
#include "domain/resource_model.hpp"
#include "gateways/api/odata/executor.hpp"
#include "gateways/api/odata/parser.hpp"
#include "storage/embedded_store.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

using namespace slipway;
using messages::value;
namespace odata = gateways::odata;

namespace {

constexpr std::int64_t fleets = 200;
constexpr std::int64_t devices_each = 50;
constexpr std::int64_t fleet = 7 * 64;

struct workload {
  const char* name;
  std::string target;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_odata: %s\n", what.c_str());
  std::exit(1);
}

double now_us() {
  return std::chrono::duration<double, std::micro>(
           std::chrono::steady_clock::now().time_since_epoch())
    .count();
}

/// Of this thread: what the machine does besides does not count.
double cpu_us() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

/// Writes rows through the log, as the server does.
class filler {
public:
  filler(storage::store& s, const domain::schema& model) : store_(s), model_(model) {}

  void put(
    messages::entity_ref entity,
    std::string_view resource,
    std::int64_t id,
    const std::vector<std::pair<std::string_view, value>>& values) {
    const auto& r = model_.at(resource);
    messages::event e;
    e.type = messages::event_type::row_created;
    e.resource = r.number;
    e.id = id;
    for (const auto& [name, v] : values) {
      e.values.push_back({r.field(name), v});
    }
    messages::commit c;
    c.entity = entity;
    c.expected_version = messages::any_version;
    c.time = 1'700'000'000'000;
    c.events.push_back(std::move(e));
    commits_.push_back(std::move(c));
    if (commits_.size() == 1'000) {
      flush();
    }
  }

  void flush() {
    for (const auto& done : store_.log->append(commits_)) {
      if (!done) {
        die("append: " + done.error().detail);
      }
    }
    commits_.clear();
  }

private:
  storage::store& store_;
  const domain::schema& model_;
  std::vector<messages::commit> commits_;
};

std::string hex32(std::int64_t n) {
  char text[33];
  std::snprintf(
    text,
    sizeof text,
    "%016llx%016llx",
    static_cast<unsigned long long>(n) * 0x9e3779b97f4a7c15ULL,
    static_cast<unsigned long long>(n));
  return text;
}

void fill(storage::store& s, const domain::schema& model) {
  filler f(s, model);
  const messages::entity_ref catalog{messages::entity_kind::catalog, 64};
  f.put(catalog, "cpu_architecture", 64, {{"slug", std::string("aarch64")}});
  f.put(
    catalog,
    "device_type",
    128,
    {{"slug", std::string("raspberrypi4-64")},
     {"name", std::string("Raspberry Pi 4")},
     {"is_of__cpu_architecture", std::int64_t{64}}});
  for (std::int64_t n = 1; n <= fleets; ++n) {
    const auto id = n * 64;
    const messages::entity_ref entity{messages::entity_kind::fleet, id};
    f.put(
      {messages::entity_kind::organization, id},
      "organization",
      id,
      {{"name", "Org " + std::to_string(n)}, {"handle", "org" + std::to_string(n)}});
    f.put(
      entity,
      "application",
      id,
      {{"app_name", "fleet" + std::to_string(n)},
       {"slug", "org" + std::to_string(n) + "/fleet"},
       {"uuid", hex32(n)},
       {"organization", id},
       {"is_for__device_type", std::int64_t{128}},
       {"should_be_running__release", id},
       {"is_public", false}});
    f.put(
      entity,
      "release",
      id,
      {{"belongs_to__application", id},
       {"commit", hex32(n + 1000)},
       {"status", std::string("success")},
       {"revision", std::int64_t{0}},
       {"composition", messages::json_text{std::string(2000, ' ') + "{}"}}});
    for (std::int64_t d = 0; d < devices_each; ++d) {
      const auto device = (n * devices_each + d + 1000) * 64;
      f.put(
        {messages::entity_kind::device, device},
        "device",
        device,
        {{"actor", device + 1},
         {"uuid", hex32(device)},
         {"device_name", "device " + std::to_string(device)},
         {"is_of__device_type", std::int64_t{128}},
         {"belongs_to__application", id},
         {"is_running__release", id},
         {"is_online", d % 3 != 0},
         {"is_connected_to_vpn", d % 3 != 0},
         {"status", std::string("Idle")},
         {"os_version", std::string("balenaOS 6.0.0")},
         {"os_variant", std::string("prod")},
         {"supervisor_version", std::string("17.0.0")},
         {"ip_address", std::string("192.168.1.17 fe80::1")},
         {"mac_address", std::string("00:11:22:33:44:55")},
         {"memory_usage", std::int64_t{312}},
         {"memory_total", std::int64_t{3900}},
         {"api_heartbeat_state", std::string("unknown")},
         {"api_port", std::int64_t{48484}}});
    }
  }
  f.flush();
}

std::vector<workload> workloads() {
  const std::string select =
    "$select=id,uuid,device_name,status,is_online,supervisor_version,os_version";
  const std::string expand =
    "&$expand=belongs_to__application($select=app_name,slug),is_of__device_type($select=slug),"
    "is_running__release($select=commit)";
  const auto id = std::to_string(fleet);
  const auto uuid = hex32((7 * devices_each + 1000) * 64);
  return {
    {"list50_expand3",
     "device?" + select + expand + "&$orderby=device_name asc&$filter=belongs_to__application eq "
       + id},
    {"list50_all_fields", "device?$filter=belongs_to__application eq " + id},
    {"fleet_expand50",
     "application(" + id + ")?$select=slug&$expand=owns__device(" + select + ";" + expand.substr(1)
       + ")"},
    {"device_by_uuid", "device(uuid='" + uuid + "')?$select=id"},
    {"fleet_by_slug",
     "application?$filter=is_directly_accessible_by__user/any(dau:1 eq 1) and (slug eq "
     "'org7/fleet' or uuid eq 'org7/fleet')&$select=id"},
    {"count50",
     "device/$count?$filter=belongs_to__application eq " + id + " and is_online eq true"},
    {"short_uuid", "device?$filter=startswith(uuid,'" + uuid.substr(0, 7) + "')&$select=uuid"},
  };
}

std::pair<std::string, std::string> encoded(const std::string& target) {
  std::string out;
  for (const char c : target) {
    out += c == ' ' ? "%20" : c == '\'' ? "%27" : std::string(1, c);
  }
  const auto mark = out.find('?');
  return {out.substr(0, mark), out.substr(mark + 1)};
}

std::string
answer(const storage::store& s, const domain::schema& model, const workload& w, std::size_t& rows) {
  messages::requester by;
  by.kind = messages::requester_kind::user;
  by.id = 64;
  by.actor = 1;
  by.organizations = {{fleet, messages::role::administrator}};
  const auto [path, query] = encoded(w.target);
  const auto line = odata::parse_target(model, "v7", path, query);
  if (!line) {
    die(line.error().detail);
  }
  const auto view = s.rows->view();
  const domain::access rights(model, by, *view);
  const odata::access granted{
    by,
    [&](const auto& resource, const auto& row) { return rights.may_see(resource, row); },
    [&](const auto& resource) { return rights.candidates(resource); }};
  odata::statistics stats;
  auto body = odata::read(*line, *view, granted, &stats);
  if (!body) {
    die(body.error().detail);
  }
  rows = stats.rows_examined;
  return std::move(*body);
}

void run(const storage::store& s, const domain::schema& model, const workload& w, double seconds) {
  std::vector<double> times;
  std::size_t bytes = 0;
  std::size_t rows = 0;
  const auto cpu = cpu_us();
  const auto end = now_us() + seconds * 1e6;
  for (auto start = now_us(); start < end;) {
    bytes = answer(s, model, w, rows).size();
    const auto stop = now_us();
    times.push_back(stop - start);
    start = stop;
  }
  const auto cpu_each = (cpu_us() - cpu) / static_cast<double>(times.size());
  double total = 0;
  for (const auto t : times) {
    total += t;
  }
  std::sort(times.begin(), times.end());
  const auto n = times.size();
  std::printf(
    "%-16s %8.0f ops/s  cpu %7.1f us/op  p50 %7.1f  p99 %7.1f  max %8.1f  %6zu bytes  %4zu rows\n",
    w.name,
    1e6 * static_cast<double>(n) / total,
    cpu_each,
    times[n / 2],
    times[n * 99 / 100],
    times.back(),
    bytes,
    rows);
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 3;
  std::string folder = std::filesystem::temp_directory_path();
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--quick") {
      seconds = 0.1;
    } else if (option == "--dir" && i + 1 < argc) {
      folder = argv[++i];
    } else if (option == "--only" && i + 1 < argc) {
      only = argv[++i];
    } else {
      die("unknown option " + std::string(option));
    }
  }
  folder += "/slipway-bench-odata-" + std::to_string(::getpid());
  {
    const auto model = domain::resource_model();
    storage::embedded_options options;
    options.path = folder;
    options.schema = model;
    auto s = storage::open_embedded(options);
    if (!s) {
      die(s.error().detail);
    }
    fill(*s, *model);
    std::printf(
      "%lld fleets of %lld devices, one thread, %s\n",
      static_cast<long long>(fleets),
      static_cast<long long>(devices_each),
#ifdef __OPTIMIZE__
      "optimised"
#else
      "not optimised: the times mean nothing"
#endif
    );
    for (const auto& w : workloads()) {
      if (only.empty() || only == w.name) {
        run(*s, *model, w, seconds);
      }
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}
