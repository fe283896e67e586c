#include "gateways/api/odata/executor.hpp"

#include "gateways/api/odata/evaluate.hpp"
#include "gateways/api/odata/json_writer.hpp"
#include "gateways/api/odata/planner.hpp"
#include "gateways/api/odata/values.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace slipway::gateways::odata {

using messages::errc;
using messages::result;
using messages::row;
using messages::value;

namespace {

/// Beyond so many ids from indices, what the requester could see may be fewer.
constexpr std::size_t many_ids = 1'000;
/// Values that one sort may hold.
constexpr std::size_t sorted_bytes_max = 64U << 20U;
/// Texts of expanded references that are kept for the next row that leads to the same one.
constexpr std::size_t fragments_max = 10'000;

struct hit {
  std::int64_t id = 0;
  row_ptr owner;  ///< null = fetch it again
  std::vector<value> keys;
};

/// Where the rows of a query come from.
struct source {
  std::function<void(const session::visitor&)> each;  ///< calls its argument with each row
  bool in_order =
    false;  ///< in that of $orderby, so that the first ones found are the first of the answer
};

bool by_id(const query& q) {
  if (q.orderby.empty()) {
    return true;
  }
  const auto& first = q.orderby.front().by;
  return first.what == op::field && first.path.empty() && first.field->number == 0;
}

bool has_key(session& s, const std::vector<key_part>& key, const row& r) {
  return std::all_of(key.begin(), key.end(), [&](const key_part& part) {
    return compare_values(op::eq, s.value_of(r, *part.field), part.value) == value{true};
  });
}

class executor {
public:
  explicit executor(session& s) : s_(s) {}

  /// All rows of the request's resource that can have its key and pass its filter.
  source rows_of(const request_line& line) {
    auto ids = plan(s_, line.resource(), line.key, line.rows.filter);
    const bool many = !ids || ids->size() > many_ids;
    if (many && s_.rights().candidates) {
      auto hint = s_.rights().candidates(line.resource());
      if (hint && (!ids || hint->size() < ids->size())) {
        ids = std::move(hint);
        std::sort(ids->begin(), ids->end());
        ids->erase(std::unique(ids->begin(), ids->end()), ids->end());
      }
    }
    bool in_order = by_id(line.rows);
    if (in_order && !line.rows.orderby.empty() && line.rows.orderby.front().descending) {
      in_order = ids.has_value();  // tables are read forwards only
      if (ids) {
        std::reverse(ids->begin(), ids->end());
      }
    }
    const auto each = [this, &line, ids = std::move(ids)](const session::visitor& visit) {
      const session::visitor keyed = [&](const row& r, const row_ptr& owner) {
        return !has_key(s_, line.key, r) || visit(r, owner);
      };
      if (ids) {
        s_.each(line.resource(), *ids, keyed);
      } else {
        s_.scan(line.resource(), keyed);
      }
    };
    return {each, in_order};
  }

  /// Rows of `from` that pass the filter, in order, cut to $skip and $top.
  std::vector<hit> collect(const query& q, const source& from) {
    const auto top = q.top.value_or(std::numeric_limits<std::uint64_t>::max());
    const auto skip = q.skip;
    const auto wanted = top > std::numeric_limits<std::uint64_t>::max() - skip ? top : top + skip;
    std::vector<hit> hits;
    if (wanted == 0) {
      return hits;
    }
    std::size_t sorted_bytes = 0;
    from.each([&](const row& r, const row_ptr& owner) {
      if (passes(s_, q.filter, r)) {
        hits.push_back({messages::id_of(r), s_.keep(r, owner), {}});
        if (!from.in_order) {
          hits.back().keys = keys_of(q, r, sorted_bytes);
        }
      }
      return !s_.stopped() && !(from.in_order && hits.size() >= wanted);
    });
    if (!from.in_order) {
      sort(q, hits, wanted);
    }
    hits.erase(
      hits.begin(),
      hits.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(skip, hits.size())));
    hits.resize(std::min<std::uint64_t>(top, hits.size()));
    return hits;
  }

  std::uint64_t count(const query& q, const source& from) {
    std::uint64_t n = 0;
    from.each([&](const row& r, const row_ptr&) {
      n += passes(s_, q.filter, r) ? 1 : 0;
      return !s_.stopped();
    });
    return n;
  }

  void write_all(std::string& out, const query& q, std::vector<hit>& hits) {
    out += '[';
    bool first = true;
    for (auto& h : hits) {
      const auto r = h.owner != nullptr ? std::move(h.owner) : s_.fetch(*q.resource, h.id);
      if (s_.stopped()) {
        return;
      }
      if (r == nullptr) {
        continue;
      }
      out += first ? "" : ",";
      first = false;
      write(out, q, *r);
    }
    out += ']';
  }

