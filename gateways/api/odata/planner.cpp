#include "gateways/api/odata/planner.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace slipway::gateways::odata {

using domain::field_def;
using domain::field_type;
using domain::index_def;
using domain::resource_def;
using messages::value;

namespace {

using ids = std::vector<std::int64_t>;

/// A list this short is not worth shortening.
constexpr std::size_t short_enough = 32;
/// No index is followed further than this; looking at all rows is then hardly slower.
constexpr std::size_t followed_max = 200'000;
/// A filter through a navigation is turned round only from so few rows at the far end.
constexpr std::size_t turned_round_max = 1'000;

/// `field eq value` of the row that is planned for.
struct equality {
  const field_def* field;
  value wanted;
};

void tidy(ids& found) {
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
}

const index_def* index_numbered(const resource_def& r, std::uint16_t number) {
  const auto it = std::find_if(r.indices.begin(), r.indices.end(), [&](const index_def& i) {
    return i.number == number;
  });
  return it == r.indices.end() ? nullptr : &*it;
}

/// The literal as the field stores it, since an index compares bytes; nothing when no stored value can be equal to it, or when
/// that cannot be told.
std::optional<value> stored_form(const field_def& f, const value& literal) {
  if (f.type == field_type::number || f.type == field_type::json || f.compute) {
    return std::nullopt;
  }
  if (const auto* d = std::get_if<double>(&literal)) {
    const bool integer = std::trunc(*d) == *d && std::abs(*d) < 9e15;
    return integer ? std::optional<value>(static_cast<std::int64_t>(*d)) : std::nullopt;
  }
  return messages::is_null(literal) ? std::nullopt : std::optional(literal);
}

class planner {
public:
  explicit planner(session& s) : s_(s) {}

  std::optional<ids> of_conjunction(
    const resource_def& r,
    std::span<const expr> parts,
    const std::vector<key_part>& key,
    std::uint8_t slot,
    std::size_t limit) {
    std::vector<equality> equalities;
    for (const auto& k : key) {
      add_equality(equalities, *k.field, k.value);
    }
    for (const auto& part : parts) {
      if (const auto* f = own_field(part, slot); f != nullptr && part.what == op::eq) {
        add_equality(equalities, *f, literal_of(part));
      }
    }
    std::optional<ids> best;
    const auto better = [&](std::optional<ids> found) {
      if (found) {
        limit = found->size();
        best = std::move(found);
      }
      return best && best->size() <= short_enough;
    };
    if (better(of_equalities(r, equalities, limit))) {
      return best;
    }
    // Cheap ones first: a navigation is followed only when no own field did it.
    for (const bool through_navigation : {false, true}) {
      for (const auto& part : parts) {
        if (far(part, slot) == through_navigation && better(of(r, part, slot, limit))) {
          return best;
        }
      }
    }
    return best;
  }

  std::optional<ids>
  of(const resource_def& r, const expr& e, std::uint8_t slot, std::size_t limit) {
    switch (e.what) {
      case op::conjunction:
        return of_conjunction(r, e.children, {}, slot, limit);
      case op::disjunction:
        return of_disjunction(r, e, slot, limit);
      case op::literal:
        return e.literal == value{true} ? std::nullopt : std::optional<ids>(ids{});
      case op::any:
        return of_lambda(e, slot, limit);
      case op::eq:
      case op::in:
      case op::startswith:
        return of_comparison(r, e, slot, limit);
      case op::field:  // a condition by itself
        return of_field(r, e, slot, {value{true}}, limit);
      default:
        return std::nullopt;
    }
  }

private:
  static const expr* field_in(const expr& e) {
    for (const auto& child : e.children) {
      if (child.what == op::field) {
        return &child;
      }
    }
    return nullptr;
  }

  static value literal_of(const expr& e) {
    for (const auto& child : e.children) {
      if (child.what == op::literal) {
        return child.literal;
      }
    }
    return {};
  }

  /// The field of the planned row itself that a comparison is about.
  static const field_def* own_field(const expr& e, std::uint8_t slot) {
    const auto* f = field_in(e);
    return f != nullptr && f->from == slot && f->path.empty() ? f->field : nullptr;
  }

