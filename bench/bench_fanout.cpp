// A notice for many devices at once: from the core's call over the bus to a real edge process to real CURVE sessions in two
// other processes. Beside it, in turns, mosquitto with TLS 1.3 and as many subscribers.
// At the end devices are asked one at a time and 64 at a time: a call and its answer.
// With --core a whole `slipwayd serve` stands in the edge's place: devices are registered over HTTP, and a round is a release
// that becomes the fleet's target.
//   bench_fanout [--quick] [--core] [--sessions N] [--rounds N] [--only overlay|core|mosquitto]

#include "fanout_core.hpp"
#include "fanout_shared.hpp"
#include "runtime/child_process.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/edge_supervisor.hpp"
#include "runtime/log.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace slipway;
using namespace slipway::bench;

namespace {

constexpr int client_processes = 2;
constexpr std::size_t payload_bytes = 150;  // about 200 B with its envelope
constexpr double connect_seconds_max = 600;
constexpr double online_seconds_max = 300;
constexpr double round_seconds_max = 150;  // sessions that were lost come back with a ping

struct settings {
  int sessions = 10'000;
  int rounds = 10;
  bool quick = false;
  bool core = false;
  bool overlay = true;
  bool mosquitto = true;
};

std::vector<pid_t> started;  // ended by `end_all`

void end_all() {
  // mosquitto first, which complains of each client that goes without a word.
  for (auto pid = started.rbegin(); pid != started.rend(); ++pid) {
    ::kill(*pid, SIGKILL);
    ::waitpid(*pid, nullptr, 0);
  }
  started.clear();
}

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_fanout: %s\n", what.c_str());
  end_all();
  std::exit(1);
}

void pause_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

contest& share() {
  void* memory =
    ::mmap(nullptr, sizeof(contest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    die("no shared memory");
  }
  return *new (memory) contest;
}

/// Forks before any thread exists. The client waits until it is told to connect.
void fork_clients(contest& c, int sessions, const std::function<void(int first, int last)>& run) {
  for (int i = 0; i < client_processes; ++i) {
    const auto pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (c.go == 0) {
        pause_ms(10);
      }
      run(sessions * i / client_processes, sessions * (i + 1) / client_processes);
      ::_exit(0);
    }
    started.push_back(pid);
  }
}

double resident_kb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  std::string word;
  while (in >> word) {
    if (word == "VmRSS:") {
      double kb = 0;
      in >> kb;
      return kb;
    }
  }
  return 0;
}

