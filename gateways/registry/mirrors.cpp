#include "gateways/registry/mirrors.hpp"

#include "gateways/registry/manifest.hpp"
#include "gateways/registry/names.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace slipway::gateways {

using messages::errc;
using messages::error;
using messages::fail;
using messages::result;

namespace {

constexpr std::string_view prefix = "mirror/";
constexpr std::size_t tags_known_max = 10'000;  // then all are asked about anew

bool is_digest(std::string_view reference) {
  return reference.find(':') != std::string_view::npos;
}

/// Errors that say nothing about whether the upstream has it.
bool is_outage(errc code) {
  return code == errc::unavailable || code == errc::timed_out;
}

error wrong(const std::string& mirror, std::string_view what) {
  return {errc::invalid_argument, "mirror `" + mirror + "`: " + std::string(what)};
}

result<mirror_settings> parse_mirror(const std::string& name, const nlohmann::json& j) {
  static const std::set<std::string> known{"url", "user", "password", "pins"};
  mirror_settings out;
  if (!j.is_object() || !valid_repository(name) || name.find('/') != std::string::npos) {
    return tl::unexpected(wrong(name, "a name of one component, and an object"));
  }
  for (const auto& [key, value] : j.items()) {
    if (!known.contains(key) || value.is_string() == (key == "pins")) {
      return tl::unexpected(wrong(name, "`" + key + "` is unknown or of another type"));
    }
  }
  out.address = {j.value("url", ""), j.value("user", ""), j.value("password", "")};
  const auto& url = out.address.url;
  const auto host = url.find("://");
  const bool http = url.starts_with("http://") || url.starts_with("https://");
  if (
    !http || url.find_first_of("/?#@ ", host + 3) != std::string::npos || url.size() <= host + 3) {
    return tl::unexpected(wrong(name, "`url` is http(s)://host[:port], without a path or a user"));
  }
  const auto pins = j.value("pins", nlohmann::json::object());
  for (const auto& [image, digest] : pins.items()) {
    const auto colon = image.rfind(':');
    const bool named = colon != std::string::npos && valid_repository(image.substr(0, colon))
                       && valid_tag(image.substr(colon + 1));
    if (!named || !digest.is_string() || !storage::parse_digest(digest.get<std::string>())) {
      return tl::unexpected(
        wrong(name, "a pin is `repository:tag` and its digest, not `" + image + "`"));
    }
    out.pins[image] = digest.get<std::string>();
  }
  return out;
}

}  // namespace

result<mirror_table> parse_mirrors(std::string_view text) {
  const auto j = nlohmann::json::parse(text, nullptr, false);
  if (!j.is_object()) {
    return fail(errc::invalid_argument, "mirrors: a JSON object of names is expected");
  }
  mirror_table out;
  for (const auto& [name, value] : j.items()) {
    auto one = parse_mirror(name, value);
    if (!one) {
      return tl::unexpected(one.error());
    }
    out.emplace(name, std::move(*one));
  }
  return out;
}

result<mirror_table> load_mirrors(const std::string& file) {
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in.is_open() || in.bad()) {
    return fail(errc::io_failed, file + ": cannot be read");
  }
  auto table = parse_mirrors(text);
  if (!table) {
    return tl::unexpected(messages::with_context(file, table.error()));
  }
  const bool secret = std::any_of(table->begin(), table->end(), [](const auto& m) {
    return !m.second.address.password.empty();
  });
  std::error_code ec;
  const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  if (
    secret
    && (std::filesystem::status(file, ec).permissions() & others) != std::filesystem::perms::none) {
    return fail(
      errc::invalid_argument,
      file + ": holds a password, so only its owner may have access (chmod 600)");
  }
  return table;
}

struct mirrors::impl {
  struct mirror {
    mirror(mirror_settings s, int threads)
      : settings(std::move(s)), client(settings.address), pool(static_cast<std::size_t>(threads)) {}
    mirror_settings settings;
    upstream_client client;
    boost::asio::thread_pool pool;
  };
  /// A mirrored repository and what the upstream calls it.
  struct place {
    mirror* at = nullptr;
    std::string repository;
    std::string name;
  };
  using work = std::function<result<void>()>;

  parts stores;
  options o;
  std::map<std::string, std::unique_ptr<mirror>, std::less<>> by_name;

