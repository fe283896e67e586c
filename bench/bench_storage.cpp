// Appends and replay of the embedded store, beside a bare batching RocksDB writer and beside append + fdatasync on a file, in
// one run and in turns, so that the ratios mean something on a busy machine.
//   bench_storage [--quick] [--dir FOLDER] [--only WORKLOAD]

#include "domain/resource_model.hpp"
#include "storage/embedded_store.hpp"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

using namespace slipway;

namespace {

constexpr std::size_t event_bytes = 200;

struct settings {
  bool quick = false;
  std::string folder = "/tmp";
  std::string only;
  double seconds = 4;  // of one workload and one contestant
  int rounds = 8;      // in turns
  std::size_t replayed = 1'000'000;
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "bench_storage: %s\n", what.c_str());
  std::exit(1);
}

double cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct measure {
  std::size_t events = 0;
  double wall = 0;
  double cpu = 0;
  std::vector<double> waits;  // of each call, seconds

  /// Runs `call`, which does `n` events, for `seconds`.
  void run(double seconds, std::size_t n, const std::function<void()>& call) {
    const auto cpu_before = cpu_seconds();
    const auto start = now_seconds();
    auto last = start;
    do {
      call();
      const auto t = now_seconds();
      waits.push_back(t - last);
      last = t;
      events += n;
    } while (last - start < seconds);
    wall += last - start;
    cpu += cpu_seconds() - cpu_before;
  }
  [[nodiscard]] double rate() const { return static_cast<double>(events) / wall; }
  [[nodiscard]] double cpu_us() const { return cpu * 1e6 / static_cast<double>(events); }
  [[nodiscard]] double wait_us(double quantile) {
    std::sort(waits.begin(), waits.end());
    const auto i = static_cast<std::size_t>(quantile * static_cast<double>(waits.size() - 1));
    return waits[i] * 1e6;
  }
};

void print(const char* workload, const char* who, measure& m, double ratio) {
  std::printf(
    R"({"workload":"%s","who":"%s","events_per_s":%.0f,"cpu_us":%.2f,"p50_us":%.0f,"p99_us":%.0f,"max_us":%.0f,"ratio_to_batching_rocksdb":%.2f})"
    "\n",
    workload,
    who,
    m.rate(),
    m.cpu_us(),
    m.wait_us(0.5),
    m.wait_us(0.99),
    m.wait_us(1),
    ratio);
  std::fflush(stdout);
}

/// The least that RocksDB can be asked for: one put of 200 bytes for each event, one synced batch for each call.
class bare_rocksdb {
public:
  explicit bare_rocksdb(const std::string& path) {
    rocksdb::Options o;
    o.create_if_missing = true;
    o.max_background_jobs = 2;
    o.compression = rocksdb::kLZ4Compression;
    o.bottommost_compression = rocksdb::kZSTD;
    o.write_buffer_size = 32U << 20U;
    o.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(8));
    rocksdb::BlockBasedTableOptions t;
    t.block_size = 16U << 10U;
    t.checksum = rocksdb::kXXH3;
    t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    t.whole_key_filtering = false;
    o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
    rocksdb::DB* db = nullptr;
    if (const auto s = rocksdb::DB::Open(o, path, &db); !s.ok()) {
      die(s.ToString());
    }
    db_.reset(db);
    sync_.sync = true;
  }

  void append(std::size_t n, std::string_view payload) {
    batch_.Clear();
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t parts[2] = {__builtin_bswap64(i), __builtin_bswap64(++seq_)};
      batch_.Put(
        rocksdb::Slice(reinterpret_cast<const char*>(parts), sizeof parts),
        rocksdb::Slice(payload.data(), payload.size()));
    }
    if (const auto s = db_->Write(sync_, &batch_); !s.ok()) {
      die(s.ToString());
    }
  }

  std::size_t scan() {
    rocksdb::ReadOptions o;
    o.total_order_seek = true;
    o.fill_cache = false;
    o.readahead_size = 2U << 20U;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(o));
    std::size_t n = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      n += it->value().empty() ? 0 : 1;
    }
    return n;
  }

private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions sync_;
  rocksdb::WriteBatch batch_;
  std::uint64_t seq_ = 0;
};