double cpu_seconds(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto end = text.rfind(')');
  unsigned long user = 0;
  unsigned long system = 0;
  if (
    end == std::string::npos
    || std::sscanf(
         text.c_str() + end + 2,
         "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
         &user,
         &system)
         != 2) {
    return 0;
  }
  return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct figures {
  std::vector<double> p50, p99, last, cpu;
  std::vector<double> answered;  // when the step that commits was answered, after it was sent
  std::vector<double> p50_after, p99_after, last_after;  // counted from that answer
  double connect_seconds = 0;
  double connect_cpu_ms = 0;
  double kb_per_session = 0;
};

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

void connect_all(contest& c, int sessions, pid_t server, figures& out) {
  const auto memory = resident_kb(server);
  const auto cpu = cpu_seconds(server);
  const auto t0 = now_ns();
  c.go = 1;
  while (c.connected < sessions) {
    if (static_cast<double>(now_ns() - t0) / 1e9 > connect_seconds_max || c.failed > 0) {
      die(
        "only " + std::to_string(c.connected) + " sessions connected, " + std::to_string(c.failed)
        + " failed");
    }
    pause_ms(20);
  }
  out.connect_seconds = static_cast<double>(now_ns() - t0) / 1e9;
  out.connect_cpu_ms = (cpu_seconds(server) - cpu) * 1e3 / sessions;
  pause_ms(1'000);
  out.kb_per_session = (resident_kb(server) - memory) / sessions;
}

/// One broadcast; the time of each session counts from just before `send`, which tells when it was done, or -1.
void round(
  const char* name,
  contest& c,
  int sessions,
  pid_t server,
  const std::function<std::int64_t()>& send,
  figures& out) {
  c.new_round();
  const auto cpu = cpu_seconds(server);
  const auto t0 = now_ns();
  const auto answered = send();
  if (answered < 0) {
    die("a broadcast could not be sent");
  }
  while (c.received < sessions) {
    if (static_cast<double>(now_ns() - t0) / 1e9 > round_seconds_max) {
      die(
        std::string(name) + ": only " + std::to_string(c.received) + " sessions got the message, "
        + std::to_string(c.failed) + " failed");
    }
    pause_ms(5);
  }
  std::vector<double> ms;
  for (int i = 0; i < sessions; ++i) {
    ms.push_back(static_cast<double>(c.at[static_cast<std::size_t>(i)] - t0) / 1e6);
  }
  std::sort(ms.begin(), ms.end());
  const auto p50 = ms[ms.size() / 2];
  const auto p99 = ms[ms.size() * 99 / 100];
  const auto after = static_cast<double>(answered - t0) / 1e6;
  out.p50.push_back(p50);
  out.p99.push_back(p99);
  out.last.push_back(ms.back());
  out.answered.push_back(after);
  // Notices go out from the log's tail, beside the answer: the first of them may be before it.
  out.p50_after.push_back(p50 - after);
  out.p99_after.push_back(p99 - after);
  out.last_after.push_back(ms.back() - after);
  pause_ms(300);  // acknowledgements and timers of the last round
  out.cpu.push_back(cpu_seconds(server) - cpu);
}

void print(const char* name, const settings& s, const figures& f) {
  std::printf(
    "%-10s %6d sessions  p50 %7.1f ms  p99 %7.1f ms  last %7.1f ms (best %.1f, worst %.1f)  "
    "server cpu %.2f s  %.1f KB/session  connect %.0f/s at %.2f ms cpu\n",
    name,
    s.sessions,
    median(f.p50),
    median(f.p99),
    median(f.last),
    *std::min_element(f.last.begin(), f.last.end()),
    *std::max_element(f.last.begin(), f.last.end()),
    median(f.cpu),
    f.kb_per_session,
    s.sessions / f.connect_seconds,
    f.connect_cpu_ms);
  std::fflush(stdout);
}

/// The core's side.
class overlay_side {
public:
  overlay_side(const settings& s, const std::vector<bench_device>& devices, contest& c)
    : sessions_(s.sessions), contest_(c) {
    for (int i = 0; i < s.sessions; ++i) {
      const auto& d = devices[static_cast<std::size_t>(i)];
      admitted_.push_back({(i + 1) * 64LL, d.uuid, d.keys.public_key});
      ids_.push_back((i + 1) * 64LL);
    }
    runtime::edge_supervisor::options o;
    o.program = SLIPWAY_BENCH_EDGE;
    o.arguments = {};
    o.endpoint = "tcp://127.0.0.1:0";
    o.keys = runtime::make_curve_keys();
    o.limits.keepalive_ms = 600'000;  // the clients send no pings
    const auto joined = std::make_shared<std::atomic<bool>>(false);
    edge_ = std::make_unique<runtime::edge_supervisor>(
      o,
      runtime::edge_supervisor::callbacks{
        [this] { return admitted_; },
        [joined](const std::string&) { *joined = true; },
        nullptr,
        nullptr,
        nullptr,
        nullptr});
    if (!edge_->start()) {
      die("the edge does not start");
    }
    while (!*joined) {
      pause_ms(10);
    }
    const auto endpoint = edge_->endpoint();
    contest_.port = std::atoi(endpoint.c_str() + endpoint.rfind(':') + 1);
    std::strcpy(contest_.server_key.data(), o.keys.public_key.c_str());
    pause_ms(500);  // the table is in before memory is measured
  }

  [[nodiscard]] pid_t pid() const { return edge_->pid(); }
  std::int64_t send() {
    const bool sent = edge_->notify(
      {{++last_,
        messages::notice_kind::update,
        runtime::now_ms() + 600'000,
        "{\"" + std::string(payload_bytes, 'x') + "\":1}"},
       ids_});
    return sent ? now_ns() : -1;
  }

  /// Asks `count` devices in turn, so many at a time; how long each took, ms.
  std::vector<double> ask(int count, int at_once) {
    call_round r;
    for (int i = 0; i < count; ++i) {
      std::unique_lock lock(r.mutex);
      r.changed.wait(lock, [&] { return r.in_flight < at_once; });
      ++r.in_flight;
      lock.unlock();
      const auto begin = now_ns();
      const auto device = ids_[static_cast<std::size_t>(i) % ids_.size()];
      edge_->call(
        device,
        {0, "POST", "/v1/restart", R"({"appId":7})", 50'000},
        [&r, begin](const messages::call_result& answer) {
          const std::lock_guard guard(r.mutex);
          r.failed += answer.outcome == messages::call_outcome::answered ? 0 : 1;
          r.took.push_back(static_cast<double>(now_ns() - begin) / 1e6);
          --r.in_flight;
          r.changed.notify_one();
        });
    }
    std::unique_lock lock(r.mutex);
    r.changed.wait(lock, [&] { return r.in_flight == 0; });
    if (r.failed > 0) {
      die(std::to_string(r.failed) + " calls were not answered");
    }
    return r.took;
  }

private:
  struct call_round {
    std::mutex mutex;
    std::condition_variable changed;
    int in_flight = 0;
    int failed = 0;
    std::vector<double> took;
  };
  int sessions_;
  contest& contest_;
  std::vector<messages::admitted_device> admitted_;
  std::vector<std::int64_t> ids_;
  std::uint64_t last_ = 0;
  std::unique_ptr<runtime::edge_supervisor> edge_;
};

int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
  }
  ::close(fd);
  return -1;
}

/// mosquitto with a TLS listener for subscribers and a plain one for the publisher, which favours it a little.
class mosquitto_side {
public:
  mosquitto_side(const std::string& program, contest& c) {
    std::string name = (std::filesystem::temp_directory_path() / "bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      die("no temporary folder");
    }
    folder_ = name;
    const auto key = name + "/key.pem";
    const auto certificate = name + "/cert.pem";
    const auto make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
      "-subj /CN=localhost -days 2 -keyout "
      + key + " -out " + certificate + " 2>/dev/null";
    if (std::system(make.c_str()) != 0) {
      die("openssl cannot make a certificate");
    }
    c.port = free_port();
    const int plain = free_port();
    std::ofstream(name + "/conf")
      << "user root\npersistence false\nlog_type error\nlistener " << c.port
      << " 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\ntls_version tlsv1.3\ncertfile "
      << certificate << "\nkeyfile " << key << "\nlistener " << plain
      << " 127.0.0.1\nallow_anonymous true\n";
    const auto child = runtime::spawn_child(program, {"-c", name + "/conf"}, "");
    if (!child) {
      die(child.error().detail);
    }
    pid_ = *child;
    started.push_back(pid_);
    for (int i = 0; i < 500 && publisher_ < 0; ++i) {
      pause_ms(20);
      publisher_ = connect_to(plain);
    }
    const std::string hello("\x10\x0f\0\4MQTT\4\2\0\0\0\3pub", 17);
    char answer[4];
    if (
      publisher_ < 0 || ::write(publisher_, hello.data(), hello.size()) != 17
      || ::read(publisher_, answer, sizeof answer) != 4) {
      die("mosquitto does not answer");
    }
  }
  ~mosquitto_side() {
    ::close(publisher_);
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::int64_t send() const {
    const std::string body = std::string("\0\3fan", 5) + std::string(payload_bytes + 40, 'x');
    std::string packet("\x30");
    packet += static_cast<char>(0x80U | (body.size() & 0x7fU));
    packet += static_cast<char>(body.size() >> 7U);
    packet += body;
    const auto n = ::write(publisher_, packet.data(), packet.size());
    return n == static_cast<ssize_t>(packet.size()) ? now_ns() : -1;
  }

private:
  std::string folder_;
  pid_t pid_ = -1;
  int publisher_ = -1;
};

std::string slipwayd_program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "slipwayd").string();
}

