#include "storage/build_logs.hpp"

#include "messages/json.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace slipway::storage {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

/// How the last line of a finished log begins.
constexpr std::string_view end_mark = R"({"end":)";
constexpr std::size_t end_line_bytes_max = 256;

std::string line_of(std::int64_t time, const messages::output_line& l) {
  nlohmann::json j{{"at", time}, {"text", l.text}};
  if (!l.service.empty()) {
    j["service"] = l.service;
  }
  if (l.replace) {
    j["replace"] = true;
  }
  if (l.error) {
    j["error"] = true;
  }
  return messages::dump_json(j) + "\n";
}

result<std::uint64_t> size_of(int fd) {
  struct stat s {};
  if (::fstat(fd, &s) != 0) {
    return tl::unexpected(from_errno("fstat", errno));
  }
  return static_cast<std::uint64_t>(s.st_size);
}

result<std::string> read_bytes(int fd, std::uint64_t offset, std::size_t length) {
  std::string out(length, '\0');
  std::size_t got = 0;
  while (got < length) {
    const auto n = ::pread(fd, out.data() + got, length - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return tl::unexpected(from_errno("read", errno));
    }
    if (n == 0) {
      break;
    }
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return out;
}

/// Whether what ends here ends with the last line of a log.
bool is_end(std::string_view bytes) {
  if (bytes.empty() || bytes.back() != '\n') {
    return false;
  }
  bytes.remove_suffix(1);
  const auto before = bytes.rfind('\n');
  return bytes.substr(before == std::string_view::npos ? 0 : before + 1).starts_with(end_mark);
}

/// A log that is being written.
struct open_log {
  std::mutex mutex;
  unique_fd file;
  std::uint64_t size = 0;
  bool full = false;
};

struct follower {
  std::function<void()> wake;
};

class file_logs final : public build_logs {
public:
  explicit file_logs(build_log_options o) : o_(std::move(o)) {}

  result<void> append(
    std::int64_t release,
    std::int64_t time,
    std::span<const messages::output_line> lines) override {
    std::string text;
    for (const auto& l : lines) {
      text += line_of(time, l);
    }
    auto log = writer(release);
    if (!log) {
      return tl::unexpected(log.error());
    }
    if (auto ok = add(**log, time, std::move(text)); !ok) {
      return ok;
    }
    wake(release);
    return {};
  }

  result<void> finish(std::int64_t release, std::int64_t time, std::string_view status) override {
    auto log = writer(release);
    if (!log) {
      return tl::unexpected(log.error());
    }
    {
      const std::lock_guard lock((*log)->mutex);
      const auto line = build_log_end(time, status);
      if (auto ok = write_at((*log)->file.get(), (*log)->size, line); !ok) {
        return ok;
      }
      if (::fdatasync((*log)->file.get()) != 0) {
        return tl::unexpected(from_errno("sync of a build's log", errno));
      }
    }
    {
      const std::lock_guard lock(mutex_);
      open_.erase(release);
    }
    wake(release);
    return {};
  }

  result<void> remove(std::int64_t release) override {
    {
      const std::lock_guard lock(mutex_);
      open_.erase(release);
    }
    if (::unlink(path(release).c_str()) != 0 && errno != ENOENT) {
      return tl::unexpected(from_errno("removal of a build's log", errno));
    }
    wake(release);
    return {};
  }

  [[nodiscard]] result<part> read(std::int64_t release, std::uint64_t offset, std::size_t bytes_max)
    const override {
    const unique_fd file(::open(path(release).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
      return errno == ENOENT ? fail(errc::not_found, "there is no log of this release")
                             : tl::unexpected(from_errno("build log", errno));
    }
    const auto size = size_of(file.get());
    if (!size) {
      return tl::unexpected(size.error());
    }
    if (offset > *size) {
      return fail(errc::invalid_argument, "the log has no such offset");
    }
    const auto length = std::min<std::uint64_t>(*size - offset, bytes_max);
    auto bytes = read_bytes(file.get(), offset, static_cast<std::size_t>(length));
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    const auto last = bytes->rfind('\n');
    bytes->resize(last == std::string::npos ? 0 : last + 1);
    part out{std::move(*bytes), false};
    if (offset + out.bytes.size() == *size) {
      const auto from = *size - std::min<std::uint64_t>(*size, end_line_bytes_max);
      const auto tail = read_bytes(file.get(), from, static_cast<std::size_t>(*size - from));
      out.over = tail && is_end(*tail);
    }
    return out;
  }

  std::shared_ptr<void> follow(std::int64_t release, std::function<void()> wake) override {
    auto one = std::make_shared<follower>(follower{std::move(wake)});
    const std::lock_guard lock(mutex_);
    followers_.emplace(release, one);
    return {one.get(), [this, release, one](void*) mutable { forget(release, one); }};
  }

private:
  [[nodiscard]] std::string path(std::int64_t release) const {
    return o_.folder + "/" + std::to_string(release) + ".log";
  }

  result<std::shared_ptr<open_log>> writer(std::int64_t release) {
    const std::lock_guard lock(mutex_);
    auto& log = open_[release];
    if (log) {
      return log;
    }
    auto made = std::make_shared<open_log>();
    auto file = open_file(path(release), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    auto ok = file ? size_of(file->get()) : tl::unexpected(file.error());
    if (!ok) {
      open_.erase(release);
      return tl::unexpected(ok.error());
    }
    made->file = std::move(*file);
    made->size = *ok;
    made->full = *ok > o_.bytes_max;
    // A line that a crash tore in two.
    const auto last =
      *ok == 0 ? result<std::string>("\n") : read_bytes(made->file.get(), *ok - 1, 1);
    if (last && *last != "\n") {
      if (auto closed = write_at(made->file.get(), made->size, std::string_view("\n")); !closed) {
        open_.erase(release);
        return tl::unexpected(closed.error());
      }
    }
    log = made;
    return made;
  }

  result<void> add(open_log& log, std::int64_t time, std::string text) const {
    const std::lock_guard lock(log.mutex);
    if (log.full) {
      return {};
    }
    if (log.size + text.size() > o_.bytes_max) {
      log.full = true;
      text = line_of(time, {"", "the log is full: what follows is not kept", false, true});
    }
    return write_at(log.file.get(), log.size, text);
  }

  void wake(std::int64_t release) {
    std::vector<std::shared_ptr<follower>> all;
    {
      const std::lock_guard lock(mutex_);
      const auto [from, to] = followers_.equal_range(release);
      for (auto it = from; it != to; ++it) {
        if (auto one = it->second.lock()) {
          all.push_back(std::move(one));
        }
      }
    }
    for (const auto& one : all) {
      one->wake();
    }
  }

  void forget(std::int64_t release, std::shared_ptr<follower>& gone) {
    const std::lock_guard lock(mutex_);
    const auto [from, to] = followers_.equal_range(release);
    for (auto it = from; it != to; ++it) {
      if (it->second.lock() == gone) {
        followers_.erase(it);
        return;
      }
    }
  }

  build_log_options o_;
  std::mutex mutex_;
  std::unordered_map<std::int64_t, std::shared_ptr<open_log>> open_;
  std::multimap<std::int64_t, std::weak_ptr<follower>> followers_;
};

}  // namespace

std::string build_log_end(std::int64_t time, std::string_view status) {
  return std::string(end_mark) + messages::dump_json(nlohmann::json(status)) + R"(,"at":)"
         + std::to_string(time) + "}\n";
}

result<std::unique_ptr<build_logs>> open_build_logs(build_log_options o) {
  if (auto made = make_folder(o.folder); !made) {
    return tl::unexpected(made.error());
  }
  return std::make_unique<file_logs>(std::move(o));
}

}  // namespace slipway::storage
