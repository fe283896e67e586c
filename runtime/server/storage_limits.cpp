#include "runtime/server/storage_limits.hpp"

#include "domain/numbers.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/server/registry_rights.hpp"

#include <sys/statvfs.h>

#include <array>
#include <charconv>
#include <ctime>
#include <limits>
#include <unordered_set>

namespace slipway::runtime {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using nlohmann::json;

namespace {

constexpr std::size_t page_rows = 500;
/// What takes less to count is counted each time; else counting takes a twentieth of the time at most.
constexpr std::int64_t count_always_ms = 5;
constexpr std::int64_t remember_per_cost = 20;
/// An upload that nobody goes on with for longer gives its room to others who need it.
constexpr std::int64_t pause_ms_max = std::int64_t{10} * 60 * 1000;

std::string note_of(std::int64_t organization) {
  return "limit " + std::to_string(organization);
}

/// Digests and sizes of what repositories hold, each digest once.
class holdings {
public:
  explicit holdings(const storage::repository_store& repositories) : repositories_(repositories) {}

  result<void> add(const std::string& repository) {
    auto done = add_pages(repository, &storage::repository_store::blobs_after);
    return done ? add_pages(repository, &storage::repository_store::manifests_after) : done;
  }
  /// The repository and the cache stages of its build, `<name>-<n>`.
  result<void> add_with_stages(const std::string& name) {
    auto done = add(name);
    const auto stages = repositories_.repositories(name, page_rows);
    if (!done || !stages) {
      return done ? tl::unexpected(stages.error()) : done;
    }
    for (const auto& stage : *stages) {
      if (!stage.starts_with(name + "-")) {
        break;
      }
      if (done = add(stage); !done) {
        return done;
      }
    }
    return {};
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
  using pages = result<std::vector<storage::held_item>> (
    storage::repository_store::*)(std::string&, std::size_t) const;
  result<void> add_pages(const std::string& repository, pages read) {
    auto cursor = repository + '\0';
    while (true) {
      const auto page = (repositories_.*read)(cursor, page_rows);
      if (!page) {
        return tl::unexpected(page.error());
      }
      for (const auto& item : *page) {
        if (item.repository != repository) {
          return {};
        }
        bytes_ += seen_.insert(item.id.text).second ? item.size : 0;
      }
      if (page->size() < page_rows) {
        return {};
      }
    }
  }

  const storage::repository_store& repositories_;
  std::unordered_set<std::string> seen_;
  std::uint64_t bytes_ = 0;
};

/// Of the work, not of the wait for a processor: on a busy machine the count is no less exact.
std::int64_t thread_cpu_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

std::int64_t organization_of(const domain::row_source& rows, const messages::row& image) {
  const auto& n = get();
  const auto service =
    rows.get(n.service.resource, as_int(field(image, n.image.is_a_build_of__service)));
  const auto fleet =
    service ? rows.get(n.application.resource, as_int(field(*service, n.service.application)))
            : std::nullopt;
  return fleet ? as_int(field(*fleet, n.application.organization)) : 0;
}

}  // namespace

result<void> storage_limits::disk() const {
  struct statvfs info {};
  if (::statvfs(options_.folder.c_str(), &info) != 0) {
    return {};  // whoever writes finds out
  }
  const auto left =
    static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_frsize);
  return left >= static_cast<std::uint64_t>(options_.free_bytes_min)
           ? result<void>{}
           : fail(
             errc::disk_full,
             "the registry's disk is almost full: nothing can be pushed until there is space");
}

result<std::int64_t> storage_limits::limited_owner(const std::string& repository) {
  const auto view = services_->store.rows->view();
  const auto image = image_of(*services_, *view, repository);
  const auto organization = image ? organization_of(*view, *image) : 0;
  const auto limit = limit_of(organization);
  if (organization == 0 || !limit || *limit == 0) {
    return limit ? result<std::int64_t>(0) : tl::unexpected(limit.error());
  }
  const auto done = update(organization, static_cast<std::uint64_t>(*limit));
  return done ? result<std::int64_t>(organization) : tl::unexpected(done.error());
}

result<std::uint64_t> storage_limits::room(const std::string& repository) {
  const auto owner = limited_owner(repository);
  if (!owner || *owner == 0) {
    return owner ? result<std::uint64_t>(std::numeric_limits<std::uint64_t>::max())
                 : tl::unexpected(owner.error());
  }
  if (shares_.room(*owner) == 0) {
    forget_paused(*owner);
  }
  return shares_.room(*owner);
}

result<void> storage_limits::hold(
  const std::string& repository,
  const std::string& upload,
  std::uint64_t bytes) {
  const auto owner = limited_owner(repository);
  if (!owner) {
    return tl::unexpected(owner.error());
  }
  if (*owner == 0) {
    shares_.release(upload, false);  // the limit was lifted meanwhile
    return {};
  }
  if (shares_.hold(*owner, upload, bytes)) {
    return {};
  }
  forget_paused(*owner);
  return shares_.hold(*owner, upload, bytes) ? result<void>{}
                                             : fail(errc::forbidden, gateways::quota_exceeded);
}

result<void> storage_limits::resize(const std::string& upload, std::uint64_t bytes) {
  return shares_.resize(upload, bytes) ? result<void>{}
                                       : fail(errc::forbidden, gateways::quota_exceeded);
}

void storage_limits::pause(const std::string& upload, std::uint64_t bytes) {
  shares_.pause(upload, bytes);
}

void storage_limits::release(const std::string& upload, bool stored) {
  shares_.release(upload, stored);
}

void storage_limits::forget_paused(std::int64_t organization) {
  for (const auto& upload : shares_.paused(organization)) {
    const auto known = repositories_.upload(upload);
    if (
      known ? now_ms() - known->touched_ms > pause_ms_max
            : known.error().code == errc::upload_unknown) {
      shares_.forget(upload);
    }
  }
}

result<std::int64_t> storage_limits::limit_of(std::int64_t organization) const {
  const auto note = repositories_.note(note_of(organization));
  if (!note || note->empty()) {
    return note ? result<std::int64_t>(options_.organization_default)
                : tl::unexpected(note.error());
  }
  std::int64_t bytes = 0;
  std::from_chars(note->data(), note->data() + note->size(), bytes);
  return bytes;
}

result<void> storage_limits::update(std::int64_t organization, std::uint64_t limit) {
  const auto began = now_ms();
  {
    const std::lock_guard lock(mutex_);
    const auto known = counted_.find(organization);
    if (
      known != counted_.end() && known->second.limit == limit
      && known->second.took_ms > count_always_ms
      && began - known->second.at_ms < known->second.took_ms * remember_per_cost) {
      return {};
    }
  }
  const auto stored = shares_.stored(organization);
  const auto view = services_->store.rows->view();
  const auto worked = thread_cpu_ms();
  const auto bytes = count(*view, organization);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  const std::lock_guard lock(mutex_);
  shares_.set(organization, limit, *bytes, stored);
  counted_[organization] = {limit, began, thread_cpu_ms() - worked};
  return {};
}

result<std::uint64_t> storage_limits::count(
  const domain::row_source& rows,
  std::int64_t organization) const {
  const auto& n = get();
  holdings held(repositories_);
  const std::array<messages::value, 1> owner{organization};
  for (const auto fleet : rows.all(n.application.resource, n.application.organization, owner)) {
    const std::array<messages::value, 1> of_fleet{fleet};
    for (const auto service : rows.all(n.service.resource, n.service.application, of_fleet)) {
      const std::array<messages::value, 1> of_service{service};
      const auto images = rows.all(n.image.resource, n.image.is_a_build_of__service, of_service);
      for (const auto id : images) {
        const auto image = rows.get(n.image.resource, id);
        const auto location =
          image ? as_text(field(*image, n.image.is_stored_at__image_location)) : std::string();
        const auto slash = location.find('/');
        if (slash == std::string::npos) {
          continue;
        }
        if (auto done = held.add_with_stages(location.substr(slash + 1)); !done) {
          return tl::unexpected(done.error());
        }
      }
    }
  }
  return held.bytes();
}

result<json> storage_limits::command(const json& request) {
  const auto name = request.value("organization", std::string());
  const auto& o = get().organization;
  const auto view = services_->store.rows->view();
  const std::array<messages::value, 1> key{name};
  const auto id = view->first(o.resource, o.handle, key);
  if (!id) {
    return fail(errc::not_found, "there is no organization with the handle " + name);
  }
  if (const auto limit = request.find("limit"); limit != request.end()) {
    if (!limit->is_number_integer() || limit->get<std::int64_t>() < -1) {
      return fail(errc::invalid_argument, "a limit is a number of bytes");
    }
    const auto bytes = limit->get<std::int64_t>();
    auto set = repositories_.set_note(note_of(*id), bytes < 0 ? "" : std::to_string(bytes));
    set = set ? repositories_.sync() : set;
    if (!set) {
      return tl::unexpected(set.error());
    }
  }
  const auto limit = limit_of(*id);
  const auto used = count(*view, *id);
  if (!limit || !used) {
    return tl::unexpected(limit ? used.error() : limit.error());
  }
  return json{
    {"organization", name},
    {"used_bytes", *used},
    {"limit_bytes", *limit == 0 ? json(nullptr) : json(*limit)}};
}

}  // namespace slipway::runtime