std::string find_mosquitto() {
  for (const char* p : {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"}) {
    if (::access(p, X_OK) == 0) {
      return p;
    }
  }
  return "";
}

settings parse(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (a == "--quick") {
      s.core = true;  // and the edge alone
      s.quick = true;
      s.sessions = 200;
      s.rounds = 3;
    } else if (a == "--core") {
      s.core = true;
      s.overlay = s.quick;
    } else if (a == "--sessions") {
      s.sessions = std::clamp(std::atoi(value), 1, sessions_most);
      ++i;
    } else if (a == "--rounds") {
      s.rounds = std::max(1, std::atoi(value));
      ++i;
    } else if (a == "--only") {
      s.mosquitto = std::string(value) == "mosquitto";
      s.core = std::string(value) == "core";
      s.overlay = !s.mosquitto && !s.core;
      ++i;
    } else {
      die("unknown option " + a);
    }
  }
  return s;
}

std::vector<bench_device> make_devices(int count) {
  std::vector<bench_device> out;
  for (int i = 0; i < count; ++i) {
    out.push_back({runtime::random_hex(32), runtime::make_curve_keys()});
  }
  return out;
}

}  // namespace

int slipway::bench::free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  if (
    ::bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) != 0
    || ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) != 0) {
    die("no free port");
  }
  ::close(fd);
  return ntohs(a.sin_port);
}