class raw_file {
public:
  explicit raw_file(const std::string& path)
    : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (fd_ < 0) {
      die("cannot open " + path);
    }
  }
  raw_file(const raw_file&) = delete;
  raw_file& operator=(const raw_file&) = delete;
  ~raw_file() { ::close(fd_); }
  void append(std::string_view bytes) const {
    if (
      ::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())
      || ::fdatasync(fd_) != 0) {
      die("cannot write");
    }
  }

private:
  int fd_;
};

storage::store open_store(const std::string& path) {
  auto s = storage::open_embedded({path, nullptr, domain::resource_model()});
  if (!s) {
    die(s.error().detail);
  }
  return std::move(*s);
}

/// Each of `n` waiting writers is an entity of its own; all have one commit waiting when the writer comes round.
std::vector<messages::commit> notes(std::size_t n, const std::string& payload) {
  std::vector<messages::commit> commits(n);
  for (std::size_t i = 0; i < n; ++i) {
    commits[i].entity = {messages::entity_kind::device, static_cast<std::int64_t>(64 + i)};
    commits[i].time = 1'795'428'832'331;
    commits[i].actor = 65;
    commits[i].events.push_back(
      {messages::event_type::note, 0, 0, {{0, messages::value(payload)}}});
  }
  return commits;
}

void append_all(storage::event_log& log, std::vector<messages::commit>& commits) {
  const auto answers = log.append(commits);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) {
      die(answers[i].error().detail);
    }
    commits[i].expected_version = answers[i]->version;
  }
}

void bench_append(const settings& s, const std::string& folder, std::size_t writers) {
  const auto name = "append_" + std::to_string(writers);
  if (!s.only.empty() && s.only != name) {
    return;
  }
  const std::string payload(event_bytes, 'e');
  const std::string joined(event_bytes * writers, 'e');
  const auto store = open_store(folder + "/" + name);
  bare_rocksdb bare(folder + "/" + name + ".bare");
  const raw_file raw(folder + "/" + name + ".raw");
  auto commits = notes(writers, payload);
  measure ours;
  measure theirs;
  measure one_by_one;
  measure at_once;
  const auto part = s.seconds / s.rounds;
  for (int round = 0; round < s.rounds; ++round) {
    ours.run(part, writers, [&] { append_all(*store.log, commits); });
    theirs.run(part, writers, [&] { bare.append(writers, payload); });
    one_by_one.run(part / 2, 1, [&] { raw.append(payload); });
    at_once.run(part / 2, writers, [&] { raw.append(joined); });
  }
  print(name.c_str(), "slipway", ours, ours.rate() / theirs.rate());
  print(name.c_str(), "batching rocksdb", theirs, 1);
  print(
    name.c_str(),
    "raw append+fdatasync of each",
    one_by_one,
    one_by_one.rate() / theirs.rate());
  print(name.c_str(), "raw append+fdatasync of all", at_once, at_once.rate() / theirs.rate());
}

