#pragma once

#include "domain/resource_model.hpp"
#include "domain/rules.hpp"
#include "messages/requester.hpp"
#include "tests/support/memory_rows.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::tests {

/// A field by its name and what it is given.
using named_values = std::vector<std::pair<std::string_view, messages::value>>;

/// A whole installation in memory, made and changed through the rules as the server does it: a command is decided on the rows and
/// its events are applied to them. Uniqueness is the log's business and is not checked here.
class installation {
public:
  /// With the catalog that a new server has.
  installation();

  std::shared_ptr<const domain::schema> model = domain::resource_model();
  memory_rows rows{*model};
  std::int64_t now = 1'700'000'000'000;
  std::vector<messages::event> events;  ///< of the last decision that was made
  messages::commit last;                ///< the same, as it would be in the log

  // Who asks.
  [[nodiscard]] static messages::requester platform();
  [[nodiscard]] static messages::requester guest() { return {}; }
  [[nodiscard]] messages::requester user(std::int64_t id) const;
  /// The same user by an API key instead of a login session.
  [[nodiscard]] messages::requester user_by_key(std::int64_t id) const;
  [[nodiscard]] messages::requester provisioning_key(std::int64_t fleet) const;
  [[nodiscard]] messages::requester device(std::int64_t id) const;

  // Commands by names.
  domain::decision
  create(const messages::requester& by, std::string_view resource, named_values values);
  domain::decision change(
    const messages::requester& by,
    std::string_view resource,
    std::int64_t id,
    named_values values);
  domain::decision
  remove(const messages::requester& by, std::string_view resource, std::int64_t id);
  template <class Command>
  domain::decision tell(messages::entity_ref to, const Command& cmd) {
    domain::draft d(*model, rows, now);
    const auto decided = domain::decide(d, context(to), cmd);
    if (decided) {
      apply(to, d);
    }
    return decided;
  }

  /// What a start of the server adds, decided as a new entity of this kind.
  using seeding = std::function<domain::decision(domain::draft&, const domain::rule_context&)>;
  domain::decision seed(messages::entity_kind kind, const seeding& make);

  // What is there, by the platform. They end the process when the rules refuse.
  std::int64_t given_user(const std::string& name);
  std::int64_t given_administrator(const std::string& name);
  std::int64_t given_fleet(std::int64_t user, const std::string& name, bool is_public = false);
  std::int64_t given_device(std::int64_t fleet, const std::string& uuid_begins = "");
  std::int64_t given_service(std::int64_t fleet, const std::string& name);
  /// A final successful release of one image per service; commits are made up.
  std::int64_t given_release(
    std::int64_t fleet,
    const std::vector<std::string>& services = {"main"});
  std::int64_t given(std::string_view resource, named_values values);

  // What became of it.
  [[nodiscard]] messages::value
  of(std::string_view resource, std::int64_t id, std::string_view field) const;
  [[nodiscard]] std::int64_t
  id_of(std::string_view resource, std::int64_t id, std::string_view field) const;
  [[nodiscard]] std::string
  text_of(std::string_view resource, std::int64_t id, std::string_view field) const;
  [[nodiscard]] bool exists(std::string_view resource, std::int64_t id) const;
  [[nodiscard]] messages::row row(std::string_view resource, std::int64_t id) const;
  [[nodiscard]] std::size_t count(std::string_view resource) const;
  /// Ids of rows whose field is this.
  [[nodiscard]] std::vector<std::int64_t>
  where(std::string_view resource, std::string_view field, messages::value v) const;
  [[nodiscard]] std::int64_t organization_of(std::int64_t user) const;
  [[nodiscard]] std::int64_t device_type(const std::string& slug) const;

private:
  [[nodiscard]] domain::rule_context context(messages::entity_ref entity);
  [[nodiscard]] std::vector<messages::field_value> values_of(
    const domain::resource_def& resource,
    const named_values& values) const;
  void apply(messages::entity_ref entity, const domain::draft& d);
  std::int64_t next_id() { return ++counter_ * 64 + 1; }

  std::int64_t counter_ = 100;
  std::int64_t random_ = 0;
};

}  // namespace slipway::tests
