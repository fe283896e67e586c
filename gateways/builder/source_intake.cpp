#include "gateways/builder/source_intake.hpp"

#include "gateways/counted_slot.hpp"
#include "gateways/registry/completion.hpp"
#include "runtime/crypto.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
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

source_intake::~source_intake() {
  pool_.join();
}

awaitable<result<std::string>> source_intake::receive(runtime::exchange& x) {
  const counted_slot slot(bodies_, bodies_max);
  if (!slot) {
    co_return fail(errc::too_many_requests, "too many sources arrive at once: try again");
  }
  temporary body{o_.folder + "/" + runtime::random_hex(32) + ".body"};
  auto file = storage::open_file(body.file, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) {
    co_return tl::unexpected(file.error());
  }
  std::vector<char> buffer(read_bytes);
  std::uint64_t size = 0;
  std::uint64_t looked_at = 0;
  for (;;) {
    if (o_.room && size >= looked_at) {
      if (auto room = o_.room(); !room) {
        co_return tl::unexpected(room.error());
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
  body.keep = true;
  co_return body.file;
}

awaitable<source_intake::planned> source_intake::plan(
  std::string body,
  domain::project_target target) {
  std::function<planned()> work = [this, body = std::move(body), target = std::move(target)] {
    return unpack(body, target);
  };
  co_return co_await run_on<planned>(pool_, std::move(work));
}

source_intake::planned source_intake::unpack(
  const std::string& body,
  const domain::project_target& target) {
  const temporary input{body};
  auto from = storage::open_file(body, O_RDONLY);
  if (!from) {
    return {tl::unexpected(from.error())};
  }
  const auto read = [fd = from->get()](char* to, std::size_t size) -> std::ptrdiff_t {
    ssize_t n = 0;
    do {
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
