#include "domain/yaml_tree.hpp"

#include "messages/json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <yaml-cpp/yaml.h>

namespace slipway::domain {

using messages::errc;

namespace {

/// Thrown inside this file only: the conversion recurses, and every level would have to pass errors on.
struct refused {
  messages::errc code;
  int line;
  std::string what;
};

std::optional<std::int64_t> as_integer(std::string_view text) {
  const auto digits = text.substr(!text.empty() && text.front() == '-' ? 1 : 0);
  // A leading zero means octal to some readers: such a number stays text, as written.
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) {
    return std::nullopt;
  }
  std::int64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (code != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return n;
}

std::optional<double> as_float(std::string_view text) {
  if (
    text.find_first_not_of("0123456789.eE+-") != std::string_view::npos
    || text.find_first_of("0123456789") == std::string_view::npos
    || text.find_first_of(".eE") == std::string_view::npos) {
    return std::nullopt;
  }
  double x = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), x);
  if (code != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return x;
}

nlohmann::json core_schema(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return nullptr;
  }
  if (text == "true" || text == "True" || text == "TRUE") {
    return true;
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    return false;
  }
  if (const auto n = as_integer(text)) {
    return *n;
  }
  if (const auto x = as_float(text)) {
    return *x;
  }
  return text;
}

class converter {
public:
  yaml_node convert(const YAML::Node& from, int line, std::size_t depth) {
    // An alias has the mark of its anchor; an empty value has none and takes its parent's.
    const int own = from.Mark().line >= 0 ? from.Mark().line + 1 : line;
    if (depth > yaml_depth_max) {
      throw refused{errc::too_large, own, "nested too deep, or an alias that contains itself"};
    }
    if (++nodes_ > yaml_nodes_max) {
      throw refused{errc::too_large, own, "too many values once aliases are expanded"};
    }
    yaml_node to;
    to.line = own;
    if (from.IsMap()) {
      to.type = yaml_node::kind::map;
      fill_map(to, from, depth);
    } else if (from.IsSequence()) {
      to.type = yaml_node::kind::list;
      for (const auto& item : from) {
        to.items.push_back(convert(item, own, depth + 1));
      }
    } else if (from.IsScalar()) {
      to.text = from.Scalar();
      count(to.text, own);
      // The tag of a quoted scalar is "!": it is text whatever it looks like.
      to.scalar = from.Tag() == "!" || from.Tag() == "tag:yaml.org,2002:str"
                    ? nlohmann::json(to.text)
                    : core_schema(to.text);
    }
    return to;
  }

private:
  void count(const std::string& text, int line) {
    bytes_ += text.size();
    if (bytes_ > yaml_expanded_bytes_max) {
      throw refused{errc::too_large, line, "too much text once aliases are expanded"};
    }
  }

  void fill_map(yaml_node& to, const YAML::Node& from, std::size_t depth) {
    std::vector<yaml_node> merged;
    std::set<std::string> keys;
    for (const auto& pair : from) {
      if (!pair.first.IsScalar()) {
        throw refused{errc::invalid_argument, to.line, "a key must be plain text"};
      }
      const auto key = pair.first.Scalar();
      const int line = pair.first.Mark().line + 1;
      count(key, line);
      auto value = convert(pair.second, line, depth + 1);
      if (key == "<<") {
        merged.push_back(std::move(value));
        continue;
      }
      if (!keys.insert(key).second) {
        throw refused{errc::invalid_argument, line, "the key \"" + key + "\" appears twice"};
      }
      to.members.push_back({key, std::move(value)});
    }
    for (const auto& m : merged) {
      merge(to, keys, m);
    }
  }

  /// `<<: *a` or `<<: [*a, *b]`: adds what is not there yet.
  static void merge(yaml_node& to, std::set<std::string>& keys, const yaml_node& from) {
    if (from.type == yaml_node::kind::list) {
      for (const auto& item : from.items) {
        merge_map(to, keys, item);
      }
      return;
    }
    merge_map(to, keys, from);
  }

  static void merge_map(yaml_node& to, std::set<std::string>& keys, const yaml_node& from) {
    if (from.type != yaml_node::kind::map) {
      throw refused{errc::invalid_argument, from.line, "<< must name a map or a list of maps"};
    }
    for (const auto& member : from.members) {
      if (keys.insert(member.key).second) {
        to.members.push_back(member);
      }
    }
  }

  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

class json_converter {
public:
  yaml_node convert(const nlohmann::json& from) {
    if (++nodes_ > yaml_nodes_max) {
      throw refused{errc::too_large, 1, "too many values"};
    }
    yaml_node to;
    to.line = 1;
    if (from.is_object()) {
      to.type = yaml_node::kind::map;
      for (const auto& [key, value] : from.items()) {
        to.members.push_back({key, convert(value)});
      }
    } else if (from.is_array()) {
      to.type = yaml_node::kind::list;
      for (const auto& item : from) {
        to.items.push_back(convert(item));
      }
    } else {
      to.scalar = from;
      to.text = from.is_string() ? from.get<std::string>() : from.is_null() ? "" : from.dump();
    }
    return to;
  }

private:
  std::size_t nodes_ = 0;
};

tl::unexpected<messages::error> fail_at(std::string_view file, const refused& r) {
  return messages::fail(
    r.code,
    std::string(file) + ":" + std::to_string(std::max(r.line, 1)) + ": " + r.what);
}

}  // namespace

const yaml_node* yaml_node::find(std::string_view name) const {
  const auto it =
    std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.key == name; });
  return it == members.end() ? nullptr : &it->value;
}

messages::result<yaml_node> parse_yaml(std::string_view text, std::string_view file) {
  if (text.size() > yaml_bytes_max) {
    return fail_at(file, {errc::too_large, 1, "larger than 256 KiB"});
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail_at(file, {errc::invalid_argument, 1, "not text: contains a zero byte"});
  }
  try {
    return converter{}.convert(YAML::Load(std::string(text)), 1, 0);
  } catch (const refused& r) {
    return fail_at(file, r);
  } catch (const YAML::Exception& e) {
    return fail_at(file, {errc::invalid_argument, e.mark.line + 1, e.msg});
  } catch (const std::exception& e) {
    return fail_at(file, {errc::invalid_argument, 1, e.what()});
  }
}

messages::result<yaml_node> parse_json_tree(std::string_view text, std::string_view file) {
  if (text.size() > yaml_bytes_max) {
    return fail_at(file, {errc::too_large, 1, "larger than 256 KiB"});
  }
  const auto j = messages::parse_json(text, yaml_depth_max);
  if (!j) {
    return fail_at(file, {errc::invalid_argument, 1, "not JSON, or nested too deep"});
  }
  try {
    return json_converter{}.convert(*j);
  } catch (const refused& r) {
    return fail_at(file, r);
  }
}

nlohmann::json to_json(const yaml_node& node) {
  switch (node.type) {
    case yaml_node::kind::list: {
      auto list = nlohmann::json::array();
      for (const auto& item : node.items) {
        list.push_back(to_json(item));
      }
      return list;
    }
    case yaml_node::kind::map: {
      auto map = nlohmann::json::object();
      for (const auto& [key, value] : node.members) {
        map[key] = to_json(value);
      }
      return map;
    }
    case yaml_node::kind::scalar:
      break;
  }
  return node.scalar;
}

}  // namespace slipway::domain
