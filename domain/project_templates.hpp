#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Dockerfiles that are written for several devices (docs/formats/project.md).
namespace slipway::domain {

/// Names between `%%`s and what they stand for.
using template_variables = std::vector<std::pair<std::string_view, std::string_view>>;

/// Whether variables of that Dockerfile are filled in: `x.template`, `x.<device type>`, `x.<architecture>`.
[[nodiscard]] bool is_template(
  std::string_view dockerfile,
  std::string_view device_type,
  std::string_view architecture);

/// Replaces `%%NAME%%`, names being capitals and `_`. Lines that begin with `#` and names that are not in `variables` stay as they are.
[[nodiscard]] std::string fill_template(std::string_view text, const template_variables& variables);

/// How an image row calls what it was built from.
[[nodiscard]] std::string project_type(
  std::string_view dockerfile,
  std::string_view device_type,
  std::string_view architecture);

}  // namespace slipway::domain