  static bool far(const expr& e, std::uint8_t slot) {
    return own_field(e, slot) == nullptr && e.what != op::field;
  }

  static void add_equality(std::vector<equality>& to, const field_def& f, const value& literal) {
    if (auto wanted = stored_form(f, literal)) {
      to.push_back({&f, std::move(*wanted)});
    }
  }

  /// Ids from one index; nullopt when there are more than `limit`.
  std::optional<ids> followed(
    const resource_def& r,
    std::uint16_t index,
    std::span<const value> wanted,
    std::size_t limit) {
    ids found;
    bool all = true;
    s_.rows().lookup(r.number, index, wanted, [&](std::int64_t id) {
      all = found.size() < limit && s_.charge();
      if (all) {
        found.push_back(id);
      }
      return all;
    });
    return all ? std::optional(std::move(found)) : std::nullopt;
  }

  /// Rows whose `f` is one of `wanted`.
  std::optional<ids> of_values(
    const resource_def& r,
    const field_def& f,
    std::span<const value> wanted,
    std::size_t limit) {
    const bool is_id = f.number == 0;
    if (f.compute || (!is_id && index_numbered(r, f.number) == nullptr)) {
      return std::nullopt;
    }
    ids found;
    for (const auto& literal : wanted) {
      const auto stored = stored_form(f, literal);
      if (!stored) {
        return std::nullopt;
      }
      if (is_id) {
        found.push_back(messages::as_int(*stored));
        continue;
      }
      const auto more = followed(r, f.number, {&*stored, 1}, limit - found.size());
      if (!more) {
        return std::nullopt;
      }
      found.insert(found.end(), more->begin(), more->end());
    }
    tidy(found);
    return found.size() <= limit ? std::optional(std::move(found)) : std::nullopt;
  }

  std::optional<ids>
  of_prefix(const resource_def& r, const field_def& f, const value& literal, std::size_t limit) {
    const auto* prefix = std::get_if<std::string>(&literal);
    const bool usable = prefix != nullptr && !prefix->empty() && f.type == field_type::text
                        && !f.compute && index_numbered(r, f.number) != nullptr;
    if (!usable) {
      return std::nullopt;
    }
    ids found;
    bool all = true;
    s_.rows().lookup_prefix(r.number, f.number, *prefix, [&](std::int64_t id) {
      all = found.size() < limit && s_.charge();
      if (all) {
        found.push_back(id);
      }
      return all;
    });
    tidy(found);
    return all ? std::optional(std::move(found)) : std::nullopt;
  }

  /// By the index that the most of the equalities fit.
  std::optional<ids>
  of_equalities(const resource_def& r, const std::vector<equality>& equalities, std::size_t limit) {
    const index_def* best = nullptr;
    std::vector<value> values;
    for (const auto& e : equalities) {
      if (e.field->number == 0) {
        return of_values(r, *e.field, {&e.wanted, 1}, limit);
      }
    }
    for (const auto& index : r.indices) {
      auto wanted = leading(index, equalities);
      const bool whole = wanted.size() == index.fields.size();
      const bool unique = whole && index.unique;
      const bool best_is_unique =
        best != nullptr && best->unique && values.size() == best->fields.size();
      if (!wanted.empty() && !best_is_unique && (unique || wanted.size() > values.size())) {
        best = &index;
        values = std::move(wanted);
      }
    }
    if (best == nullptr) {
      return std::nullopt;
    }
    auto found = followed(r, best->number, values, limit);
    if (found) {
      tidy(*found);
    }
    return found;
  }

  static std::vector<value> leading(
    const index_def& index,
    const std::vector<equality>& equalities) {
    std::vector<value> wanted;
    for (const auto field : index.fields) {
      const auto it = std::find_if(equalities.begin(), equalities.end(), [&](const equality& e) {
        return e.field->number == field;
      });
      if (it == equalities.end()) {
        break;
      }
      wanted.push_back(it->wanted);
    }
    return wanted;
  }

