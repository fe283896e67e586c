#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "gateways/api/odata/request.hpp"
#include "messages/error.hpp"
#include "messages/requester.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

namespace slipway::gateways::odata {

/// What a requester may see and how much one request may cost.
struct access {
  const messages::requester& by;
  /// Rows for which this is false do not exist for the request, wherever they would be met. Must be set.
  std::function<bool(const domain::resource_def&, const messages::row&)> visible;
  /// Ids of a resource that could be visible, when there are few to name; all others certainly are not. May be unset.
  std::function<std::optional<std::vector<std::int64_t>>(const domain::resource_def&)> candidates =
    nullptr;
  /// Rows looked at, each time one is: beyond it the request is answered 400.
  std::size_t rows_examined_max = 1'000'000;
  std::size_t response_bytes_max = 64U << 20U;
  /// True = the request has run too long; asked every 256 rows. May be unset.
  std::function<bool()> expired = nullptr;
  /// What a document shows where that is not what the row keeps: a link that ends. May be unset.
  std::function<messages::value(const domain::field_def&, const messages::row&)> document = nullptr;
};

struct statistics {
  std::size_t rows_examined = 0;
  std::size_t rows_returned = 0;
  bool too_costly = false;  ///< refused for the rows or the time it took: more of them would help
};

using row_ptr = std::shared_ptr<const messages::row>;

/// One request's way to rows: every row passes the visibility check here, and is paid for. Rows are kept while the request runs,
/// within a bound, because expanded references mostly lead to the same few. Must outlive every row it hands out.
class session {
public:
  session(const domain::row_source& rows, const access& rights);

  /// A row the requester may see, or null.
  row_ptr fetch(const domain::resource_def& resource, std::int64_t id);

  /// Return false to stop. The owner is null when the row lives only for the call.
  using visitor = std::function<bool(const messages::row&, const row_ptr& owner)>;
  /// Visible rows that a navigation leads to, in ascending id order.
  void related(const messages::row& from, const step& along, const visitor& visit);
  /// Visible rows of `ids`, in their order.
  void each(
    const domain::resource_def& resource,
    const std::vector<std::int64_t>& ids,
    const visitor& visit);
  /// All visible rows, in ascending id order.
  void scan(const domain::resource_def& resource, const visitor& visit);

  /// A field's value, computed or stored.
  messages::value value_of(const messages::row& r, const domain::field_def& f) const;

  /// Charges one row. False when the request has to end.
  bool charge();
  /// Asks after the deadline once functions have read `bytes` of text more often than a few rows would give cause to.
  void charge_text(std::size_t bytes);
  /// `owner`, or a copy of `r`, while there is room; else null, and the row has to be fetched again.
  row_ptr keep(const messages::row& r, const row_ptr& owner);

  void fail(std::string detail);
  [[nodiscard]] bool too_costly() const { return too_costly_; }
  [[nodiscard]] bool stopped() const { return failure_.has_value(); }
  [[nodiscard]] const std::optional<messages::error>& failure() const { return failure_; }

  [[nodiscard]] const domain::row_source& rows() const { return rows_; }
  [[nodiscard]] const access& rights() const { return rights_; }
  [[nodiscard]] std::size_t rows_examined() const { return examined_; }

private:
  struct key {
    std::uint16_t resource;
    std::int64_t id;
    friend bool operator==(const key&, const key&) = default;
  };
  struct key_hash {
    std::size_t operator()(const key& k) const noexcept;
  };

  row_ptr own(messages::row r);
  void check_deadline();

  const domain::row_source& rows_;
  const access& rights_;
  std::size_t live_bytes_ = 0;  ///< of all rows handed out and not yet let go; must outlive them
  std::unordered_map<key, row_ptr, key_hash> cache_;
  std::size_t examined_ = 0;
  std::size_t text_bytes_ = 0;
  std::optional<messages::error> failure_;
  bool too_costly_ = false;
};

}  // namespace slipway::gateways::odata
