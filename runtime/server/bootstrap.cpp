#include "runtime/server/bootstrap.hpp"

#include "domain/access.hpp"
#include "domain/login_rules.hpp"
#include "domain/numbers.hpp"
#include "domain/removal.hpp"
#include "domain/rules.hpp"
#include "domain/seed.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace slipway::runtime {

using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

messages::commit first_commit(entity_ref entity, const domain::draft& d) {
  messages::commit c;
  c.entity = entity;
  c.expected_version = messages::any_version;  // nobody else writes yet
  c.time = d.now();
  c.events = d.events();
  return c;
}

result<void> append_one(storage::store& store, entity_ref entity, const domain::draft& d) {
  if (d.events().empty()) {
    return {};
  }
  const auto c = first_commit(entity, d);
  const auto done = store.log->append({&c, 1});
  return done.at(0) ? result<void>{} : tl::unexpected(done.at(0).error());
}

result<void> add_catalog(const domain::schema& model, storage::store& store) {
  const entity_ref catalog{entity_kind::catalog, messages::partition_count};
  const auto view = store.rows->view();
  domain::draft d(model, *view, now_ms());
  domain::seed_catalog(d, [&] { return store.log->next_id(0); });
  return append_one(store, catalog, d);
}

messages::entity_ref anywhere(storage::store& store, entity_kind kind) {
  const auto partition = static_cast<int>(random_u64() % messages::partition_count);
  return {kind, store.log->next_id(partition)};
}

domain::rule_context context_of(storage::store& store, entity_ref entity) {
  const auto partition = static_cast<int>(entity.id % messages::partition_count);
  return {entity, [&store, partition] { return store.log->next_id(partition); }, random_hex, ""};
}

result<std::int64_t> provider_of_hosts(const domain::schema& model, storage::store& store) {
  const auto view = store.rows->view();
  if (const auto id = domain::host_provider(*view)) {
    return *id;
  }
  const auto entity = anywhere(store, entity_kind::organization);
  domain::draft d(model, *view, now_ms());
  auto made = domain::seed_host_provider(d, context_of(store, entity));
  const auto done = made ? append_one(store, entity, d) : result<void>{};
  return done ? made : tl::unexpected(done.error());
}

// All in one append: a first start waits for the disk once, not 85 times.
result<void> add_hosts(const domain::schema& model, storage::store& store) {
  const auto types = domain::types_without_host(*store.rows->view());
  if (types.empty()) {
    return {};
  }
  const auto provider = provider_of_hosts(model, store);
  if (!provider) {
    return tl::unexpected(provider.error());
  }
  const auto view = store.rows->view();
  std::vector<messages::commit> commits;
  for (const auto type : types) {
    const auto entity = anywhere(store, entity_kind::fleet);
    domain::draft d(model, *view, now_ms());
    const auto made = domain::seed_host(d, context_of(store, entity), type, *provider);
    if (!made) {
      return tl::unexpected(messages::with_context("host application", made.error()));
    }
    commits.push_back(first_commit(entity, d));
  }
  for (const auto& done : store.log->append(commits)) {
    if (!done) {
      return tl::unexpected(done.error());
    }
  }
  return {};
}

result<void> mend_organizations(const domain::schema& model, storage::store& store) {
  const auto view = store.rows->view();
  std::vector<std::int64_t> organizations;
  view->scan(domain::numbers::get().organization.resource, 0, [&](const messages::row& r) {
    organizations.push_back(messages::id_of(r));
    return true;
  });
  for (const auto id : organizations) {
    domain::draft d(model, *view, now_ms());
    domain::seed_member_roles(d, id);
    if (auto ok = append_one(store, {entity_kind::organization, id}, d); !ok) {
      return ok;
    }
  }
  return {};
}

// What a crash has left of members who went.
result<void> remove_left_over_roles(const domain::schema& model, storage::store& store) {
  const auto view = store.rows->view();
  for (const auto& [resource, id] : domain::left_over_roles(*view)) {
    const auto row = view->get(resource, id);
    const auto entity =
      row ? domain::entity_of(model, *model.find(resource), *row, *view) : std::nullopt;
    if (!entity) {
      continue;
    }
    domain::draft d(model, *view, now_ms());
    d.remove(resource, id);
    if (auto ok = append_one(store, *entity, d); !ok) {
      return ok;
    }
  }
  return {};
}

