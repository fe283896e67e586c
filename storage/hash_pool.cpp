#include "storage/hash_pool.hpp"

#include "runtime/assert.hpp"
#include "runtime/crypto.hpp"
#include "storage/posix_file.hpp"

#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace slipway::storage {
namespace {

constexpr std::size_t buffer_bytes = 128 * 1024;   // stays in the second-level cache
constexpr std::uint64_t wake_bytes = 1024 * 1024;  // less than this is hashed by whoever finishes
constexpr std::uint64_t slice_bytes = 4 * 1024 * 1024;  // then the next upload has its turn

struct context_free {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
using context = std::unique_ptr<EVP_MD_CTX, context_free>;

context new_context(const EVP_MD* algorithm) {
  context c(EVP_MD_CTX_new());
  SLIPWAY_ASSERT(c && EVP_DigestInit_ex(c.get(), algorithm, nullptr) == 1);
  return c;
}

std::string hex_of(EVP_MD_CTX* c) {
  unsigned char md[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  SLIPWAY_ASSERT(EVP_DigestFinal_ex(c, md, &size) == 1);
  return runtime::hex({reinterpret_cast<const char*>(md), size});
}

/// Feeds [from, to) to `c`; returns how far it came, with errno set when that is short.
std::uint64_t
feed(EVP_MD_CTX* c, int fd, std::uint64_t from, std::uint64_t to, char* buffer, int& failed) {
  while (from < to) {
    const auto want = std::min<std::uint64_t>(buffer_bytes, to - from);
    const auto n = ::pread(fd, buffer, want, static_cast<off_t>(from));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      failed = n < 0 ? errno : EIO;
      return from;
    }
    SLIPWAY_ASSERT(EVP_DigestUpdate(c, buffer, static_cast<std::size_t>(n)) == 1);
    from += static_cast<std::uint64_t>(n);
  }
  return from;
}

}  // namespace

class hash_pool::job {
public:
  int fd = -1;
  context running;
  std::uint64_t hashed = 0;
  std::uint64_t size = 0;
  bool queued = false;
  bool busy = false;  ///< a thread works on it with the lock released
  bool dropped = false;
  int failed = 0;  ///< errno of a failed read
};

hash_pool::hash_pool(int threads) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

hash_pool::~hash_pool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (auto& t : threads_) {
    t.join();
  }
}

std::shared_ptr<hash_pool::job> hash_pool::follow(int fd) {
  auto j = std::make_shared<job>();
  j->fd = fd;
  j->running = new_context(EVP_sha256());
  return j;
}

void hash_pool::advance(const std::shared_ptr<job>& j, std::uint64_t size) {
  {
    const std::lock_guard lock(mutex_);
    SLIPWAY_ASSERT(size >= j->size);
    j->size = size;
    if (j->queued || j->busy || size - j->hashed < wake_bytes) {
      return;
    }
    j->queued = true;
    queue_.push_back(j);
  }
  work_.notify_one();
}

void hash_pool::run() {
  std::vector<char> buffer(buffer_bytes);
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) {
      return;
    }
    const auto j = std::move(queue_.front());
    queue_.pop_front();
    if (!j->queued) {
      continue;  // taken by its finisher
    }
    j->queued = false;
    hash_slice(lock, *j, slice_bytes, buffer.data());
    if (!j->dropped && j->failed == 0 && j->size - j->hashed >= wake_bytes) {
      j->queued = true;
      queue_.push_back(j);
    }
    idle_.notify_all();
  }
}

void hash_pool::hash_slice(
  std::unique_lock<std::mutex>& lock,
  job& j,
  std::uint64_t slice,
  char* buffer) {
  j.busy = true;
  const auto to = std::min(j.size, j.hashed + slice);
  lock.unlock();
  int failed = 0;
  const auto reached = feed(j.running.get(), j.fd, j.hashed, to, buffer, failed);
  lock.lock();
  j.hashed = reached;
  j.failed = failed;
  j.busy = false;
}

messages::result<std::string> hash_pool::sha256(const std::shared_ptr<job>& j, std::uint64_t size) {
  std::vector<char> buffer;
  std::unique_lock lock(mutex_);
  SLIPWAY_ASSERT(size >= j->hashed);
  j->size = size;
  while (true) {
    idle_.wait(lock, [&j] { return !j->busy; });
    if (j->hashed == size || j->failed != 0) {
      break;
    }
    j->queued = false;  // its place in the queue is void now
    buffer.resize(buffer_bytes);
    hash_slice(lock, *j, size - j->hashed, buffer.data());
    idle_.notify_all();
  }
  if (j->failed != 0) {
    return tl::unexpected(from_errno("read back", j->failed));
  }
  auto copy = new_context(EVP_sha256());
  SLIPWAY_ASSERT(EVP_MD_CTX_copy_ex(copy.get(), j->running.get()) == 1);
  return hex_of(copy.get());
}

void hash_pool::drop(const std::shared_ptr<job>& j) {
  std::unique_lock lock(mutex_);
  j->queued = false;
  j->dropped = true;
  idle_.wait(lock, [&j] { return !j->busy; });
}

messages::result<std::string> hash_file(int fd, std::uint64_t size, std::string_view algorithm) {
  std::vector<char> buffer(buffer_bytes);
  auto c = new_context(algorithm == "sha512" ? EVP_sha512() : EVP_sha256());
  int failed = 0;
  if (feed(c.get(), fd, 0, size, buffer.data(), failed) != size) {
    return tl::unexpected(from_errno("read back", failed));
  }
  return hex_of(c.get());
}

}  // namespace slipway::storage