  std::optional<ids>
  of_disjunction(const resource_def& r, const expr& e, std::uint8_t slot, std::size_t limit) {
    ids found;
    for (const auto& child : e.children) {
      const auto more = of(r, child, slot, limit - std::min(limit, found.size()));
      if (!more) {
        return std::nullopt;
      }
      found.insert(found.end(), more->begin(), more->end());
    }
    tidy(found);
    return found;
  }

  std::optional<ids>
  of_comparison(const resource_def& r, const expr& e, std::uint8_t slot, std::size_t limit) {
    const auto* f = field_in(e);
    if (f == nullptr || f->from != slot) {
      return std::nullopt;
    }
    if (e.what == op::startswith) {
      // The text before, the prefix after: `startswith('x', field)` is no prefix search.
      return &e.children.front() == f && f->path.empty()
               ? of_prefix(r, *f->field, literal_of(e), limit)
               : std::nullopt;
    }
    if (e.what == op::in) {
      return e.list_has_null ? std::nullopt : of_field(r, *f, slot, e.list, limit);
    }
    const auto literal = literal_of(e);
    return messages::is_null(literal) ? std::nullopt : of_field(r, *f, slot, {literal}, limit);
  }

  std::optional<ids> of_field(
    const resource_def& r,
    const expr& field,
    std::uint8_t slot,
    const std::vector<value>& wanted,
    std::size_t limit) {
    if (field.from != slot) {
      return std::nullopt;
    }
    if (field.path.empty()) {
      return of_values(r, *field.field, wanted, limit);
    }
    auto found = of_values(*field.path.back().to, *field.field, wanted, turned_round_max);
    return found ? back_along(field.path, std::move(*found), limit) : std::nullopt;
  }

  std::optional<ids> of_lambda(const expr& e, std::uint8_t slot, std::size_t limit) {
    if (e.from != slot || e.over.navigation->relate || e.children.empty()) {
      return std::nullopt;
    }
    auto found = of(*e.over.to, e.children.front(), e.binds, turned_round_max);
    if (!found) {
      return std::nullopt;
    }
    auto near = back_over(e.over, *found, e.path.empty() ? limit : turned_round_max);
    return near ? back_along(e.path, std::move(*near), limit) : std::nullopt;
  }

  /// Rows of the near side of a navigation from rows of its far side.
  std::optional<ids> back_over(const step& along, const ids& far_ids, std::size_t limit) {
    const auto& nav = *along.navigation;
    if (!nav.forward) {
      return owners(along, far_ids);
    }
    const auto& via = along.from->fields[nav.via];
    if (via.compute) {
      return std::nullopt;
    }
    ids found;
    for (const auto id : far_ids) {
      const value wanted{id};
      const auto more =
        followed(*along.from, via.number, {&wanted, 1}, limit - std::min(limit, found.size()));
      if (!more) {
        return std::nullopt;
      }
      found.insert(found.end(), more->begin(), more->end());
    }
    tidy(found);
    return found;
  }

  std::optional<ids> owners(const step& along, const ids& far_ids) {
    const auto& via = along.to->fields[along.navigation->via];
    ids found;
    for (const auto id : far_ids) {
      // Invisible rows do not make a lambda true, so their owners are no candidates.
      if (const auto r = s_.fetch(*along.to, id)) {
        if (const auto owner = s_.value_of(*r, via); !messages::is_null(owner)) {
          found.push_back(messages::as_int(owner));
        }
      }
    }
    tidy(found);
    return found;
  }

  std::optional<ids> back_along(const std::vector<step>& path, ids found, std::size_t limit) {
    for (std::size_t i = path.size(); i > 0; --i) {
      auto near = back_over(path[i - 1], found, i == 1 ? limit : turned_round_max);
      if (!near) {
        return std::nullopt;
      }
      found = std::move(*near);
    }
    return found;
  }

  session& s_;
};

}  // namespace

std::optional<ids> plan(
  session& s,
  const resource_def& resource,
  const std::vector<key_part>& key,
  const std::optional<expr>& filter) {
  std::span<const expr> parts;
  if (filter) {
    parts = filter->what == op::conjunction ? std::span<const expr>(filter->children)
                                            : std::span<const expr>(&*filter, 1);
  }
  return planner(s).of_conjunction(resource, parts, key, 0, followed_max);
}

}  // namespace slipway::gateways::odata
