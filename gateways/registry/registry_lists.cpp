#include "gateways/registry/registry_core.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

constexpr std::size_t entries_max = 1000;     ///< of one answer
constexpr std::size_t names_seen_max = 5000;  ///< of the catalog, in one answer, visible or not
constexpr const char* index_type = "application/vnd.oci.image.index.v1+json";

/// How many the client wants; at most what one answer holds.
result<std::size_t> wanted(const registry_request& r) {
  const auto n = runtime::query_value(r.query, "n").value_or("");
  std::size_t count = entries_max;
  if (!n.empty()) {
    const auto parsed = std::from_chars(n.data(), n.data() + n.size(), count);
    if (parsed.ec != std::errc{} || parsed.ptr != n.data() + n.size()) {
      return fail(errc::invalid_argument, "n is a number");
    }
  }
  return std::min(count, entries_max);
}

void link_next(response& r, const std::string& path, std::size_t n, const std::string& last) {
  r.headers.emplace_back(
    "Link",
    "<" + path + (path.find('?') == std::string::npos ? "?" : "&") + "n=" + std::to_string(n)
      + "&last=" + runtime::percent_encode(last) + ">; rel=\"next\"");
}

json descriptor_of(const storage::referrer& m) {
  json d{{"mediaType", m.media_type}, {"digest", m.digest}, {"size", m.size}};
  if (!m.artifact_type.empty()) {
    d["artifactType"] = m.artifact_type;
  }
  if (!m.annotations.empty()) {
    d["annotations"] = json::parse(m.annotations, nullptr, false);
  }
  return d;
}

}  // namespace

awaitable<result<void>> registry_core::list_tags(registry_request& r) {
  const auto count = wanted(r);
  if (!count) {
    co_return tl::unexpected(count.error());
  }
  const auto last = runtime::query_value(r.query, "last").value_or("");
  auto tags = parts_.repositories.tags(r.repository, last, *count + 1);
  if (!tags) {
    co_return tl::unexpected(tags.error());
  }
  auto answer = registry_response(200);
  if (tags->size() > *count) {
    tags->resize(*count);
    if (*count > 0) {
      link_next(answer, "/v2/" + r.shown + "/tags/list", *count, tags->back());
    }
  }
  answer.content_type = "application/json";
  answer.body = json{{"name", r.shown}, {"tags", *tags}}.dump();
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

/// OCI distribution-spec, "Listing Referrers": always an index, also of what is not here.
awaitable<result<void>> registry_core::list_referrers(registry_request& r) {
  const auto d = storage::parse_digest(r.last);
  const auto count = wanted(r);
  if (!d || !count) {
    co_return tl::unexpected(d ? count.error() : d.error());
  }
  auto type = std::string(runtime::query_value(r.query, "artifactType").value_or(""));
  // Media types hold no space, but a plus that a client did not encode arrives as one.
  std::replace(type.begin(), type.end(), ' ', '+');
  const auto last = std::string(runtime::query_value(r.query, "last").value_or(""));
  std::function<result<storage::referrer_page>()> work = [&] {
    return parts_.repositories.referrers(r.repository, *d, type, last, *count);
  };
  const auto page = co_await run_on<result<storage::referrer_page>>(pool_, std::move(work));
  if (!page) {
    co_return tl::unexpected(page.error());
  }
  auto list = json::array();
  for (const auto& m : page->list) {
    list.push_back(descriptor_of(m));
  }
  auto answer = registry_response(200);
  answer.content_type = index_type;
  if (!type.empty()) {
    answer.headers.emplace_back("OCI-Filters-Applied", "artifactType");
  }
  if (page->more && *count > 0) {
    auto path = "/v2/" + r.shown + "/referrers/" + d->text;
    if (!type.empty()) {
      path += "?artifactType=" + runtime::percent_encode(type);
    }
    link_next(answer, path, *count, page->last);
  }
  answer.body = json{{"schemaVersion", 2}, {"mediaType", index_type}, {"manifests", list}}.dump();
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

/// Only what the bearer may pull. A page may hold fewer than asked for, with a `Link` when there are more to look at.
awaitable<result<void>> registry_core::list_repositories(registry_request& r) {
  struct page {
    std::vector<std::string> names;
    std::string last;
    bool more = false;
  };
  const auto count = wanted(r);
  if (!count) {
    co_return tl::unexpected(count.error());
  }
  const auto after = std::string(runtime::query_value(r.query, "last").value_or(""));
  std::function<result<page>()> work = [&]() -> result<page> {
    page out;
    out.last = after;
    std::size_t seen = 0;
    const auto visible = options_.may_list ? options_.may_list(*r.claims) : nullptr;
    while (true) {
      const auto names = parts_.repositories.repositories(out.last, entries_max);
      if (!names) {
        return tl::unexpected(names.error());
      }
      for (const auto& name : *names) {
        if (out.names.size() >= *count || seen++ >= names_seen_max) {
          out.more = true;
          return out;
        }
        out.last = name;
        if (!visible || visible(name)) {
          out.names.push_back(name);
        }
      }
      if (names->size() < entries_max) {
        return out;
      }
    }
  };
  const auto found = co_await run_on<result<page>>(pool_, std::move(work));
  if (!found) {
    co_return tl::unexpected(found.error());
  }
  auto answer = registry_response(200);
  if (found->more && *count > 0) {
    link_next(answer, "/v2/_catalog", *count, found->last);
  }
  answer.content_type = "application/json";
  answer.body = json{{"repositories", found->names}}.dump();
  co_await r.x.respond(std::move(answer));
  co_return result<void>{};
}

}  // namespace slipway::gateways
