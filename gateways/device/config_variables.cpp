#include "gateways/device/config_variables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace slipway::gateways::device {
namespace {

using nlohmann::json;

/// Which boot loader reads a setting of the host.
enum class family { every, raspberry, extlinux, intel };

enum class shape { text, integer, flag };

struct variable {
  std::string_view name;
  family of;
  shape how;
  std::string_view otherwise;  ///< what a device does without it; "" = nothing to say
  bool reboots;
  std::string_view description;
};

constexpr std::array variables{
  variable{
    "RESIN_SUPERVISOR_POLL_INTERVAL",
    family::every,
    shape::integer,
    "900000",
    false,
    "Milliseconds between two checks for updates. The server raises less than 10 minutes to 10 "
    "minutes."},
  variable{
    "RESIN_SUPERVISOR_INSTANT_UPDATE_TRIGGER",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device checks at once when it starts and when the server tells it of a change."},
  variable{
    "RESIN_SUPERVISOR_UPDATE_STRATEGY",
    family::every,
    shape::text,
    "download-then-kill",
    false,
    "How services are replaced: download-then-kill, kill-then-download, delete-then-download or "
    "hand-over."},
  variable{
    "RESIN_SUPERVISOR_HANDOVER_TIMEOUT",
    family::every,
    shape::integer,
    "60000",
    false,
    "Milliseconds that the old container may go on beside the new one during a hand-over."},
  variable{
    "RESIN_SUPERVISOR_OVERRIDE_LOCK",
    family::every,
    shape::flag,
    "false",
    false,
    "Whether updates go on although an application holds an update lock."},
  variable{
    "RESIN_SUPERVISOR_LOCAL_MODE",
    family::every,
    shape::flag,
    "false",
    false,
    "Whether the device takes its services from the local network instead of from the server."},
  variable{
    "RESIN_SUPERVISOR_CONNECTIVITY_CHECK",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device tests its connection to the server."},
  variable{
    "RESIN_SUPERVISOR_VPN_CONTROL",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device keeps its connection for remote access open."},
  variable{
    "RESIN_SUPERVISOR_LOG_CONTROL",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device sends the logs of its services to the server."},
  variable{
    "RESIN_SUPERVISOR_PERSISTENT_LOGGING",
    family::every,
    shape::flag,
    "false",
    true,
    "Whether the host keeps its journal on disk."},
  variable{
    "RESIN_SUPERVISOR_HARDWARE_METRICS",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device reports the use of processor, memory and storage, and its temperature."},
  variable{
    "RESIN_SUPERVISOR_API_REQUEST_TIMEOUT",
    family::every,
    shape::integer,
    "59000",
    false,
    "Milliseconds that the device waits for an answer of the server."},
  variable{
    "RESIN_SUPERVISOR_DELTA",
    family::every,
    shape::flag,
    "false",
    false,
    "Whether the device downloads differences between images instead of whole images."},
  variable{
    "RESIN_SUPERVISOR_DELTA_VERSION",
    family::every,
    shape::integer,
    "2",
    false,
    "The kind of delta that the device asks for."},
  variable{
    "RESIN_SUPERVISOR_DELTA_REQUEST_TIMEOUT",
    family::every,
    shape::integer,
    "30000",
    false,
    "Milliseconds that the device waits for the answer to a request for a delta."},
  variable{
    "RESIN_SUPERVISOR_DELTA_APPLY_TIMEOUT",
    family::every,
    shape::integer,
    "0",
    false,
    "Milliseconds that applying a delta may take. 0 means no limit."},
  variable{
    "RESIN_SUPERVISOR_DELTA_RETRY_COUNT",
    family::every,
    shape::integer,
    "30",
    false,
    "How often a failed download of a delta is tried again."},
  variable{
    "RESIN_SUPERVISOR_DELTA_RETRY_INTERVAL",
    family::every,
    shape::integer,
    "10000",
    false,
    "Milliseconds between two tries to download a delta."},
  variable{
    "RESIN_HOST_FIREWALL_MODE",
    family::every,
    shape::text,
    "",
    false,
    "The host's firewall: off, on, or auto, which is on while some service uses the host's "
    "network."},
  variable{
    "RESIN_HOST_DISCOVERABILITY",
    family::every,
    shape::flag,
    "true",
    false,
    "Whether the device announces itself on the local network by mDNS."},
  variable{
    "RESIN_HOST_SPLASH_image",
    family::every,
    shape::text,
    "",
    true,
    "The picture shown while the device starts: a PNG file in base64."},
  variable{
    "RESIN_HOST_CONFIG_gpu_mem",
    family::raspberry,
    shape::integer,
    "16",
    true,
    "Megabytes of memory for the graphics processor."},
  variable{
    "RESIN_HOST_CONFIG_gpu_mem_256",
    family::raspberry,
    shape::integer,
    "",
    true,
    "The same for boards with 256 MB of memory."},
  variable{
    "RESIN_HOST_CONFIG_gpu_mem_512",
    family::raspberry,
    shape::integer,
    "",
    true,
    "The same for boards with 512 MB of memory."},
  variable{
    "RESIN_HOST_CONFIG_gpu_mem_1024",
    family::raspberry,
    shape::integer,
    "",
    true,
    "The same for boards with 1 GB of memory or more."},
  variable{
    "RESIN_HOST_CONFIG_disable_splash",
    family::raspberry,
    shape::integer,
    "1",
    true,
    "1 leaves out the rainbow picture of the firmware."},
  variable{
    "RESIN_HOST_CONFIG_dtparam",
    family::raspberry,
    shape::text,
    R"("i2c_arm=on","spi=on","audio=on")",
    true,
    "Device tree parameters: quoted texts, separated by commas."},
  variable{
    "RESIN_HOST_CONFIG_dtoverlay",
    family::raspberry,
    shape::text,
    "",
    true,
    "Device tree overlays with their parameters: quoted texts, separated by commas."},
  variable{
    "RESIN_HOST_CONFIG_enable_uart",
    family::raspberry,
    shape::integer,
    "",
    true,
    "1 enables the serial console."},
  variable{
    "RESIN_HOST_CONFIG_avoid_warnings",
    family::raspberry,
    shape::integer,
    "1",
    true,
    "1 hides the warnings of too low voltage and too high temperature, 2 also allows turbo mode."},
  variable{
    "RESIN_HOST_CONFIG_display_rotate",
    family::raspberry,
    shape::text,
    "",
    true,
    "Turns the display: 0 to 3 quarters clockwise."},
  variable{
    "RESIN_HOST_CONFIG_display_lcd_rotate",
    family::raspberry,
    shape::text,
    "",
    true,
    "Turns the official touch display: 0 to 3 quarters clockwise."},
  variable{
    "RESIN_HOST_CONFIG_display_hdmi_rotate",
    family::raspberry,
    shape::text,
    "",
    true,
    "Turns a display at HDMI: 0 to 3 quarters clockwise."},
  variable{
    "RESIN_HOST_CONFIG_hdmi_mode",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Number of the resolution and frequency within the HDMI group."},
  variable{
    "RESIN_HOST_CONFIG_hdmi_group",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Whether HDMI modes are those of televisions (1) or of monitors (2)."},
  variable{
    "RESIN_HOST_CONFIG_hdmi_force_hotplug",
    family::raspberry,
    shape::integer,
    "",
    true,
    "1 acts as if a display were plugged in."},
  variable{
    "RESIN_HOST_CONFIG_disable_overscan",
    family::raspberry,
    shape::integer,
    "",
    true,
    "1 uses the display up to its edges."},
  variable{
    "RESIN_HOST_CONFIG_start_x",
    family::raspberry,
    shape::integer,
    "",
    true,
    "1 loads the firmware with camera support."},
  variable{
    "RESIN_HOST_CONFIG_arm_64bit",
    family::raspberry,
    shape::integer,
    "",
    true,
    "1 starts a 64 bit kernel."},
  variable{
    "RESIN_HOST_CONFIG_arm_freq",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Highest frequency of the processor in MHz."},
  variable{
    "RESIN_HOST_CONFIG_over_voltage",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Raises or lowers the core voltage in steps of 0.025 V."},
  variable{
    "RESIN_HOST_CONFIG_framebuffer_width",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Width of the console's frame buffer in pixels."},
  variable{
    "RESIN_HOST_CONFIG_framebuffer_height",
    family::raspberry,
    shape::integer,
    "",
    true,
    "Height of the console's frame buffer in pixels."},
  variable{
    "RESIN_HOST_EXTLINUX_fdt",
    family::extlinux,
    shape::text,
    "",
    true,
    "File of the device tree that the boot loader loads."},
  variable{
    "RESIN_HOST_EXTLINUX_isolcpus",
    family::extlinux,
    shape::text,
    "",
    true,
    "Processor cores that the scheduler leaves alone, such as 2,3."},
  variable{
    "RESIN_HOST_ODMDATA_configuration",
    family::extlinux,
    shape::integer,
    "",
    true,
    "Number of the board's lane configuration."},
  variable{
    "RESIN_HOST_CONFIGFS_ssdt",
    family::intel,
    shape::text,
    "",
    true,
    "ACPI tables that are loaded when the device starts: quoted names, separated by commas."},
};

/// A type that is not one of these has no settings of a boot loader that we know of.
bool belongs(family f, std::string_view slug) {
  if (f == family::every || slug.empty()) {
    return true;
  }
  const bool raspberry =
    slug.starts_with("raspberry") || slug == "fincm3" || slug == "revpi-core-3";
  const bool extlinux = slug.starts_with("jetson") || slug.starts_with("rockpi");
  switch (f) {
    case family::raspberry:
      return raspberry;
    case family::extlinux:
      return extlinux;
    default:
      return slug == "up-board" || slug == "intel-nuc" || slug.starts_with("generic");
  }
}

json schema_of(const variable& v) {
  json out{{"description", v.description}, {"will_reboot", v.reboots}};
  switch (v.how) {
    case shape::integer:
      out["type"] = "integer";
      break;
    case shape::flag:
      out["type"] = "string";
      out["enum"] = {"true", "false"};
      break;
    case shape::text:
      out["type"] = "string";
      break;
  }
  if (!v.otherwise.empty()) {
    out["default"] = v.otherwise;
    if (v.how == shape::integer) {
      out["default"] = std::stoll(std::string(v.otherwise));
    }
  }
  return out;
}

}  // namespace

json config_variables(std::string_view device_type) {
  auto properties = json::object();
  for (const auto& v : variables) {
    if (belongs(v.of, device_type)) {
      properties[std::string(v.name)] = schema_of(v);
    }
  }
  // Names that begin with a digit or hold anything but letters, digits and `_` are no variables; configuration may have `:` too.
  return {
    {"reservedNames", {"RESIN", "BALENA", "USER"}},
    {"reservedNamespaces", {"RESIN_", "BALENA_"}},
    {"invalidRegex", R"(/^\d|\W/)"},
    {"configVarInvalidRegex", R"(/^\d|[^A-Za-z0-9_:]/)"},
    // No name is excepted from the two rules above, and none is forbidden beside them.
    {"whiteListedNames", json::array()},
    {"whiteListedNamespaces", json::array()},
    {"blackListedNames", json::array()},
    {"configVarSchema",
     {{"type", "object"},
      {"$schema", "http://json-schema.org/draft-06/schema#"},
      {"properties", std::move(properties)}}}};
}

}  // namespace slipway::gateways::device
