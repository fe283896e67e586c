#pragma once

#include "gateways/assets/asset_store.hpp"
#include "gateways/assets/multipart.hpp"
#include "gateways/services.hpp"

#include <boost/asio/thread_pool.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace slipway::gateways {

/// A form with one file, as clients send it.
struct asset_form {
  std::map<std::string, std::string> fields;
  part_head file_head;
  std::unique_ptr<storage::blob_writer> file;  ///< null = the form had none

  asset_form() = default;
  asset_form(const asset_form&) = delete;
  asset_form& operator=(const asset_form&) = delete;
  /// A file that nobody finished is dropped.
  ~asset_form() {
    if (file) {
      file->abort();
    }
  }
};

/// Where bodies go: to files, on threads that may wait for the disk.
struct asset_sink {
  asset_store& store;
  boost::asio::thread_pool& pool;
  std::uint64_t bytes_max = 0;  ///< of a file
};

/// Reads a `multipart/form-data` body. `before_file` is asked, on a thread of the pool, when the file's part begins; `out` then has the
/// fields that came before. Errors: those of the form, of `before_file` and of the disk; too_large.
[[nodiscard]] runtime::awaitable<messages::result<void>> read_form(
  runtime::exchange& x,
  asset_sink sink,
  std::function<messages::result<void>()> before_file,
  asset_form& out);

/// Reads a body of exactly `bytes` bytes. Errors: invalid_argument for another length, those of the disk.
[[nodiscard]] runtime::awaitable<messages::result<void>>
read_bytes(runtime::exchange& x, asset_sink sink, storage::blob_writer& into, std::uint64_t bytes);

}  // namespace slipway::gateways
