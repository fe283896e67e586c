#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

/// A file that is kept with a release under a key.
struct asset_args {
  std::string release;  ///< id, or the start of its commit
  std::string key;      ///< of an upload: "" = the file's name
  std::string file;     ///< of a download: "" = the last part of the key, "-" = stdout
  std::string type = "application/octet-stream";
  bool overwrite = false;
};

/// Streams the file; the server shows it when it has all of it. Errors: unique_violated when the key is taken and `overwrite` is not set,
/// not_found, io_failed.
messages::result<void> asset_upload(context& c, const asset_args& args);
messages::result<void> asset_list(context& c, const std::string& release);
/// The file appears when it is complete. Errors: unique_violated when it exists and `overwrite` is not set, not_found, io_failed.
messages::result<void> asset_download(context& c, const asset_args& args);
messages::result<void> asset_remove(context& c, const asset_args& args, bool yes);

}  // namespace slipway::cli