  std::mutex mutex;                                    // guards the rest
  std::map<std::string, std::vector<answer>> running;  ///< who waits, by what is fetched
  std::map<std::string, std::int64_t> tags_checked;    ///< ms since 1970, by `repository:tag`
  bool stopped = false;

  impl(parts p, options given) : stores(p), o(std::move(given)) {
    for (const auto& [name, settings] : o.table) {
      by_name.emplace(name, std::make_unique<mirror>(settings, o.threads));
    }
  }
  ~impl() { stop(); }

  [[nodiscard]] place find(std::string_view repository) const {
    if (!repository.starts_with(prefix)) {
      return {};
    }
    const auto rest = repository.substr(prefix.size());
    const auto slash = rest.find('/');
    const auto it = by_name.find(rest.substr(0, slash));
    if (slash == std::string_view::npos || it == by_name.end()) {
      return {};
    }
    return {it->second.get(), std::string(repository), std::string(rest.substr(slash + 1))};
  }

  void stop();
  void once(const place& p, const std::string& what, work w, answer done);
  void run(const std::string& what, const work& w);
  bool checked(const std::string& what, bool just_now);
  bool is_fresh(const place& p, const std::string& tag);
  result<void> refresh_tag(const place& p, const std::string& tag);
  result<void> fetch_manifest(const place& p, const std::string& reference, const std::string& tag);
  result<void> fetch_blob(const place& p, const storage::digest& d);
};

void mirrors::impl::stop() {
  {
    const std::lock_guard lock(mutex);
    stopped = true;
  }
  for (const auto& [name, m] : by_name) {
    m->client.stop();
    m->pool.join();
  }
}

/// Has `w` run for all who want that now.
void mirrors::impl::once(const place& p, const std::string& what, work w, answer done) {
  std::unique_lock lock(mutex);
  if (stopped) {
    lock.unlock();
    done(fail(errc::unavailable, "the server stops"));
    return;
  }
  auto& waiting = running[what];
  waiting.push_back(std::move(done));
  if (waiting.size() == 1) {
    // Within the lock, so that `stop` waits for it.
    boost::asio::post(p.at->pool, [this, what, w = std::move(w)] { run(what, w); });
  }
}

void mirrors::impl::run(const std::string& what, const work& w) {
  const auto done = w();
  std::vector<answer> waiting;
  {
    const std::lock_guard lock(mutex);
    waiting = std::move(running.extract(what).mapped());
  }
  for (const auto& tell : waiting) {
    tell(done);
  }
}

/// Whether the tag was compared a short time ago; with `just_now` it was this moment.
bool mirrors::impl::checked(const std::string& what, bool just_now) {
  const std::lock_guard lock(mutex);
  if (just_now) {
    if (tags_checked.size() >= tags_known_max) {
      tags_checked.clear();
    }
    tags_checked[what] = o.now_ms();
    return true;
  }
  const auto it = tags_checked.find(what);
  return it != tags_checked.end() && o.now_ms() - it->second < o.tag_ms;
}

/// Whether what the tag is here need not be compared with the upstream's now.
bool mirrors::impl::is_fresh(const place& p, const std::string& tag) {
  const auto known = stores.repositories.tagged(p.repository, tag);
  const auto pin = p.at->settings.pins.find(p.name + ":" + tag);
  if (known && pin != p.at->settings.pins.end()) {
    return known->digest == pin->second;
  }
  return known && checked(p.repository + ":" + tag, false);
}

result<void> mirrors::impl::refresh_tag(const place& p, const std::string& tag) {
  const auto pin = p.at->settings.pins.find(p.name + ":" + tag);
  if (is_fresh(p, tag)) {
    return {};
  }
  if (pin != p.at->settings.pins.end()) {
    return fetch_manifest(p, pin->second, tag);
  }
  const auto what = p.repository + ":" + tag;
  const auto known = stores.repositories.tagged(p.repository, tag);
  const auto now = p.at->client.tag(p.name, tag);
  const bool same = known && now && *now == known->digest;
  auto done = now ? result<void>{} : tl::unexpected(now.error());
  if (now && !same) {
    done = fetch_manifest(p, tag, tag);
  }
  if (!done && known && is_outage(done.error().code)) {
    runtime::log::warn(
      "a mirrored tag could not be compared with its upstream",
      {{"repository", p.repository}, {"tag", tag}, {"why", done.error().detail}});
    done = result<void>{};
  }
  if (done) {
    checked(what, true);  // also when it is down: not every pull shall wait for that
  }
  return done;
}

