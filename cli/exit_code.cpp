#include "cli/exit_code.hpp"

namespace slipway::cli {

using messages::errc;

int exit_code_of(errc code) {
  switch (code) {
    case errc::none:
      return exit_ok;
    case errc::unauthorized:
    case errc::forbidden:
      return exit_no_login;
    case errc::not_found:
    case errc::blob_unknown:
    case errc::manifest_unknown:
      return exit_not_found;
    case errc::unavailable:
    case errc::timed_out:
      return exit_unreachable;
    case errc::unique_violated:
      return exit_exists;
    default:
      return exit_failed;
  }
}

const char* hint_of(errc code) {
  switch (code) {
    case errc::unauthorized:
      return "log in with `slipway login`; `slipway whoami` tells who you are";
    case errc::forbidden:
      return "ask a member of the organization or an administrator";
    case errc::too_many_requests:
      return "wait a little and try again";
    case errc::disk_full:
      return "free space and try again";
    default:
      return "";
  }
}

}  // namespace slipway::cli
