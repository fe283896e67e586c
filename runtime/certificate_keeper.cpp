#include "runtime/certificate_keeper.hpp"

#include "runtime/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace slipway::runtime {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::size_t pem_bytes_max = 1024 * 1024;
/// Tickets are renewed, and what is about to end is complained about, once a day.
constexpr std::int64_t daily_ms = day_ms;
constexpr std::int64_t complain_before_ms = 14 * day_ms;

result<std::string> read_file(const std::string& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) {
    return fail(errc::io_failed, path + ": " + failed.message());
  }
  if (size > pem_bytes_max) {
    return fail(errc::invalid_argument, path + " is too large for a PEM file");
  }
  std::ifstream in(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) {
    return fail(errc::io_failed, path + " cannot be read");
  }
  return text;
}

/// Whole or not at all, for the owner only.
result<void> write_file(const std::string& path, const std::string& text) {
  const auto temporary = path + ".new";
  ::unlink(temporary.c_str());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written = fd >= 0
                       && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size())
                       && ::fsync(fd) == 0;
  const auto problem = errno;
  if (fd >= 0) {
    ::close(fd);
  }
  if (!written || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(errc::io_failed, "cannot write " + path + ": " + std::strerror(problem));
  }
  return {};
}

/// Changes whenever one of the files does.
std::string signature_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string out;
  for (const auto& [chain, key] : files) {
    for (const auto& path : {chain, key}) {
      struct stat s {};
      if (::stat(path.c_str(), &s) == 0) {
        out += std::to_string(s.st_ino) + ' ' + std::to_string(s.st_size) + ' '
               + std::to_string(s.st_mtim.tv_sec) + '.' + std::to_string(s.st_mtim.tv_nsec);
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace

struct certificate_keeper::impl {
  options o;
  std::shared_ptr<tls_context> context;
  std::string root_pem;
  tls_identity root;  ///< own authority only
  std::vector<tls_identity> identities;
  std::int64_t not_after = 0;
  std::string signature;  ///< of the files that were tried last
  std::int64_t renewed = 0;
  std::int64_t complained = 0;

  [[nodiscard]] bool own() const { return o.files.empty(); }
  [[nodiscard]] std::string file(const char* name) const { return o.own_folder + "/" + name; }

  result<void> start(std::int64_t now);
  result<void> load_files(std::int64_t now);
  result<void> load_root(std::int64_t now);
  result<void> load_leaf(std::int64_t now);
  result<void> new_leaf(std::int64_t now);
  [[nodiscard]] bool leaf_serves(const tls_identity& leaf, std::int64_t now) const;
  result<void> use(std::vector<tls_identity> wanted, std::int64_t now);
  void complain(std::int64_t now);
};

result<void> certificate_keeper::impl::use(std::vector<tls_identity> wanted, std::int64_t now) {
  std::int64_t end = 0;
  for (const auto& one : wanted) {
    const auto facts = read_certificate(one.chain);
    if (!facts) {
      return tl::unexpected(facts.error());
    }
    end = end == 0 ? facts->not_after_ms : std::min(end, facts->not_after_ms);
  }
  if (auto ok = context->use(wanted, now); !ok) {
    return ok;
  }
  identities = std::move(wanted);
  not_after = end;
  renewed = now;
  return {};
}

result<void> certificate_keeper::impl::load_files(std::int64_t now) {
  signature = signature_of(o.files);
  std::vector<tls_identity> wanted;
  for (const auto& [chain_file, key_file] : o.files) {
    auto chain = read_file(chain_file);
    auto key = chain ? read_file(key_file) : chain;
    if (!key) {
      return tl::unexpected(key.error());
    }
    wanted.push_back({std::move(*chain), std::move(*key)});
    struct stat s {};
    if (::stat(key_file.c_str(), &s) == 0 && (s.st_mode & 077U) != 0) {
      log::warn("a private key may be read by others than its owner", {{"file", key_file}});
    }
    if (const auto facts = read_certificate(wanted.back().chain);
        facts && facts->not_after_ms <= now) {
      return fail(errc::invalid_argument, chain_file + ": the certificate has expired");
    }
  }
  auto used = use(std::move(wanted), now);
  if (!used) {
    std::string names;
    for (const auto& [chain_file, key_file] : o.files) {
      names += (names.empty() ? "" : ", ") + chain_file;
    }
    return tl::unexpected(messages::with_context(names, used.error()));
  }
  return {};
}

result<void> certificate_keeper::impl::load_root(std::int64_t now) {
  std::error_code failed;
  fs::create_directories(o.own_folder, failed);
  fs::permissions(o.own_folder, fs::perms::owner_all, failed);
  if (failed) {
    return fail(errc::io_failed, o.own_folder + ": " + failed.message());
  }
  const bool has_root = fs::exists(file("root.pem"), failed);
  const bool has_key = fs::exists(file("root.key"), failed);
  // The certificate is written last: without it the authority was never used.
  if (!has_root) {
    auto made = make_root(o.domain, now);
    if (!made) {
      return tl::unexpected(made.error());
    }
    root = std::move(*made);
    auto written = write_file(file("root.key"), root.key);
    if (written) {
      written = write_file(file("root.pem"), root.chain);
    }
    if (written) {
      log::info("made a certificate authority", {{"domain", o.domain}, {"file", file("root.pem")}});
    }
    return written;
  }
  if (!has_key) {
    return fail(
      errc::io_failed,
      file("root.key") + " is missing: put it back, or move the folder away to get a new authority, "
                         "which every client and device must be told to trust");
  }
  auto chain = read_file(file("root.pem"));
  auto key = read_file(file("root.key"));
  if (!chain || !key) {
    return tl::unexpected(!chain ? chain.error() : key.error());
  }
  root = {std::move(*chain), std::move(*key)};
  const auto facts = read_certificate(root.chain);
  if (!facts) {
    return tl::unexpected(messages::with_context(file("root.pem"), facts.error()));
  }
  if (facts->constrained != std::vector{o.domain}) {
    return fail(
      errc::invalid_argument,
      file("root.pem") + " may not sign for " + o.domain
        + ": move the folder away to get a new authority, which every client and device must be "
          "told to trust");
  }
  return {};
}

bool certificate_keeper::impl::leaf_serves(const tls_identity& leaf, std::int64_t now) const {
  const auto facts = read_certificate(leaf.chain);
  return facts && facts->not_after_ms - now > renew_before_ms && facts->not_before_ms <= now
         && facts->names == names_of_domain(o.domain) && signed_by(leaf.chain, root);
}

result<void> certificate_keeper::impl::load_leaf(std::int64_t now) {
  const auto chain = read_file(file("leaf.pem"));
  const auto key = read_file(file("leaf.key"));
  if (chain && key && leaf_serves({*chain, *key}, now)) {
    if (use({{*chain, *key}}, now)) {
      return {};
    }
  }
  return new_leaf(now);
}

result<void> certificate_keeper::impl::new_leaf(std::int64_t now) {
  auto made = make_leaf(root, names_of_domain(o.domain), now);
  if (!made) {
    return tl::unexpected(made.error());
  }
  // A crash between the two leaves a pair that does not fit: the next start makes another.
  auto written = write_file(file("leaf.key"), made->key);
  if (written) {
    written = write_file(file("leaf.pem"), made->chain);
  }
  if (!written) {
    return written;
  }
  log::info("made a certificate", {{"domain", o.domain}});
  return use({std::move(*made)}, now);
}

result<void> certificate_keeper::impl::start(std::int64_t now) {
  context =
    std::make_shared<tls_context>(tls_context::options{.hsts = !own() && o.root_file.empty()});
  if (own()) {
    auto ok = load_root(now);
    if (ok) {
      root_pem = root.chain;
      ok = load_leaf(now);
    }
    return ok;
  }
  if (!o.root_file.empty()) {
    auto pem = read_file(o.root_file);
    if (!pem) {
      return tl::unexpected(pem.error());
    }
    if (const auto facts = read_certificate(*pem); !facts) {
      return tl::unexpected(messages::with_context(o.root_file, facts.error()));
    }
    root_pem = std::move(*pem);
  }
  return load_files(now);
}

void certificate_keeper::impl::complain(std::int64_t now) {
  if (not_after - now < complain_before_ms && now - complained >= daily_ms) {
    complained = now;
    log::warn("the certificate ends soon", {{"days", std::to_string((not_after - now) / day_ms)}});
  }
}

certificate_keeper::certificate_keeper(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
certificate_keeper::~certificate_keeper() = default;

result<std::unique_ptr<certificate_keeper>> certificate_keeper::open(
  options o,
  std::int64_t now_ms) {
  auto i = std::make_unique<impl>();
  i->o = std::move(o);
  if (auto ok = i->start(now_ms); !ok) {
    return tl::unexpected(messages::with_context("TLS", ok.error()));
  }
  return std::unique_ptr<certificate_keeper>(new certificate_keeper(std::move(i)));
}

const std::shared_ptr<tls_context>& certificate_keeper::context() const {
  return impl_->context;
}

const std::string& certificate_keeper::root() const {
  return impl_->root_pem;
}

std::int64_t certificate_keeper::not_after_ms() const {
  return impl_->not_after;
}

void certificate_keeper::refresh(std::int64_t now_ms) {
  auto& i = *impl_;
  result<void> ok;
  if (i.own() && i.not_after - now_ms <= renew_before_ms && now_ms - i.renewed >= 3600'000) {
    // Once an hour, should it fail or the authority itself end.
    i.renewed = now_ms;
    ok = i.new_leaf(now_ms);
  } else if (!i.own() && signature_of(i.o.files) != i.signature) {
    ok = i.load_files(now_ms);
    if (ok) {
      log::info("read the changed certificates", {{"file", i.o.files.front().first}});
    }
  } else if (now_ms - i.renewed >= daily_ms) {
    ok = i.use(i.identities, now_ms);
  }
  if (!ok) {
    log::error(
      "new certificates cannot be used, the old ones stay in use",
      {{"error", ok.error().detail}});
  }
  i.complain(now_ms);
}

}  // namespace slipway::runtime