namespace {

/// What takes part in the rounds.
struct party {
  const char* name = "";
  contest* c = nullptr;
  pid_t server = -1;
  std::function<void()> prepare = {};
  std::function<std::int64_t()> send = {};
  figures found = {};
};

void print_core(core_side& core, const figures& f) {
  std::printf(
    "core       from the release's last step being answered: p50 %.1f ms  p99 %.1f ms  last %.1f "
    "ms; answered %.1f ms after it was sent\n",
    median(f.p50_after),
    median(f.p99_after),
    median(f.last_after),
    median(f.answered));
  std::printf(
    "core       registered %.0f devices/s  server RSS %.0f MB with %d online  edge RSS %.0f MB\n",
    core.registered_per_second(),
    resident_kb(core.server()) / 1024,
    core.online(),
    resident_kb(core.edge()) / 1024);
}

void wait_online(core_side& core, int sessions) {
  const auto t0 = now_ns();
  while (core.online() < sessions) {
    if (static_cast<double>(now_ns() - t0) / 1e9 > online_seconds_max) {
      die("the server takes only " + std::to_string(core.online()) + " devices for online");
    }
    pause_ms(200);
  }
}

/// A request to a device and its answer: core, bus, edge, device and back.
void print_calls(overlay_side& side, int sessions) {
  for (const int at_once : {1, 64}) {
    const int count = std::min(sessions, 5'000) * (at_once == 1 ? 2 : 8);
    const auto began = now_ns();
    auto took = side.ask(count, at_once);
    const auto seconds = static_cast<double>(now_ns() - began) / 1e9;
    std::sort(took.begin(), took.end());
    const auto at = [&](double part) {
      return took[static_cast<std::size_t>(part * static_cast<double>(took.size() - 1))];
    };
    std::printf(
      "calls      %d devices, %d at once: p50 %.2f ms  p99 %.2f ms  max %.2f ms  %.0f/s\n",
      sessions,
      at_once,
      at(0.5),
      at(0.99),
      at(1),
      count / seconds);
  }
}

void run(
  const settings& s,
  contest& ours,
  contest& cores,
  contest& theirs,
  const std::vector<bench_device>& devices) {
  std::unique_ptr<overlay_side> overlay;
  std::unique_ptr<core_side> core;
  std::unique_ptr<mosquitto_side> mosquitto;
  std::vector<party> parties;
  if (s.overlay) {
    overlay = std::make_unique<overlay_side>(s, devices, ours);
    parties.push_back({"overlay", &ours, overlay->pid(), nullptr, [&] { return overlay->send(); }});
    connect_all(ours, s.sessions, overlay->pid(), parties.back().found);
  }
  if (s.core) {
    core = std::make_unique<core_side>(slipwayd_program(), devices, cores);
    parties.push_back(
      {"core",
       &cores,
       core->edge(),
       [&] { core->prepare_release(); },
       [&] { return core->finish_release(); }});
    pause_ms(500);  // the table is in before memory is measured
    connect_all(cores, s.sessions, core->edge(), parties.back().found);
    wait_online(*core, s.sessions);
  }
  if (s.mosquitto) {
    mosquitto = std::make_unique<mosquitto_side>(find_mosquitto(), theirs);
    parties.push_back(
      {"mosquitto", &theirs, mosquitto->pid(), nullptr, [&] { return mosquitto->send(); }});
    connect_all(theirs, s.sessions, mosquitto->pid(), parties.back().found);
  }
  for (int i = 0; i < s.rounds; ++i) {
    for (auto& p : parties) {
      if (p.prepare) {
        p.prepare();
        pause_ms(300);
      }
      round(p.name, *p.c, s.sessions, p.server, p.send, p.found);
    }
  }
  for (const auto& p : parties) {
    print(p.name, s, p.found);
    if (const int back = p.c->rejoined; back > 0) {
      std::printf("%-10s %d sessions were lost and came back\n", p.name, back);
    }
    if (core && p.c == &cores) {
      print_core(*core, p.found);
    }
  }
  if (overlay) {
    print_calls(*overlay, s.sessions);
  }
  for (std::size_t i = 0; mosquitto && i + 1 < parties.size(); ++i) {
    const auto& f = parties[i].found;
    const auto& m = parties.back().found;
    std::printf(
      "ratio      mosquitto/%s: last %.2f  p50 %.2f  server cpu %.2f\n",
      parties[i].name,
      median(m.last) / median(f.last),
      median(m.p50) / median(f.p50),
      median(m.cpu) / std::max(0.01, median(f.cpu)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  auto s = parse(argc, argv);
  if (s.mosquitto && find_mosquitto().empty()) {
    std::printf("mosquitto is not installed: left out\n");
    s.mosquitto = false;
  }
  std::printf("load       %.2f\n", [] {
    double now = 0;
    ::getloadavg(&now, 1);
    return now;
  }());
  std::fflush(stdout);  // before the forks
  auto& ours = share();
  auto& cores = share();
  auto& theirs = share();
  const auto devices = make_devices(s.overlay || s.core ? s.sessions : 0);
  for (auto* c : {&ours, &cores}) {
    if (c == &ours ? s.overlay : s.core) {
      fork_clients(*c, s.sessions, [&devices, c](int first, int last) {
        run_overlay_clients(*c, devices, first, last);
      });
    }
  }
  if (s.mosquitto) {
    fork_clients(theirs, s.sessions, [&](int first, int last) {
      run_mqtt_clients(theirs, first, last);
    });
  }
  try {
    run(s, ours, cores, theirs, devices);
  } catch (const std::exception& e) {
    die(e.what());
  }
  end_all();
  return 0;
}
