#pragma once

#include <string>
#include <string_view>

namespace slipway::domain {

/// A Dockerfile with `flags` behind the word RUN of each of its RUN instructions. Comments, here-documents, continued lines and the
/// `escape` directive are read as engines read them; what ONBUILD keeps for the builds of others stays as it is.
[[nodiscard]] std::string with_run_flags(std::string_view dockerfile, std::string_view flags);

}  // namespace slipway::domain
