#pragma once

#include "runtime/container_engine.hpp"

#include <map>
#include <string>

namespace slipway::test {

/// A tar of regular files, path -> content; those under `bin/` are executable.
std::string make_tar(const std::map<std::string, std::string>& files);

/// Streams a string, as an engine's source.
runtime::tar_source source_of(const std::string& bytes);

}  // namespace slipway::test
