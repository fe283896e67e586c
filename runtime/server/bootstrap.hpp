#pragma once

#include "domain/schema.hpp"
#include "messages/error.hpp"
#include "storage/store.hpp"

#include <string>

namespace slipway::runtime {

/// What a store must hold before it can be used: the catalog and an administrator. Does nothing where they are.
struct bootstrap_result {
  std::string generated_password;  ///< "" unless one was made up now
};
/// `admin_file`: `name:password` on its first line, "" = `admin` and a password made up. Errors: invalid_argument, io_failed.
[[nodiscard]] messages::result<bootstrap_result>
bootstrap(const domain::schema& model, storage::store& store, const std::string& admin_file);

/// Gives users from before names were compared without regard to case the keys they are found by. Errors: those of the log.
[[nodiscard]] messages::result<void> mend_users(const domain::schema& model, storage::store& store);

/// A secret of the server kept in a file that only its owner may read, made at first use. Errors: io_failed, forbidden.
[[nodiscard]] messages::result<std::string> load_or_make_secret(const std::string& file);

}  // namespace slipway::runtime
