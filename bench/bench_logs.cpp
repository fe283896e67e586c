// Device logs from many devices at once through hub, writer and store, with a reader that follows one of them, beside a bare
// RocksDB that writes the same records in batches of the same size, in one run and in turns.
//   bench_logs [--quick] [--dir FOLDER]

#include "actors/log_writer.hpp"
#include "gateways/call_waiter.hpp"
#include "gateways/device/log_hub.hpp"
#include "messages/codec.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace slipway;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t devices = 1000;
constexpr std::size_t batch_lines = 10;
constexpr std::size_t message_bytes = 120;

struct settings {
  bool quick = false;
  std::string folder = "/tmp";
  double seconds = 5;
  int rounds = 3;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_logs: %s\n", what.c_str());
  std::exit(1);
}

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
           std::chrono::steady_clock::now().time_since_epoch())
    .count();
}

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

std::size_t rss_kb() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) {
      return std::strtoull(line.c_str() + 6, nullptr, 10);
    }
  }
  return 0;
}

std::uintmax_t bytes_of(const fs::path& folder) {
  std::uintmax_t n = 0;
  for (const auto& f : fs::recursive_directory_iterator(folder)) {
    n += f.is_regular_file() ? f.file_size() : 0;
  }
  return n;
}

/// Text as programs log it: words that come again, numbers that do not.
std::string message_of(std::uint64_t n) {
  auto text = "GET /api/v1/items/" + std::to_string(n * 2'654'435'761U % 1'000'003) + " 200 in "
              + std::to_string(n % 97) + " ms from 10.0." + std::to_string(n % 251) + ".7 ";
  while (text.size() < message_bytes) {
    text += "user-agent=client/1.2 ";
  }
  text.resize(message_bytes);
  return text;
}

storage::log_batch batch_of(std::int64_t device, std::uint64_t n) {
  storage::log_batch b{device, {}};
  for (std::size_t i = 0; i < batch_lines; ++i) {
    // The reader takes the time of sending from the record.
    b.lines.push_back(
      {runtime::now_ms(), now_us(), 7, false, false, message_of(n * batch_lines + i)});
  }
  return b;
}

double quantile(std::vector<std::int64_t>& us, double q) {
  if (us.empty()) {
    return 0;
  }
  std::sort(us.begin(), us.end());
  return static_cast<double>(us[static_cast<std::size_t>(q * static_cast<double>(us.size() - 1))])
         / 1000;
}

struct measure {
  std::uint64_t records = 0;
  double wall = 0;
  double cpu = 0;
  std::vector<std::int64_t> live_us;  // sent to readable at the reader
  [[nodiscard]] double rate() const { return static_cast<double>(records) / wall; }
};

void print(const char* workload, const char* who, measure& m, double ratio) {
  std::printf(
    R"({"workload":"%s","who":"%s","records_per_s":%.0f,"cpu_us":%.2f,"live_p50_ms":%.2f,"live_p99_ms":%.2f,"ratio_to_bare_rocksdb":%.2f})"
    "\n",
    workload,
    who,
    m.rate(),
    m.cpu * 1e6 / static_cast<double>(std::max<std::uint64_t>(m.records, 1)),
    quantile(m.live_us, 0.5),
    quantile(m.live_us, 0.99),
    ratio);
  std::fflush(stdout);
}

/// The whole path of a record but HTTP.
class slipway_logs {
public:
  explicit slipway_logs(const std::string& path) : path_(path), system_(config_) {
    storage::device_log_options o;
    o.path = path;
    auto opened = storage::open_device_logs(o);
    if (!opened) {
      die(opened.error().detail);
    }
    store_ = std::move(*opened);
    hub_ = std::make_shared<gateways::device::log_hub>(store_);
    actors::log_writer_links links;
    links.store = store_;
    links.exists = [](std::int64_t) { return true; };
    links.written = [h = hub_.get()](std::int64_t d, const storage::log_extent& at) {
      h->written(d, at);
    };
    links.now_ms = runtime::now_ms;
    links.steady_ms = runtime::steady_ms;
    writer_ = actors::spawn_log_writer(system_, links);
    hub_->connect([w = writer_](std::shared_ptr<actors::log_append> a) {
      caf::anon_send(w, actors::log_append_ptr(std::move(a)));
    });
  }
  ~slipway_logs() {
    caf::scoped_actor self(system_);
    caf::anon_send_exit(writer_, caf::exit_reason::user_shutdown);
    self->wait_for(writer_);
  }
  slipway_logs(const slipway_logs&) = delete;
  slipway_logs& operator=(const slipway_logs&) = delete;

  /// Every device sends its next batch `pause_ms` after the last one is on disk; device 1 is read.
  void run(double seconds, std::int64_t pause_ms, measure& m) {
    asio::io_context context(1);
    const auto until = runtime::steady_ms() + static_cast<std::int64_t>(seconds * 1000);
    const auto cpu = cpu_seconds();
    const auto begin = now_us();
    for (std::int64_t d = 1; d <= devices; ++d) {
      asio::co_spawn(context, send(context, d, until, pause_ms, m), asio::detached);
    }
    asio::co_spawn(context, read(context, until, m), asio::detached);
    context.run();
    m.wall += static_cast<double>(now_us() - begin) / 1e6;
    m.cpu += cpu_seconds() - cpu;
  }
  [[nodiscard]] double bytes_per_record(std::uint64_t records) const {
    return static_cast<double>(bytes_of(path_)) / static_cast<double>(records);
  }

private:
  static asio::awaitable<void> pause(asio::io_context& context, std::int64_t ms) {
    asio::steady_timer timer(context);
    timer.expires_after(std::chrono::milliseconds(ms));
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  asio::awaitable<void> send(
    asio::io_context& context,
    std::int64_t device,
    std::int64_t until,
    std::int64_t pause_ms,
    measure& m) {
    if (pause_ms > 0) {
      co_await pause(context, device * pause_ms / devices);
    }
    while (runtime::steady_ms() < until) {
      auto batch = batch_of(device, m.records);
      const auto done = co_await hub_->append(context.get_executor(), std::move(batch), true);
      if (!done) {
        die(done.error().detail);
      }
      m.records += batch_lines;
      if (pause_ms > 0) {
        co_await pause(context, pause_ms);
      }
    }
  }
  asio::awaitable<void> read(asio::io_context& context, std::int64_t until, measure& m) {
    auto tail = hub_->tail(1);
    if (!tail) {
      die(tail.error().detail);
    }
    gateways::call_waiter waiter(context.get_executor());
    const auto wake = std::make_shared<gateways::device::log_tail::waker>(waiter.caller());
    (*tail)->add(wake);
    gateways::device::log_feed feed(*tail, (*tail)->head(), 0, runtime::now_ms());
    while (runtime::steady_ms() < until) {
      const auto text = feed.next(runtime::now_ms());
      if (!text) {
        die(text.error().detail);
      }
      if (!*text) {
        co_await waiter.wait(100);
        continue;
      }
      const auto now = now_us();
      std::string_view rest = **text;
      while (!rest.empty() && rest != "\n") {
        const auto end = rest.find('\n');
        const auto j = messages::parse_json(rest.substr(0, end));
        m.live_us.push_back(now - j->at("timestamp").get<std::int64_t>());
        rest.remove_prefix(end + 1);
      }
    }
  }

  std::string path_;
  caf::actor_system_config config_;
  caf::actor_system system_;
  std::shared_ptr<storage::device_logs> store_;
  std::shared_ptr<gateways::device::log_hub> hub_;
  actors::log_writer_actor writer_;
};

/// The least that RocksDB can be asked for: the same records, as many to a synced batch as 1,000 devices have waiting.
class bare_rocksdb {
public:
  explicit bare_rocksdb(const std::string& path) {
    rocksdb::Options o;
    o.create_if_missing = true;
    o.max_background_jobs = 2;
    o.compression = rocksdb::kLZ4Compression;
    o.bottommost_compression = rocksdb::kZSTD;
    o.write_buffer_size = 8U << 20U;
    rocksdb::DB* db = nullptr;
    if (const auto s = rocksdb::DB::Open(o, path, &db); !s.ok()) {
      die(s.ToString());
    }
    db_.reset(db);
  }
  void run(double seconds, measure& m) {
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto until = runtime::steady_ms() + static_cast<std::int64_t>(seconds * 1000);
    const auto cpu = cpu_seconds();
    const auto begin = now_us();
    while (runtime::steady_ms() < until) {
      rocksdb::WriteBatch batch;
      for (std::int64_t d = 1; d <= devices; ++d) {
        const auto lines = batch_of(d, m.records);
        for (const auto& line : lines.lines) {
          std::array<char, 16> key{};
          const auto device = __builtin_bswap64(static_cast<std::uint64_t>(d));
          const auto number = __builtin_bswap64(++m.records);
          std::memcpy(key.data(), &device, 8);
          std::memcpy(key.data() + 8, &number, 8);
          batch.Put({key.data(), key.size()}, messages::pack(line));
        }
      }
      if (const auto s = db_->Write(synced, &batch); !s.ok()) {
        die(s.ToString());
      }
    }
    m.wall += static_cast<double>(now_us() - begin) / 1e6;
    m.cpu += cpu_seconds() - cpu;
  }

private:
  std::unique_ptr<rocksdb::DB> db_;
};

void run(const settings& s) {
  const fs::path folder = fs::path(s.folder) / ("bench-logs-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  {
    slipway_logs ours((folder / "ours").string());
    bare_rocksdb bare((folder / "bare").string());
    measure our;
    measure their;
    for (int i = 0; i < s.rounds; ++i) {
      ours.run(s.seconds, 0, our);
      bare.run(s.seconds, their);
    }
    print("ingest_1000", "bare_rocksdb", their, 1);
    print("ingest_1000", "slipway", our, our.rate() / their.rate());
    measure paced;
    ours.run(s.seconds, 1000, paced);
    print("paced_1000", "slipway", paced, 0);
    std::printf(
      R"({"workload":"disk","who":"slipway","bytes_per_record":%.0f,"message_bytes":%zu,"rss_kb":%zu})"
      "\n",
      ours.bytes_per_record(our.records + paced.records),
      message_bytes,
      rss_kb());
  }
  fs::remove_all(folder);
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--quick") {
      s.quick = true;
      s.seconds = 0.5;
      s.rounds = 1;
    } else if (a == "--dir" && i + 1 < argc) {
      s.folder = argv[++i];
    } else {
      die("usage: bench_logs [--quick] [--dir FOLDER]");
    }
  }
  run(s);
}