  void write(std::string& out, const query& q, const row& r) {
    char separator = '{';
    for (const auto& c : q.columns) {
      out += separator;
      separator = ',';
      append_name(out, c.name);
      if (c.field->compute) {
        append_value(out, *c.field, s_.value_of(r, *c.field));
      } else if (c.field->type == domain::field_type::json && s_.rights().document) {
        append_value(out, *c.field, s_.rights().document(*c.field, r));
      } else {
        append_value(out, *c.field, messages::field(r, c.field->number));
      }
    }
    for (const auto& e : q.expand) {
      out += separator;
      separator = ',';
      append_name(out, e.name);
      expand(out, e, r);
    }
    out += separator == '{' ? "{}" : "}";
    if (out.size() > s_.rights().response_bytes_max) {
      s_.fail(
        "the answer is longer than " + std::to_string(s_.rights().response_bytes_max)
        + " bytes: narrow the filter, or page with $top and $skip");
    }
  }

private:
  void expand(std::string& out, const expansion& e, const row& r) {
    const auto& nav = *e.along.navigation;
    const bool single = nav.forward && !nav.relate;
    if (!single) {
      expand_rows(out, e, r);
      return;
    }
    // The same row under the same options reads the same: fleets, types and releases recur on every device of a list.
    const auto target = s_.value_of(r, e.along.from->fields[nav.via]);
    const auto key = std::pair(&e, messages::as_int(target));
    if (const auto it = fragments_.find(key); it != fragments_.end()) {
      out += it->second;
      return;
    }
    const auto begin = out.size();
    expand_rows(out, e, r);
    if (!s_.stopped() && fragments_.size() < fragments_max) {
      fragments_.emplace(key, out.substr(begin));
    }
  }

  void expand_rows(std::string& out, const expansion& e, const row& r) {
    const source from{
      [&](const session::visitor& visit) { s_.related(r, e.along, visit); },
      e.rows.orderby.empty()};
    if (e.count) {
      out += std::to_string(count(e.rows, from));
      return;
    }
    auto hits = collect(e.rows, from);
    write_all(out, e.rows, hits);
  }

  std::vector<value> keys_of(const query& q, const row& r, std::size_t& bytes) {
    std::vector<value> keys;
    keys.reserve(q.orderby.size());
    frame f{};
    f[0] = &r;
    for (const auto& o : q.orderby) {
      value scratch;
      keys.push_back(evaluate(s_, o.by, f, scratch));
      const auto* text = std::get_if<std::string>(&keys.back());
      bytes += sizeof(value) + (text != nullptr ? text->size() : 0);
    }
    if (bytes > sorted_bytes_max) {
      s_.fail(
        "the query sorts more than " + std::to_string(sorted_bytes_max)
        + " bytes: narrow its filter");
    }
    return keys;
  }

  static void sort(const query& q, std::vector<hit>& hits, std::uint64_t wanted) {
    const auto before = [&](const hit& a, const hit& b) {
      for (std::size_t i = 0; i < q.orderby.size(); ++i) {
        const auto order = sort_order(a.keys[i], b.keys[i]);
        if (order != 0) {
          return (order < 0) != q.orderby[i].descending;
        }
      }
      return a.id < b.id;
    };
    const auto cut = std::min<std::uint64_t>(wanted, hits.size());
    std::partial_sort(
      hits.begin(),
      hits.begin() + static_cast<std::ptrdiff_t>(cut),
      hits.end(),
      before);
  }

  session& s_;
  std::map<std::pair<const expansion*, std::int64_t>, std::string> fragments_;
};

void report(statistics* stats, const session& s, std::size_t returned) {
  if (stats != nullptr) {
    stats->rows_examined = s.rows_examined();
    stats->rows_returned = returned;
    stats->too_costly = s.too_costly();
  }
}

tl::unexpected<messages::error> refuse_action(const request_line& line) {
  return messages::fail(
    errc::invalid_argument,
    "`" + line.action + "` is an action: it cannot be read or changed");
}

}  // namespace

result<std::string> read(
  const request_line& line,
  const domain::row_source& rows,
  const access& rights,
  statistics* stats) {
  if (!line.action.empty()) {
    return refuse_action(line);
  }
  session s(rows, rights);
  executor x(s);
  std::string out = "{\"d\":";
  std::size_t returned = 1;
  const auto from = x.rows_of(line);
  if (line.count) {
    out += std::to_string(x.count(line.rows, from));
  } else {
    auto hits = x.collect(line.rows, from);
    returned = hits.size();
    x.write_all(out, line.rows, hits);
  }
  out += '}';
  report(stats, s, returned);
  if (s.stopped()) {
    return tl::unexpected(*s.failure());
  }
  return out;
}

result<std::vector<std::int64_t>> select_ids(
  const request_line& line,
  const domain::row_source& rows,
  const access& rights,
  statistics* stats) {
  if (!line.action.empty() || line.count) {
    return refuse_action(line);
  }
  if (line.key.empty() && !line.rows.filter) {
    return messages::fail(
      errc::invalid_argument,
      "a change of a whole collection needs a key or a $filter");
  }
  session s(rows, rights);
  executor x(s);
  std::vector<std::int64_t> ids;
  x.rows_of(line).each([&](const row& r, const row_ptr&) {
    if (passes(s, line.rows.filter, r)) {
      ids.push_back(messages::id_of(r));
    }
    return !s.stopped();
  });
  report(stats, s, ids.size());
  if (s.stopped()) {
    return tl::unexpected(*s.failure());
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string
row_json(const domain::resource_def& resource, const row& r, const domain::row_source& rows) {
  std::string out;
  char separator = '{';
  for (const auto& f : resource.fields) {
    if (f.hidden || f.unlisted) {
      continue;
    }
    out += separator;
    separator = ',';
    append_name(out, f.name);
    append_value(out, f, f.compute ? f.compute(r, rows) : messages::field(r, f.number));
  }
  out += '}';
  return out;
}

}  // namespace slipway::gateways::odata
