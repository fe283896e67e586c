#include "domain/project_templates.hpp"

#include "domain/project_plan.hpp"

#include <algorithm>

namespace slipway::domain {

namespace {

bool has_ending(std::string_view file, std::string_view ending) {
  return !ending.empty() && file.size() > ending.size() && file.ends_with(ending)
         && file[file.size() - ending.size() - 1] == '.';
}

/// Length of the variable's name at the front of `text`, 0 when there is none that ends in `%%`.
std::size_t name_length(std::string_view text) {
  const auto end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
  const bool is_name = end != std::string_view::npos && end > 1 && text.front() != '_';
  return is_name && text.substr(end).starts_with("%%") ? end : 0;
}

void fill_line(std::string& to, std::string_view line, const template_variables& variables) {
  while (!line.empty()) {
    const auto mark = line.find("%%");
    to += line.substr(0, mark);
    if (mark == std::string_view::npos) {
      return;
    }
    line.remove_prefix(mark);
    const auto length = name_length(line.substr(2));
    const auto name = line.substr(2, length);
    const auto it = std::find_if(variables.begin(), variables.end(), [&](const auto& v) {
      return v.first == name;
    });
    if (length == 0 || it == variables.end()) {
      to += line.front();
      line.remove_prefix(1);
    } else {
      to += it->second;
      line.remove_prefix(length + 4);
    }
  }
}

}  // namespace

bool is_template(
  std::string_view dockerfile,
  std::string_view device_type,
  std::string_view architecture) {
  return has_ending(dockerfile, "template") || has_ending(dockerfile, device_type)
         || has_ending(dockerfile, architecture);
}

std::string fill_template(std::string_view text, const template_variables& variables) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
    const auto line = text.substr(0, end);
    text.remove_prefix(end);
    if (line.front() == '#') {
      out += line;
    } else {
      fill_line(out, line, variables);
    }
  }
  return out;
}

std::string project_type(
  std::string_view dockerfile,
  std::string_view device_type,
  std::string_view architecture) {
  if (has_ending(dockerfile, "template")) {
    return "Dockerfile.template";
  }
  return is_template(dockerfile, device_type, architecture) ? "Architecture-specific Dockerfile"
                                                            : "Standard Dockerfile";
}

messages::result<std::string> choose_dockerfile(
  const std::function<bool(std::string_view)>& exists,
  std::string_view named,
  std::string_view device_type,
  std::string_view architecture) {
  const std::string base(named.empty() ? "Dockerfile" : named);
  for (const auto ending : {device_type, architecture, std::string_view("template")}) {
    const auto name = base + "." + std::string(ending);
    if (!ending.empty() && exists(name)) {
      return name;
    }
  }
  if (exists(base)) {
    return base;
  }
  return messages::fail(messages::errc::not_found, base + " does not exist");
}

}  // namespace slipway::domain
