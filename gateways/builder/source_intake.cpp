#include "gateways/builder/source_intake.hpp"

#include "gateways/registry/completion.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

namespace slipway::gateways::builder {
namespace {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;
using runtime::awaitable;

constexpr std::size_t read_bytes = 256U << 10U;
constexpr std::uint64_t look_at_disk_every = 256ULL << 20U;

/// Removes the file unless it is kept.
struct temporary {
  std::string file;
  bool keep = false;
  ~temporary() {
    if (!keep) {
      ::unlink(file.c_str());
    }
  }
};

}  // namespace

result<std::unique_ptr<source_intake>> source_intake::open(options o) {
  if (auto made = storage::make_folder(o.folder); !made) {
    return tl::unexpected(made.error());
  }
  std::error_code ignored;
  for (const auto& left : fs::directory_iterator(o.folder, ignored)) {
    fs::remove_all(left.path(), ignored);
  }
  return std::unique_ptr<source_intake>(new source_intake(std::move(o)));
}

source_intake::source_intake(options o) : o_(std::move(o)) {
  o_.limits.go_on = [this] { return may_go_on(); };
}

source_intake::~source_intake() {
  stop();
}

void source_intake::stop() {
  stopping_ = true;
  pool_.join();
}

result<void> source_intake::may_go_on() const {
  if (stopping_) {
    return fail(errc::unavailable, "the server stops");
  }
  return o_.room ? o_.room() : result<void>{};
}

arrived_body::~arrived_body() {
  ::unlink(file_.c_str());
  leave_();
}

result<source_intake::body> source_intake::enter(std::int64_t actor) {
  const std::lock_guard lock(mutex_);
  auto& own = by_actor_[actor];
  if (own >= bodies_of_one_max || bodies_ >= bodies_max) {
    const bool full = bodies_ >= bodies_max;
    if (own == 0) {
      by_actor_.erase(actor);
    }
    return fail(
      errc::too_many_requests,
      full ? "too many sources arrive at once: try again"
           : "you send " + std::to_string(bodies_of_one_max) + " sources already: try again");
  }
  ++own;
  ++bodies_;
  return std::make_shared<arrived_body>(
    o_.folder + "/" + runtime::random_hex(32) + ".body",
    [this, actor] { leave(actor); });
}

void source_intake::leave(std::int64_t actor) {
  const std::lock_guard lock(mutex_);
  --bodies_;
  if (const auto it = by_actor_.find(actor); --it->second == 0) {
    by_actor_.erase(it);
  }
}

awaitable<result<source_intake::body>> source_intake::receive(
  runtime::exchange& x,
  std::int64_t actor) {
  auto entered = enter(actor);
  if (!entered) {
    co_return entered;
  }
  const auto until = runtime::steady_ms() + o_.body_ms_max;
  auto file = storage::open_file((*entered)->file(), O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) {
    co_return tl::unexpected(file.error());
  }
  std::vector<char> buffer(read_bytes);
  std::uint64_t size = 0;
  std::uint64_t looked_at = 0;
  for (;;) {
    if (size >= looked_at) {
      if (auto may = may_go_on(); !may) {
        co_return tl::unexpected(may.error());
      }
      looked_at = size + look_at_disk_every;
    }
    const auto n = co_await x.read_some(buffer);
    if (!n) {
      co_return tl::unexpected(n.error());
    }
    if (*n == 0) {
      break;
    }
    if (runtime::steady_ms() > until) {
      co_return fail(
        errc::timed_out,
        "the source took longer than " + std::to_string(o_.body_ms_max / 60'000) + " minutes");
    }
    if (size + *n > o_.body_bytes_max) {
      co_return fail(
        errc::too_large,
        "the source is larger than " + std::to_string(o_.body_bytes_max >> 20U) + " MiB");
    }
    const std::span<const char> part(buffer.data(), *n);
    if (auto written = storage::write_at(file->get(), size, part); !written) {
      co_return tl::unexpected(written.error());
    }
  }
  co_return entered;
}

awaitable<source_intake::planned> source_intake::plan(body from, domain::project_target target) {
  std::function<planned()> work = [this, from = std::move(from), target = std::move(target)] {
    return unpack(from->file(), target);
  };
  co_return co_await run_on<planned>(pool_, std::move(work));
}

source_intake::planned source_intake::unpack(
  const std::string& from,
  const domain::project_target& target) {
  auto file = storage::open_file(from, O_RDONLY);
  if (!file) {
    return {tl::unexpected(file.error())};
  }
  const auto read = [this, fd = file->get()](char* to, std::size_t size) -> std::ptrdiff_t {
    ssize_t n = 0;
    do {
      if (stopping_) {
        return -1;
      }
      n = ::read(fd, to, size);
    } while (n < 0 && errno == EINTR);
    return n;
  };
  temporary output{o_.folder + "/" + runtime::random_hex(32) + ".tar"};
  auto tree = storage::source_tree::receive(read, output.file, o_.limits);
  if (!tree) {
    return {tl::unexpected(tree.error())};
  }
  domain::project_files files;
  files.read = [&tree](std::string_view path) { return (*tree)->read(path); };
  files.list = [&tree](std::string_view folder) { return (*tree)->list(folder); };
  auto plan = domain::plan_project(files, target);
  if (!plan) {
    return {tl::unexpected(plan.error()), true};
  }
  output.keep = true;
  return {taken_source{output.file, (*tree)->bytes(), std::move(*plan)}};
}

}  // namespace slipway::gateways::builder
