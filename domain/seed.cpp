#include "domain/seed.hpp"

#include "domain/numbers.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>

namespace slipway::domain {
namespace {

struct device_type {
  std::string_view slug, name, architecture;
};

constexpr std::array architectures{"rpi", "armv7hf", "aarch64", "i386-nlp", "i386", "amd64"};

constexpr std::array device_types{
  device_type{"raspberry-pi", "Raspberry Pi (v1 / Zero / Zero W)", "rpi"},
  device_type{"raspberry-pi2", "Raspberry Pi 2", "armv7hf"},
  device_type{"raspberrypi3", "Raspberry Pi 3", "armv7hf"},
  device_type{"raspberrypi3-64", "Raspberry Pi 3 (64 bit)", "aarch64"},
  device_type{"raspberrypi4-64", "Raspberry Pi 4 (64 bit)", "aarch64"},
  device_type{"raspberrypi5", "Raspberry Pi 5", "aarch64"},
  device_type{"raspberrypicm4-ioboard", "Raspberry Pi CM4 IO Board", "aarch64"},
  device_type{"beaglebone-black", "BeagleBone Black", "armv7hf"},
  device_type{"jetson-nano", "Nvidia Jetson Nano", "aarch64"},
  device_type{"jetson-xavier-nx-devkit", "Nvidia Jetson Xavier NX", "aarch64"},
  device_type{"jetson-agx-orin-devkit", "Nvidia Jetson AGX Orin", "aarch64"},
  device_type{"rockpi-4b-rk3399", "ROCK Pi 4B", "aarch64"},
  device_type{"imx8mm-var-dart", "Variscite DART-MX8M Mini", "aarch64"},
  device_type{"generic-armv7ahf", "Generic ARMv7-a HF", "armv7hf"},
  device_type{"generic-aarch64", "Generic AARCH64 (ARMv8)", "aarch64"},
  device_type{"generic-amd64", "Generic x86_64 (GPT)", "amd64"},
  device_type{"genericx86-64-ext", "Generic x86_64 (legacy MBR)", "amd64"},
  device_type{"intel-nuc", "Intel NUC", "amd64"},
  device_type{"qemux86", "QEMU X86 32bit", "i386"},
  device_type{"qemux86-64", "QEMU X86 64bit", "amd64"},
};

}  // namespace

void seed_catalog(draft& d, const std::function<std::int64_t()>& next_id) {
  const auto& n = numbers::get();
  std::map<std::string_view, std::int64_t> architecture_ids;
  for (const auto* slug : architectures) {
    const auto id = next_id();
    architecture_ids[slug] = id;
    d.create(
      n.cpu_architecture,
      id,
      {{d.model().at("cpu_architecture").field("slug"), std::string(slug)}});
  }
  for (const auto& t : device_types) {
    const auto id = next_id();
    d.create(
      n.device_type.resource,
      id,
      {{n.device_type.slug, std::string(t.slug)},
       {n.device_type.name, std::string(t.name)},
       {n.device_type.is_of__cpu_architecture, architecture_ids[t.architecture]}});
    d.create(
      n.device_type_alias.resource,
      next_id(),
      {{n.device_type_alias.device_type, id},
       {n.device_type_alias.is_referenced_by__alias, std::string(t.slug)}});
  }
  const auto& type = d.model().at("application_type");
  std::vector<messages::field_value> values;
  for (const auto& f : type.fields) {
    if (!messages::is_null(f.otherwise)) {
      values.push_back({f.number, f.otherwise});
    }
  }
  values.push_back({type.field("name"), "Default"});
  values.push_back({type.field("slug"), "default"});
  d.create(type.number, next_id(), std::move(values));
}

}  // namespace slipway::domain
