#include "storage/scrubber.hpp"

#include "runtime/assert.hpp"
#include "runtime/crypto.hpp"

#include <openssl/evp.h>

#include <array>

namespace slipway::storage {

using messages::errc;
using messages::result;

namespace {

constexpr std::size_t piece_bytes = std::size_t{1024} * 1024;
constexpr std::size_t page_blobs = 256;
constexpr std::size_t told_max = 1000;

}  // namespace

struct scrubber::hash {
  explicit hash(const digest& d) : context(EVP_MD_CTX_new()) {
    const bool long_one = d.text.starts_with("sha512:");
    SLIPWAY_ASSERT(
      context != nullptr
      && EVP_DigestInit_ex(context, long_one ? EVP_sha512() : EVP_sha256(), nullptr) == 1);
  }
  ~hash() { EVP_MD_CTX_free(context); }
  hash(const hash&) = delete;
  hash& operator=(const hash&) = delete;

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned int size = 0;
    SLIPWAY_ASSERT(EVP_DigestFinal_ex(context, out.data(), &size) == 1);
    return runtime::hex(std::string(reinterpret_cast<const char*>(out.data()), size));
  }

  EVP_MD_CTX* context;
};

scrubber::scrubber(blob_store& blobs, linked_blobs& links, std::string from)
  : blobs_(blobs), links_(links), last_(std::move(from)) {}

scrubber::~scrubber() = default;

scrubber::progress scrubber::step(std::int64_t now_ms) {
  if (report_.started_ms == 0) {
    report_.started_ms = now_ms;
    buffer_.resize(piece_bytes);
  }
  auto done = result<progress>(progress{});
  if (open_) {
    done = read_on();
  } else {
    const auto found = next_blob();
    done = found ? result<progress>(progress{*found}) : tl::unexpected(found.error());
  }
  if (!done) {
    report_.failed = done.error().detail;
    done = progress{false};
  }
  report_.done = !done->more;
  report_.ended_ms = report_.done ? now_ms : 0;
  return *done;
}

result<bool> scrubber::next_blob() {
  if (in_page_ == page_.size()) {
    auto page = blobs_.list(digest{last_}, page_blobs);
    if (!page) {
      return tl::unexpected(page.error());
    }
    page_ = std::move(*page);
    in_page_ = 0;
    if (page_.empty()) {
      report_.at.clear();
      return false;
    }
  }
  const auto& d = page_[in_page_++];
  last_ = d.text;
  report_.at = d.text;
  auto opened = blobs_.open(d);
  if (!opened) {
    // The collector may have been faster.
    return opened.error().code == errc::blob_unknown ? result<bool>(true)
                                                     : tl::unexpected(opened.error());
  }
  open_ = std::move(*opened);
  offset_ = 0;
  hash_ = std::make_unique<hash>(d);
  return true;
}

result<scrubber::progress> scrubber::read_on() {
  const auto n = open_->read_at(offset_, std::span(buffer_.data(), buffer_.size()));
  if (!n || *n == 0) {
    // What cannot be read is as bad as what is wrong.
    return judge();
  }
  SLIPWAY_ASSERT(EVP_DigestUpdate(hash_->context, buffer_.data(), *n) == 1);
  offset_ += *n;
  report_.bytes += *n;
  return progress{true, *n};
}

result<scrubber::progress> scrubber::judge() {
  const bool good = hash_->hex() == std::string_view(last_).substr(last_.find(':') + 1);
  const auto read = std::move(open_);
  hash_.reset();
  ++report_.blobs;
  if (good) {
    return progress{};
  }
  const auto aside = links_.quarantine(digest{last_}, *read);
  if (!aside) {
    return tl::unexpected(aside.error());
  }
  if (!*aside) {
    return progress{};  // replaced or gone meanwhile
  }
  ++report_.rotten_count;
  if (report_.rotten.size() < told_max) {
    report_.rotten.push_back(last_);
  }
  return progress{true, 0, last_};
}

}  // namespace slipway::storage
