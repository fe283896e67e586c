// Appends from several threads and says what was acknowledged, until it is done or killed.
//   storage_crash_child append FOLDER ROUNDS | storage_crash_child rebuild FOLDER
// Lines: `ack PARTITION SEQ ENTITY VERSION`, `id ID`.

#include "runtime/crypto.hpp"
#include "storage/embedded_store.hpp"
#include "tests/support/test_schema.hpp"

#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace slipway;
using namespace slipway::tests;

namespace {

constexpr int threads = 4;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "storage_crash_child: %s\n", what.c_str());
  std::_Exit(3);
}

// One write(2) a line: what the parent has read was said before the process died.
void say(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    die("cannot write");
  }
}

/// Gathers what waits into one append, as the journal does.
class group_commit {
public:
  explicit group_commit(storage::event_log& log) : log_(log) {}

  messages::appended append(messages::commit c) {
    std::unique_lock lock(mutex_);
    const auto mine = ticket_++;
    waiting_.push_back(std::move(c));
    while (done_upto_ <= mine) {
      if (busy_) {
        changed_.wait(lock);
        continue;
      }
      busy_ = true;
      const auto batch = std::move(waiting_);
      waiting_.clear();
      lock.unlock();
      auto answers = log_.append(batch);
      lock.lock();
      for (auto& a : answers) {
        if (!a) {
          die(a.error().detail);
        }
        answers_.push_back(*a);
      }
      done_upto_ += batch.size();
      busy_ = false;
      changed_.notify_all();
    }
    return answers_[mine];
  }

private:
  storage::event_log& log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<messages::commit> waiting_;
  std::vector<messages::appended> answers_;
  std::size_t ticket_ = 0;
  std::size_t done_upto_ = 0;
  bool busy_ = false;
};

void acknowledge(const messages::commit& c, const messages::appended& a) {
  say(
    "ack " + std::to_string(a.position.partition) + " " + std::to_string(a.position.seq) + " "
    + std::to_string(c.entity.id) + " " + std::to_string(a.version) + "\n");
}

messages::commit commit_of(std::int64_t entity, std::uint64_t version) {
  messages::commit c;
  c.entity = {messages::entity_kind::device, entity};
  c.expected_version = version;
  c.time = 1'795'428'832'331;
  const auto id = runtime::random_bytes(c.command.size());
  std::memcpy(c.command.data(), id.data(), id.size());
  return c;
}

// Each commit writes the same number to a device and to its tag: a half commit shows.
void work(storage::store& store, group_commit& group, int thread, int rounds) {
  const auto device = store.log->next_id(thread);
  const auto tag = store.log->next_id(thread);
  say("id " + std::to_string(device) + "\nid " + std::to_string(tag) + "\n");
  auto c = commit_of(device, 0);
  c.events = {
    {messages::event_type::row_created,
     devices::resource,
     device,
     {{devices::uuid, std::to_string(device)}, {devices::progress, std::int64_t{0}}}},
    {messages::event_type::row_created,
     tags::resource,
     tag,
     {{tags::device, device}, {tags::key, std::string("n")}, {tags::value, std::string("0")}}}};
  auto done = group.append(c);
  acknowledge(c, done);
  for (std::int64_t n = 1; n <= rounds; ++n) {
    c = commit_of(device, done.version);
    c.events = {
      {messages::event_type::row_changed,
       devices::resource,
       device,
       {{devices::progress, n},
        {devices::note, std::string(static_cast<std::size_t>(n % 50), 'n')}}},
      {messages::event_type::row_changed, tags::resource, tag, {{tags::value, std::to_string(n)}}}};
    done = group.append(c);
    acknowledge(c, done);
    if (n % 5 == 0 && !store.snapshots->put(c.entity, std::to_string(n))) {
      die("snapshot");
    }
  }
}

void append(const std::string& folder, int rounds) {
  auto store = storage::open_embedded({folder, nullptr, test_schema()});
  if (!store) {
    die(store.error().detail);
  }
  group_commit group(*store->log);
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] { work(*store, group, t, rounds); });
  }
  for (auto& worker : workers) {
    worker.join();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "append") == 0) {
    append(argv[2], std::atoi(argv[3]));
    return 0;
  }
  if (argc == 3 && std::strcmp(argv[1], "rebuild") == 0) {
    const auto report = storage::rebuild({argv[2], nullptr, test_schema()});
    return report && report->identical ? 0 : 3;
  }
  die("usage: storage_crash_child append FOLDER ROUNDS | rebuild FOLDER");
}