// Rows from before names were compared by keys of their own lack them, and would not be found.
std::vector<messages::row> users_without_key(const storage::read_view& view) {
  const auto& u = domain::numbers::get().user;
  std::vector<messages::row> out;
  view.scan(u.resource, 0, [&](const messages::row& r) {
    if (messages::is_null(messages::field(r, u.username_key))) {
      out.push_back(r);
    }
    return true;
  });
  return out;
}

struct administrator {
  std::string name = "admin";
  std::string password;
};

result<administrator> read_admin_file(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!in || !std::getline(in, line)) {
    return fail(errc::io_failed, "cannot read the administrator from " + file);
  }
  const auto colon = line.find(':');
  if (colon == std::string::npos || colon == 0 || line.size() - colon - 1 < 8) {
    return fail(
      errc::invalid_argument,
      file + ": the first line must be name:password, the password of at least 8 characters");
  }
  return administrator{line.substr(0, colon), line.substr(colon + 1)};
}

result<void>
add_user(const domain::schema& model, storage::store& store, const administrator& admin) {
  const auto& u = domain::numbers::get().user;
  const auto view = store.rows->view();
  domain::draft d(model, *view, now_ms());
  const auto entity = anywhere(store, entity_kind::user);
  const auto context = context_of(store, entity);
  messages::create_row cmd;
  cmd.by.kind = messages::requester_kind::platform;
  cmd.resource = u.resource;
  cmd.values = {
    {u.username, admin.name},
    {u.password, hash_password(admin.password)},
    {u.is_administrator, true}};
  if (const auto decided = domain::decide(d, context, cmd); !decided) {
    return tl::unexpected(messages::with_context("administrator", decided.error()));
  }
  return append_one(store, entity, d);
}

}  // namespace

result<void> mend_users(const domain::schema& model, storage::store& store) {
  const auto& u = domain::numbers::get().user;
  const auto view = store.rows->view();
  for (const auto& r : users_without_key(*view)) {
    const auto id = messages::id_of(r);
    domain::draft d(model, *view, now_ms());
    std::vector<messages::field_value> keys{
      {u.username_key, domain::name_key(messages::as_text(messages::field(r, u.username)))}};
    if (const auto email = messages::as_text(messages::field(r, u.email)); !email.empty()) {
      keys.push_back({u.email_key, domain::name_key(email)});
    }
    d.change(u.resource, id, std::move(keys));
    const auto ok = append_one(store, {entity_kind::user, id}, d);
    if (!ok && ok.error().code != errc::unique_violated) {
      return ok;
    }
    if (!ok) {
      log::warn(
        "another user has this name but for letter case; it cannot log in until it is renamed",
        {{"username", messages::as_text(messages::field(r, u.username))}});
    }
  }
  return {};
}

result<bootstrap_result>
bootstrap(const domain::schema& model, storage::store& store, const std::string& admin_file) {
  if (auto ok = add_catalog(model, store); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = add_hosts(model, store); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = mend_users(model, store); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = mend_organizations(model, store); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = remove_left_over_roles(model, store); !ok) {
    return tl::unexpected(ok.error());
  }
  bool has_user = false;
  store.rows->view()->scan(domain::numbers::get().user.resource, 0, [&](const auto&) {
    has_user = true;
    return false;
  });
  bootstrap_result out;
  if (has_user) {
    return out;
  }
  administrator admin;
  if (admin_file.empty()) {
    out.generated_password = admin.password = random_token(20);
  } else {
    auto read = read_admin_file(admin_file);
    if (!read) {
      return tl::unexpected(read.error());
    }
    admin = std::move(*read);
  }
  if (auto ok = add_user(model, store, admin); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

result<std::string> load_or_make_secret(const std::string& file) {
  struct stat s {};
  if (::stat(file.c_str(), &s) == 0) {
    if ((s.st_mode & 077U) != 0) {
      return fail(errc::forbidden, file + " may be read by others: chmod 600 it");
    }
    std::ifstream in(file);
    std::string secret;
    std::getline(in, secret);
    return secret.size() >= 32 ? result<std::string>(secret)
                               : fail(errc::corrupt, file + " holds no secret");
  }
  const auto secret = random_token(64);
  const auto temporary = file + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
    fd >= 0 && ::write(fd, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size())
    && ::fsync(fd) == 0;
  if (fd >= 0) {
    ::close(fd);
  }
  if (!written || std::rename(temporary.c_str(), file.c_str()) != 0) {
    return fail(errc::io_failed, "cannot write " + file);
  }
  return secret;
}

}  // namespace slipway::runtime
