#pragma once

#include "domain/row_source.hpp"
#include "messages/error.hpp"
#include "messages/requester.hpp"
#include "runtime/change_clock.hpp"
#include "storage/store.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace slipway::gateways {

/// Who a credential stands for. API keys and session tokens, each looked up in the read model once and remembered until a commit
/// touches the keys or memberships it was derived from: a revoked one is refused at once.
class authenticator {
public:
  authenticator(
    std::shared_ptr<storage::read_model> rows,
    std::shared_ptr<runtime::change_clock> changes,
    std::string session_key,
    std::function<std::int64_t()> now);

  /// An API key or a session token; "" = guest. Errors: unauthorized.
  [[nodiscard]] messages::result<messages::requester> identify(std::string_view secret) const;

  /// The secret of `Authorization: Bearer x`, of `Authorization: Basic` (its password), or of `apikey=x` in a query; "" = none.
  [[nodiscard]] static std::string secret_of(
    std::string_view authorization,
    std::string_view query);

  [[nodiscard]] const std::string& session_key() const { return session_key_; }

  /// Commits that change who may do what for several entities at once advance this one.
  static constexpr messages::entity_ref everybody{messages::entity_kind::none, 0};

  /// What a credential stood for when it was last looked up.
  struct ticket {
    messages::requester by;
    messages::entity_ref owner;
    std::uint64_t owner_change = 0;
    std::uint64_t everybody_change = 0;
    std::int64_t expires = 0;  ///< ms, 0 = never
    std::int64_t session = 0;  ///< row of the login session, 0 = an API key
  };
  /// As `identify`, to be asked about again with `still_valid`.
  [[nodiscard]] messages::result<ticket> admit(std::string_view secret) const;
  /// As `admit`, of a key or session that was admitted before, by its row: for tokens that were made from one.
  [[nodiscard]] messages::result<ticket> admit_key(std::int64_t row) const;
  [[nodiscard]] messages::result<ticket> admit_session(std::int64_t row, std::int64_t user) const;
  /// False = the credential, or a role of whom it stands for, may have changed or run out: admit it again. Costs two loads.
  [[nodiscard]] bool still_valid(const ticket& t) const;

private:
  static constexpr std::size_t remembered_max = 65'536;  ///< per shard; a full one is emptied
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::string, ticket> entries;
  };

  /// From the cache, else by `look`.
  [[nodiscard]] messages::result<ticket> remembered(
    std::string name,
    const std::function<messages::result<ticket>()>& look) const;
  [[nodiscard]] messages::result<ticket> look_up(std::string_view secret) const;
  [[nodiscard]] messages::result<ticket> look_up_session(std::string_view token) const;
  [[nodiscard]] messages::result<ticket> look_up_key(std::string_view key) const;
  [[nodiscard]] messages::result<ticket> look_up_key_row(std::int64_t id) const;

  std::shared_ptr<storage::read_model> rows_;
  std::shared_ptr<runtime::change_clock> changes_;
  std::string session_key_;
  std::function<std::int64_t()> now_;
  mutable std::array<shard, 16> shards_;
};

}  // namespace slipway::gateways
