#include "gateways/device/device_type_json.hpp"

#include "messages/json.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace slipway::gateways::device {
namespace {

using nlohmann::json;

/// Catalog types without a contract that differ from most: an image for a removable drive, with Wi-Fi.
struct particular {
  std::string_view slug;
  bool flashes = false;  ///< the image installs itself on the board's internal storage
  bool wifi = true;
};

constexpr std::array particulars{
  particular{"beaglebone-black", true, true},
  particular{"generic-aarch64", true, true},
  particular{"generic-amd64", true, true},
  particular{"genericx86-64-ext", true, true},
  particular{"intel-nuc", true, true},
  particular{"qemux86", false, false},
  particular{"qemux86-64", false, false},
};

particular particular_of(const std::string& slug) {
  const auto* const found =
    std::find_if(particulars.begin(), particulars.end(), [&](const particular& p) {
      return p.slug == slug;
    });
  return found == particulars.end() ? particular{} : *found;
}

/// `data` of a hardware contract.
json data_of(const std::string& contract) {
  if (contract.empty()) {
    return json::object();
  }
  const auto parsed = messages::parse_json(contract);
  if (!parsed || !parsed->is_object()) {
    return json::object();
  }
  const auto data = parsed->find("data");
  return data != parsed->end() && data->is_object() ? *data : json::object();
}

bool flag_of(const json& object, const char* name, bool otherwise) {
  const auto it = object.find(name);
  return it != object.end() && it->is_boolean() ? it->get<bool>() : otherwise;
}

json object_of(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_object() ? *it : json::object();
}

json network_questions(bool wifi) {
  auto choices = json::array({"ethernet"});
  if (wifi) {
    choices.push_back("wifi");
  }
  auto options = json::array({
    {{"message", "Network connection"},
     {"name", "network"},
     {"type", "list"},
     {"choices", std::move(choices)}},
  });
  if (wifi) {
    const json only_wifi{{"network", "wifi"}};
    options.push_back(
      {{"message", "Name of the Wi-Fi network (SSID)"},
       {"name", "wifiSsid"},
       {"type", "text"},
       {"when", only_wifi}});
    options.push_back(
      {{"message", "Passphrase of the Wi-Fi network"},
       {"name", "wifiKey"},
       {"type", "password"},
       {"when", only_wifi}});
  }
  return {
    {"isGroup", true},
    {"name", "network"},
    {"message", "Network"},
    {"options", std::move(options)}};
}

json advanced_questions() {
  return {
    {"isGroup", true},
    {"isCollapsible", true},
    {"collapsed", true},
    {"name", "advanced"},
    {"message", "Advanced"},
    {"options",
     json::array({{
       {"message", "Minutes between two checks for updates"},
       {"name", "appUpdatePollInterval"},
       {"type", "number"},
       {"min", 10},
       {"default", 10},
     }})}};
}

/// Clients walk these without checks, so only whole questions pass.
bool is_question(const json& q) {
  return q.is_object() && q.contains("name") && q["name"].is_string() && q.contains("message")
         && q["message"].is_string();
}

json options_of(const json& data, bool wifi) {
  auto options = json::array({network_questions(wifi), advanced_questions()});
  const auto own = data.find("options");
  if (own != data.end() && own->is_array()) {
    std::copy_if(own->begin(), own->end(), std::back_inserter(options), is_question);
  }
  return options;
}

json yocto_of(const device_type_facts& facts, const json& data, bool flashes) {
  const std::string image = flashes ? "balena-image-flasher" : "balena-image";
  json yocto{
    {"machine", facts.slug},
    {"image", image},
    {"fstype", "balenaos-img"},
    {"version", "yocto"},
    {"deployArtifact", image + "-" + facts.slug + ".balenaos-img"},
    {"compressed", true}};
  yocto.update(object_of(data, "yocto"));
  return yocto;
}

/// How a client puts `config.json` on the image's first partition, and that an image is written as it is.
void add_image_handling(json& out, const json& data) {
  out["configuration"] = {{"config", {{"partition", {{"primary", 1}}}, {"path", "/config.json"}}}};
  out["configuration"].update(object_of(data, "configuration"));
  out["initialization"] = {
    {"options", json::array({{{"message", "Drive"}, {"type", "drive"}, {"name", "drive"}}})},
    {"operations", json::array({{{"command", "burn"}}})}};
  out["initialization"].update(object_of(data, "initialization"));
}

}  // namespace

json device_type_json(const device_type_facts& facts) {
  const auto data = data_of(facts.contract);
  const auto known = particular_of(facts.slug);
  const bool wifi = flag_of(object_of(data, "connectivity"), "wifi", known.wifi);
  const bool flashes = flag_of(data, "flash_board", known.flashes);
  json out{
    {"slug", facts.slug},
    {"name", facts.name},
    {"arch", facts.architecture},
    {"aliases", facts.aliases},
    {"state", "RELEASED"},
    {"options", options_of(data, wifi)},
    {"yocto", yocto_of(facts, data, flashes)},
    {"supportsBlink", flag_of(data, "led", facts.slug.starts_with("raspberry"))},
    {"instructions", json::array()},
    {"gettingStartedLink", ""}};
  add_image_handling(out, data);
  if (!facts.logo.empty()) {
    out["logoUrl"] = facts.logo;
  }
  return out;
}

std::vector<std::string> question_names(const json& device_type) {
  std::vector<std::string> names;
  for (const auto& option : device_type["options"]) {
    if (!flag_of(option, "isGroup", false)) {
      names.push_back(option["name"].get<std::string>());
      continue;
    }
    for (const auto& q : option.value("options", json::array())) {
      if (is_question(q)) {
        names.push_back(q["name"].get<std::string>());
      }
    }
  }
  return names;
}

}  // namespace slipway::gateways::device
