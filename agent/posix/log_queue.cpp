#include "agent/posix/log_queue.hpp"

#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace slipway::agent {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;
using messages::errc;
using messages::fail;
using messages::result;

constexpr std::array<const char*, 2> state_files = {"state.a", "state.b"};
constexpr std::size_t sum_chars = 16;

class file_descriptor {
public:
  file_descriptor(const fs::path& path, int flags)
    : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~file_descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  file_descriptor(const file_descriptor&) = delete;
  file_descriptor& operator=(const file_descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_;
};

tl::unexpected<messages::error> failed(const char* what) {
  return fail(
    errno == ENOSPC || errno == EDQUOT ? errc::disk_full : errc::io_failed,
    std::string("log queue: ") + what + ": " + std::strerror(errno));
}

result<void> write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return failed("write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

std::string sum_of(std::string_view text) {
  return runtime::sha256_hex(text).substr(0, sum_chars);
}

std::uint64_t number(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

std::uint64_t count_lines(const fs::path& path, std::uint64_t from) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(from));
  return static_cast<std::uint64_t>(
    std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n'));
}

}  // namespace

fs::path log_queue::file(std::uint64_t which) const {
  return o_.folder / (std::to_string(which) + ".log");
}

result<std::unique_ptr<log_queue>> log_queue::open(options o) {
  std::error_code made;
  fs::create_directories(o.folder, made);
  if (made) {
    return fail(errc::io_failed, "log queue: " + made.message());
  }
  std::unique_ptr<log_queue> q(new log_queue(std::move(o)));
  if (auto loaded = q->load(); !loaded) {
    return tl::unexpected(loaded.error());
  }
  return q;
}

/// Version 0 when the file is missing or damaged.
log_queue::state log_queue::read_state(const char* name) const {
  std::ifstream in(o_.folder / name, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto end = all.find('\n');
  if (end == std::string::npos || all.substr(end + 1, sum_chars) != sum_of(all.substr(0, end))) {
    return {};
  }
  const auto j = messages::parse_json(all.substr(0, end));
  if (!j || !j->is_object()) {
    return {};
  }
  state s;
  s.version = number(*j, "version");
  s.head_segment = number(*j, "headSegment");
  s.head_offset = number(*j, "headOffset");
  s.tail_segment = number(*j, "tailSegment");
  s.tail_bytes = number(*j, "tailBytes");
  s.lost = number(*j, "lost");
  const auto positions = j->find("positions");
  if (positions != j->end() && positions->is_object()) {
    for (const auto& [id, p] : positions->items()) {
      if (p.is_array() && p.size() == 2 && p[0].is_number_integer() && p[1].is_number_integer()) {
        s.positions[id] = {p[0].get<std::int64_t>(), p[1].get<std::int64_t>()};
      }
    }
  }
  return s;
}

result<void> log_queue::load() {
  auto a = read_state(state_files[0]);
  auto b = read_state(state_files[1]);
  state_ = a.version >= b.version ? std::move(a) : std::move(b);
  if (
    state_.version == 0 || state_.head_segment == 0 || state_.head_segment > state_.tail_segment
    || state_.tail_segment - state_.head_segment > 10'000) {
    state_ = {};
    remove_before(~std::uint64_t{0});
  }
  remove_before(state_.head_segment);
  std::error_code ignored;
  // What came behind the last state was never taken: the engine gives it again.
  fs::remove(file(state_.tail_segment + 1), ignored);
  if (fs::file_size(file(state_.tail_segment), ignored) > state_.tail_bytes && !ignored) {
    fs::resize_file(file(state_.tail_segment), state_.tail_bytes, ignored);
  }
  for (auto n = state_.head_segment; n <= state_.tail_segment; ++n) {
    const auto size = fs::file_size(file(n), ignored);
    segment s{n, ignored ? 0 : size, 0};
    s.lines = count_lines(file(n), n == state_.head_segment ? state_.head_offset : 0);
    segments_.push_back(s);
  }
  state_.tail_bytes = segments_.back().bytes;
  state_.head_offset = std::min(state_.head_offset, segments_.front().bytes);
  return {};
}

/// In place and in turn, so that one of the two is always whole: a kill never tears one, and only a power cut can.
result<void> log_queue::save(state next) {
  next.version = state_.version + 1;
  auto positions = json::object();
  for (const auto& [id, p] : next.positions) {
    positions[id] = {p.time_ns, p.lines};
  }
  auto text = messages::dump_json(
    {{"version", next.version},
     {"headSegment", next.head_segment},
     {"headOffset", next.head_offset},
     {"tailSegment", next.tail_segment},
     {"tailBytes", next.tail_bytes},
     {"lost", next.lost},
     {"positions", std::move(positions)}});
  text += "\n" + sum_of(text) + "\n";
  const file_descriptor out(o_.folder / state_files[next.version % 2], O_WRONLY | O_CREAT);
  if (out.get() < 0) {
    return failed("open");
  }
  if (auto done = write_at(out.get(), text, 0); !done) {
    return done;
  }
  state_ = std::move(next);
  return {};
}

log_positions log_queue::positions() {
  const std::lock_guard lock(mutex_);
  return state_.positions;
}

void log_queue::remove_before(std::uint64_t first) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(o_.folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (
      name.ends_with(".log") && name.find_first_not_of("0123456789") == name.size() - 4
      && name.size() < 20 && std::stoull(name) < first) {
      fs::remove(entry.path(), ignored);
    }
  }
}

void log_queue::make_room(state& next, std::deque<segment>& segments) const {
  std::uint64_t bytes = 0;
  for (const auto& s : segments) {
    bytes += s.bytes;
  }
  while (segments.size() > 1 && bytes > o_.bytes_max) {
    bytes -= segments.front().bytes;
    next.lost += segments.front().lines;
    segments.pop_front();
    next.head_segment = segments.front().number;
    next.head_offset = 0;
  }
}

result<void> log_queue::append(std::string_view records, const log_positions& positions) {
  const std::lock_guard lock(mutex_);
  auto next = state_;
  auto segments = segments_;
  next.positions = positions;
  if (!records.empty()) {
    if (next.tail_bytes >= o_.segment_bytes) {
      ++next.tail_segment;
      next.tail_bytes = 0;
    }
    const file_descriptor out(file(next.tail_segment), O_WRONLY | O_CREAT);
    if (out.get() < 0) {
      return failed("open");
    }
    if (auto done = write_at(out.get(), records, next.tail_bytes); !done) {
      return done;
    }
    next.tail_bytes += records.size();
    SLIPWAY_FAILPOINT("agent.log_queue.written");
    if (segments.back().number != next.tail_segment) {
      segments.push_back({next.tail_segment, 0, 0});
    }
    segments.back().bytes = next.tail_bytes;
    segments.back().lines +=
      static_cast<std::uint64_t>(std::count(records.begin(), records.end(), '\n'));
    make_room(next, segments);
  }
  const bool moved = next.head_segment != state_.head_segment;
  auto saved = save(std::move(next));
  if (saved) {
    segments_ = std::move(segments);
    if (moved) {
      remove_before(state_.head_segment);
    }
  }
  return saved;
}

result<log_portion> log_queue::peek(std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  // A segment that has been read to its end and is not the last one is done with.
  while (segments_.size() > 1 && state_.head_offset >= segments_.front().bytes) {
    segments_.pop_front();
    state_.head_segment = segments_.front().number;
    state_.head_offset = 0;
  }
  log_portion p;
  p.segment = state_.head_segment;
  p.lost = state_.lost;
  p.end = state_.head_offset;
  const auto left = segments_.front().bytes - state_.head_offset;
  if (left == 0) {
    return p;
  }
  p.text.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes_max)));
  const file_descriptor in(file(p.segment), O_RDONLY);
  const auto n =
    in.get() < 0
      ? -1
      : ::pread(in.get(), p.text.data(), p.text.size(), static_cast<off_t>(state_.head_offset));
  const auto got =
    n > 0 ? std::string_view(p.text).substr(0, static_cast<std::size_t>(n)) : std::string_view();
  const auto end = got.rfind('\n');
  if (end == std::string_view::npos) {
    // Damaged, or a record longer than any that this program writes: step over the segment.
    runtime::log::warn("log queue: a segment cannot be read", {{"file", file(p.segment).string()}});
    p.text.clear();
    state_.head_offset = segments_.front().bytes;
    state_.lost += std::exchange(segments_.front().lines, 0);
    return p;
  }
  p.text.resize(end + 1);
  p.lines = static_cast<std::uint64_t>(std::count(p.text.begin(), p.text.end(), '\n'));
  p.end = state_.head_offset + p.text.size();
  return p;
}

result<void> log_queue::drop(const log_portion& p) {
  const std::lock_guard lock(mutex_);
  auto next = state_;
  next.lost -= std::min(next.lost, p.lost);
  if (p.segment == state_.head_segment && p.end > state_.head_offset) {
    next.head_offset = p.end;
    segments_.front().lines -= std::min(segments_.front().lines, p.lines);
  } else if (p.segment < state_.head_segment) {
    // It had to make room while it was under way, and was counted as lost.
    next.lost -= std::min(next.lost, p.lines);
  }
  auto saved = save(std::move(next));
  if (saved && removed_before_ != state_.head_segment) {
    removed_before_ = state_.head_segment;
    remove_before(removed_before_);
  }
  return saved;
}

result<void> log_queue::clear() {
  const std::lock_guard lock(mutex_);
  auto next = state_;
  next.head_segment = next.tail_segment = state_.tail_segment + 1;
  next.head_offset = next.tail_bytes = 0;
  next.lost = 0;
  segments_.assign(1, {next.head_segment, 0, 0});
  auto saved = save(std::move(next));
  remove_before(state_.head_segment);
  return saved;
}

}  // namespace slipway::agent