/// By tag or digest; then it stands under `tag`, unless that is empty.
result<void> mirrors::impl::fetch_manifest(
  const place& p,
  const std::string& reference,
  const std::string& tag) {
  if (auto space = o.disk ? o.disk() : result<void>{}; !space) {
    return space;
  }
  const auto got = p.at->client.manifest(p.name, reference);
  if (!got) {
    return tl::unexpected(got.error());
  }
  const auto parsed = parse_manifest(got->bytes, got->media_type);
  if (!parsed) {
    return tl::unexpected(messages::with_context("from the upstream registry", parsed.error()));
  }
  const storage::digest d{
    is_digest(reference) ? reference : "sha256:" + runtime::sha256_hex(got->bytes)};
  auto m = manifest_to_store(*parsed, d, got->bytes.size());
  m.record.touched_ms = o.now_ms();
  m.tag = tag;
  // What it refers to comes when it is asked for, and may go when nobody does.
  m.references.clear();
  return stores.links.put_manifest(p.repository, m, got->bytes);
}

result<void> mirrors::impl::fetch_blob(const place& p, const storage::digest& d) {
  auto writer = stores.blobs.begin(runtime::random_hex(32));
  if (!writer) {
    return tl::unexpected(writer.error());
  }
  auto& out = **writer;
  result<void> kept;
  const auto take = [&](std::string_view bytes) {
    if (out.offset() + bytes.size() > o.blob_bytes_max) {
      kept = fail(errc::too_large, "the upstream registry sends more than a blob may have");
    } else {
      kept = o.disk ? o.disk() : result<void>{};
      kept = kept ? out.append(bytes) : kept;
    }
    return kept.has_value();
  };
  auto done = p.at->client.blob(p.name, d.text, take);
  if (!kept) {
    done = kept;
  }
  if (done) {
    done = stores.links.finish(out, p.repository, d, o.now_ms());
  }
  if (!done) {
    out.abort();
  }
  return done;
}

mirrors::mirrors(parts p, options o) : impl_(std::make_unique<impl>(p, std::move(o))) {}
mirrors::~mirrors() = default;

bool mirrors::handles(std::string_view repository) const {
  return impl_->find(repository).at != nullptr;
}

void mirrors::stop() {
  impl_->stop();
}

void mirrors::want_manifest(
  const std::string& repository,
  const std::string& reference,
  answer done) {
  auto& i = *impl_;
  const auto p = i.find(repository);
  const auto d = storage::parse_digest(reference);
  if (p.at == nullptr || !(is_digest(reference) ? d.has_value() : valid_tag(reference))) {
    done(fail(errc::manifest_unknown, "no such manifest"));
    return;
  }
  if (!is_digest(reference)) {
    if (i.is_fresh(p, reference)) {
      done({});
      return;
    }
    i.once(
      p,
      repository + ":" + reference,
      [&i, p, reference] { return i.refresh_tag(p, reference); },
      std::move(done));
    return;
  }
  if (const auto known = i.stores.repositories.manifest(repository, *d); known) {
    const bool due = i.o.now_ms() - known->touched_ms >= i.o.touch_ms;
    done(due ? i.stores.repositories.touch_manifest(repository, *d, i.o.now_ms()) : result<void>{});
    return;
  }
  i.once(
    p,
    repository + "@" + reference,
    [&i, p, reference] { return i.fetch_manifest(p, reference, ""); },
    std::move(done));
}

void mirrors::want_blob(const std::string& repository, const std::string& digest, answer done) {
  auto& i = *impl_;
  const auto p = i.find(repository);
  const auto d = storage::parse_digest(digest);
  if (p.at == nullptr || !d) {
    done(fail(errc::blob_unknown, "no such blob"));
    return;
  }
  if (const auto known = i.stores.repositories.blob(repository, *d); known) {
    const bool due = i.o.now_ms() - known->touched_ms >= i.o.touch_ms;
    done(due ? i.stores.repositories.touch_blob(repository, *d, i.o.now_ms()) : result<void>{});
    return;
  }
  i.once(
    p,
    repository + "/" + digest,
    [&i, p, wanted = *d] { return i.fetch_blob(p, wanted); },
    std::move(done));
}

}  // namespace slipway::gateways