/// What a device's state report does: a few fields of its row, among them none that is indexed.
void bench_rows(const settings& s, const std::string& folder) {
  const std::string name = "append_rows";
  if (!s.only.empty() && s.only != name) {
    return;
  }
  constexpr std::size_t devices = 1024;
  constexpr std::size_t writers = 64;
  const auto model = domain::resource_model();
  const auto& device = model->at("device");
  const auto store = open_store(folder + "/" + name);
  std::vector<messages::commit> commits(devices);
  for (std::size_t i = 0; i < devices; ++i) {
    const auto id = static_cast<std::int64_t>(64 + i);
    messages::event created{messages::event_type::row_created, device.number, id, {}};
    const auto set = [&](const char* field, messages::value v) {
      created.values.push_back({device.field(field), std::move(v)});
    };
    set("uuid", std::string(26, 'u') + std::to_string(100'000 + i));
    set("device_name", "device " + std::to_string(i));
    set("belongs_to__application", std::int64_t{64});
    set("is_of__device_type", std::int64_t{128});
    set("os_version", std::string("balenaOS 5.3.21"));
    set("supervisor_version", std::string("17.0.1"));
    set("ip_address", std::string("192.168.1.17 10.114.101.1"));
    set("mac_address", std::string("B8:27:EB:00:00:01"));
    set("api_heartbeat_state", std::string("online"));
    set("status", std::string("Idle"));
    set("memory_usage", std::int64_t{400});
    set("memory_total", std::int64_t{3839});
    set("cpu_usage", std::int64_t{3});
    set("is_active", true);
    commits[i].entity = {messages::entity_kind::device, id};
    commits[i].time = 1'795'428'832'331;
    commits[i].events.push_back(std::move(created));
  }
  append_all(*store.log, commits);
  for (auto& c : commits) {
    const auto id = c.entity.id;
    c.events = {
      {messages::event_type::row_changed,
       device.number,
       id,
       {{device.field("memory_usage"), std::int64_t{401}},
        {device.field("cpu_usage"), std::int64_t{7}},
        {device.field("status"), std::string("Downloading")}}}};
  }
  bare_rocksdb bare(folder + "/" + name + ".bare");
  const std::string payload(event_bytes, 'e');
  measure ours;
  measure theirs;
  std::size_t next = 0;
  std::int64_t tick = 0;
  std::vector<messages::commit> call(writers);
  const auto part = s.seconds / s.rounds;
  for (int round = 0; round < s.rounds; ++round) {
    ours.run(part, writers, [&] {
      for (std::size_t i = 0; i < writers; ++i) {
        auto& c = commits[(next + i) % devices];
        c.events[0].values[0].value = ++tick;
        std::swap(call[i], c);
      }
      append_all(*store.log, call);
      for (std::size_t i = 0; i < writers; ++i) {
        std::swap(call[i], commits[(next + i) % devices]);
      }
      next += writers;
    });
    theirs.run(part, writers, [&] { bare.append(writers, payload); });
  }
  print(name.c_str(), "slipway", ours, ours.rate() / theirs.rate());
  print(name.c_str(), "batching rocksdb, events only", theirs, 1);
}

void bench_replay(const settings& s, const std::string& folder) {
  const std::string name = "replay";
  if (!s.only.empty() && s.only != name) {
    return;
  }
  std::string payload;
  while (payload.size() < event_bytes) {
    payload += R"({"status":"Idle","progress":)" + std::to_string(payload.size() * 7919) + "},";
  }
  payload.resize(event_bytes);
  constexpr std::size_t writers = 1000;
  const auto store = open_store(folder + "/" + name);
  bare_rocksdb bare(folder + "/" + name + ".bare");
  auto commits = notes(writers, payload);
  for (std::size_t n = 0; n < s.replayed; n += writers) {
    append_all(*store.log, commits);
    bare.append(writers, payload);
  }
  measure ours;
  measure theirs;
  for (int round = 0; round < 3; ++round) {
    std::size_t seen = 0;
    ours.run(0, s.replayed, [&] {
      for (int p = 0; p < messages::partition_count; ++p) {
        const auto done = store.log->read(p, 1, [&seen](const messages::log_record& r) {
          seen += r.commit.events.size();
          return true;
        });
        if (!done) {
          die(done.error().detail);
        }
      }
    });
    if (seen != s.replayed) {
      die("replayed " + std::to_string(seen));
    }
    theirs.run(0, s.replayed, [&] {
      if (bare.scan() != s.replayed) {
        die("scan");
      }
    });
  }
  print(name.c_str(), "slipway", ours, ours.rate() / theirs.rate());
  print(name.c_str(), "bare scan", theirs, 1);
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg(argv[i]);
    if (arg == "--quick") {
      s.quick = true;
      s.seconds = 0.06;
      s.rounds = 2;
      s.replayed = 10'000;
    } else if (arg == "--dir" && i + 1 < argc) {
      s.folder = argv[++i];
    } else if (arg == "--only" && i + 1 < argc) {
      s.only = argv[++i];
    } else {
      die("usage: bench_storage [--quick] [--dir FOLDER] [--only WORKLOAD]");
    }
  }
  auto folder = s.folder + "/slipway-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    die("cannot make a folder in " + s.folder);
  }
  for (const std::size_t writers : {1U, 8U, 64U, 1000U}) {
    bench_append(s, folder, writers);
  }
  bench_rows(s, folder);
  bench_replay(s, folder);
  std::filesystem::remove_all(folder);
  return 0;
}
