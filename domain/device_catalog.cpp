#include "domain/device_catalog.hpp"

#include <array>

namespace slipway::domain {
namespace {

constexpr std::array<std::string_view, 6>
  architectures{"rpi", "armv7hf", "aarch64", "i386-nlp", "i386", "amd64"};

constexpr std::array manufacturers{
  known_manufacturer{"raspberrypi", "Raspberry Pi"},
  known_manufacturer{"unipi", "UniPi"},
  known_manufacturer{"balena", "balena"},
  known_manufacturer{"kunbus", "KUNBUS"},
  known_manufacturer{"beagleboard", "BeagleBoard.org"},
  known_manufacturer{"intel", "Intel"},
  known_manufacturer{"microsoft", "Microsoft"},
  known_manufacturer{"aaeon", "AAEON"},
  known_manufacturer{"nvidia", "NVIDIA"},
  known_manufacturer{"google", "Google"},
  known_manufacturer{"asus", "ASUS"},
  known_manufacturer{"radxa", "Radxa"},
  known_manufacturer{"xunlong", "Xunlong"},
  known_manufacturer{"hardkernel", "Hardkernel"},
  known_manufacturer{"solidrun", "SolidRun"},
  known_manufacturer{"boundary-devices", "Boundary Devices"},
  known_manufacturer{"variscite", "Variscite"},
  known_manufacturer{"compulab", "CompuLab"},
  known_manufacturer{"toradex", "Toradex"},
  known_manufacturer{"samsung", "Samsung"},
};

constexpr std::array families{
  known_device_family{"raspberrypi", "Raspberry Pi", "raspberrypi"},
  known_device_family{"unipi", "UniPi Neuron", "unipi"},
  known_device_family{"balenafin", "balenaFin", "balena"},
  known_device_family{"revolution-pi", "Revolution Pi", "kunbus"},
  known_device_family{"beaglebone", "BeagleBone", "beagleboard"},
  known_device_family{"intel-nuc", "NUC", "intel"},
  known_device_family{"surface", "Surface", "microsoft"},
  known_device_family{"up", "UP", "aaeon"},
  known_device_family{"generic", "Generic", ""},
  known_device_family{"qemu", "QEMU", ""},
  known_device_family{"jetson", "Jetson", "nvidia"},
  known_device_family{"coral", "Coral", "google"},
  known_device_family{"tinker-board", "Tinker Board", "asus"},
  known_device_family{"radxa", "ROCK", "radxa"},
  known_device_family{"orange-pi", "Orange Pi", "xunlong"},
  known_device_family{"odroid", "ODROID", "hardkernel"},
  known_device_family{"solidrun", "HummingBoard and CuBox", "solidrun"},
  known_device_family{"nitrogen", "Nitrogen", "boundary-devices"},
  known_device_family{"variscite", "VAR-SOM and DART", "variscite"},
  known_device_family{"compulab", "IOT-GATE and CL-SOM", "compulab"},
  known_device_family{"toradex", "Colibri and Apalis", "toradex"},
  known_device_family{"artik", "ARTIK", "samsung"},
};

// clang-format off
constexpr std::array device_types{
  known_device_type{"raspberry-pi", "Raspberry Pi (v1 / Zero / Zero W)", "rpi", "raspberrypi", "raspberrypi"},
  known_device_type{"raspberry-pi2", "Raspberry Pi 2", "armv7hf", "raspberrypi", "raspberrypi2"},
  known_device_type{"raspberrypi3", "Raspberry Pi 3", "armv7hf", "raspberrypi", ""},
  known_device_type{"raspberrypi3-64", "Raspberry Pi 3 (64 bit)", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypi0-2w-64", "Raspberry Pi Zero 2 W (64 bit)", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypi4-64", "Raspberry Pi 4 (64 bit)", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypi400-64", "Raspberry Pi 400", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypi5", "Raspberry Pi 5", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypicm4-ioboard", "Raspberry Pi CM4 IO Board", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypicm5-ioboard", "Raspberry Pi CM5 IO Board", "aarch64", "raspberrypi", ""},
  known_device_type{"raspberrypi3-unipi-neuron", "UniPi Neuron (Raspberry Pi 3)", "armv7hf", "unipi", ""},
  known_device_type{"raspberrypi4-unipi-neuron", "UniPi Neuron (Raspberry Pi 4)", "aarch64", "unipi", ""},
  known_device_type{"fincm3", "balenaFin (CM3)", "armv7hf", "balenafin", ""},
  known_device_type{"revpi-core-3", "Revolution Pi Core 3", "armv7hf", "revolution-pi", ""},
  known_device_type{"revpi-connect", "Revolution Pi Connect", "armv7hf", "revolution-pi", ""},
  known_device_type{"revpi-connect-s", "Revolution Pi Connect S", "aarch64", "revolution-pi", ""},
  known_device_type{"revpi-connect-4", "Revolution Pi Connect 4", "aarch64", "revolution-pi", ""},
  known_device_type{"npe-x500-m3", "NPE X500 M3", "armv7hf", "", ""},
  known_device_type{"beaglebone-black", "BeagleBone Black", "armv7hf", "beaglebone", "beaglebone"},
  known_device_type{"beaglebone-green", "BeagleBone Green", "armv7hf", "beaglebone", ""},
  known_device_type{"beaglebone-green-wifi", "BeagleBone Green Wireless", "armv7hf", "beaglebone", ""},
  known_device_type{"beaglebone-green-gateway", "BeagleBone Green Gateway", "armv7hf", "beaglebone", ""},
  known_device_type{"beaglebone-pocket", "PocketBeagle", "armv7hf", "beaglebone", ""},
  known_device_type{"am571x-evm", "TI AM571x EVM", "armv7hf", "", ""},
  known_device_type{"intel-edison", "Intel Edison", "i386", "", "edison"},
  known_device_type{"intel-nuc", "Intel NUC", "amd64", "intel-nuc", "nuc"},
  known_device_type{"surface-go", "Microsoft Surface Go", "amd64", "surface", ""},
  known_device_type{"surface-pro-6", "Microsoft Surface 6", "amd64", "surface", ""},
  known_device_type{"up-board", "UP Board", "amd64", "up", ""},
  known_device_type{"up-core", "UP Core", "amd64", "up", ""},
  known_device_type{"up-core-plus", "UP Core Plus", "amd64", "up", ""},
  known_device_type{"up-squared", "UP Squared", "amd64", "up", ""},
  known_device_type{"generic-amd64", "Generic x86_64 (GPT)", "amd64", "generic", ""},
  known_device_type{"genericx86-64-ext", "Generic x86_64 (legacy MBR)", "amd64", "generic", ""},
  known_device_type{"generic-aarch64", "Generic AARCH64 (ARMv8)", "aarch64", "generic", ""},
  known_device_type{"generic-armv7ahf", "Generic ARMv7-a HF", "armv7hf", "generic", ""},
  known_device_type{"qemux86", "QEMU X86 32bit", "i386", "qemu", ""},
  known_device_type{"qemux86-64", "QEMU X86 64bit", "amd64", "qemu", ""},
  known_device_type{"jetson-nano", "Nvidia Jetson Nano", "aarch64", "jetson", ""},
  known_device_type{"jetson-nano-emmc", "Nvidia Jetson Nano eMMC", "aarch64", "jetson", ""},
  known_device_type{"jetson-nano-2gb-devkit", "Nvidia Jetson Nano 2GB Devkit", "aarch64", "jetson", ""},
  known_device_type{"jetson-tx1", "Nvidia Jetson TX1", "aarch64", "jetson", ""},
  known_device_type{"jetson-tx2", "Nvidia Jetson TX2", "aarch64", "jetson", ""},
  known_device_type{"jetson-tx2-nx-devkit", "Nvidia Jetson TX2 NX", "aarch64", "jetson", ""},
  known_device_type{"jetson-xavier", "Nvidia Jetson AGX Xavier", "aarch64", "jetson", ""},
  known_device_type{"jetson-xavier-nx-devkit", "Nvidia Jetson Xavier NX", "aarch64", "jetson", ""},
  known_device_type{"jetson-xavier-nx-devkit-emmc", "Nvidia Jetson Xavier NX eMMC", "aarch64", "jetson", ""},
  known_device_type{"jetson-agx-orin-devkit", "Nvidia Jetson AGX Orin", "aarch64", "jetson", ""},
  known_device_type{"jetson-orin-nx-xavier-nx-devkit", "Nvidia Jetson Orin NX (Xavier NX board)", "aarch64", "jetson", ""},
  known_device_type{"jetson-orin-nano-devkit-nvme", "Nvidia Jetson Orin Nano (NVMe)", "aarch64", "jetson", ""},
  known_device_type{"coral-dev", "Google Coral Dev Board", "aarch64", "coral", ""},
  known_device_type{"asus-tinker-board", "Asus Tinker Board", "armv7hf", "tinker-board", ""},
  known_device_type{"asus-tinker-board-s", "Asus Tinker Board S", "armv7hf", "tinker-board", ""},
  known_device_type{"asus-tinker-edge-t", "Asus Tinker Edge T", "aarch64", "tinker-board", ""},
  known_device_type{"rockpi-4b-rk3399", "ROCK Pi 4B", "aarch64", "radxa", ""},
  known_device_type{"radxa-zero", "Radxa Zero", "aarch64", "radxa", ""},
  known_device_type{"rockpro64", "RockPro64", "aarch64", "", ""},
  known_device_type{"orangepi-plus2", "Orange Pi Plus2", "armv7hf", "orange-pi", ""},
  known_device_type{"orange-pi-one", "Orange Pi One", "armv7hf", "orange-pi", ""},
  known_device_type{"orange-pi-lite", "Orange Pi Lite", "armv7hf", "orange-pi", ""},
  known_device_type{"orange-pi-zero", "Orange Pi Zero", "armv7hf", "orange-pi", ""},
  known_device_type{"bananapi-m1-plus", "Banana Pi M1+", "armv7hf", "", ""},
  known_device_type{"nanopi-neo-air", "NanoPi NEO Air", "armv7hf", "", ""},
  known_device_type{"odroid-c1", "ODROID-C1+", "armv7hf", "odroid", "odroid-c1+"},
  known_device_type{"odroid-xu4", "ODROID-XU4", "armv7hf", "odroid", "odroid-ux3"},
  known_device_type{"hummingboard", "SolidRun HummingBoard i2", "armv7hf", "solidrun", ""},
  known_device_type{"cubox-i", "SolidRun CuBox-i", "armv7hf", "solidrun", ""},
  known_device_type{"nitrogen6x", "Boundary Devices Nitrogen 6X", "armv7hf", "nitrogen", ""},
  known_device_type{"nitrogen6xq2g", "Boundary Devices Nitrogen 6X Quad 2GB", "armv7hf", "nitrogen", ""},
  known_device_type{"nitrogen8mm", "Boundary Devices Nitrogen 8M Mini", "aarch64", "nitrogen", ""},
  known_device_type{"imx8mm-var-dart", "Variscite DART-MX8M Mini", "aarch64", "variscite", ""},
  known_device_type{"imx8m-var-dart", "Variscite DART-MX8M", "aarch64", "variscite", ""},
  known_device_type{"var-som-mx6", "Variscite VAR-SOM-MX6", "armv7hf", "variscite", ""},
  known_device_type{"imx7-var-som", "Variscite VAR-SOM-MX7", "armv7hf", "variscite", ""},
  known_device_type{"iot-gate-imx8", "CompuLab IOT-GATE-iMX8", "aarch64", "compulab", ""},
  known_device_type{"iot-gate-imx8plus", "CompuLab IOT-GATE-iMX8PLUS", "aarch64", "compulab", ""},
  known_device_type{"cl-som-imx8", "CompuLab CL-SOM-iMX8", "aarch64", "compulab", ""},
  known_device_type{"colibri-imx6dl", "Toradex Colibri iMX6DL", "armv7hf", "toradex", ""},
  known_device_type{"apalis-imx6q", "Toradex Apalis iMX6Q", "armv7hf", "toradex", ""},
  known_device_type{"ts4900", "Technologic TS-4900", "armv7hf", "", ""},
  known_device_type{"via-vab820-quad", "VIA VAB 820 Quad", "armv7hf", "", ""},
  known_device_type{"zynq-xz702", "Zynq ZC702", "armv7hf", "", "zc702-zynq7"},
  known_device_type{"artik710", "Samsung ARTIK 710", "armv7hf", "artik", ""},
  known_device_type{"artik530", "Samsung ARTIK 530", "armv7hf", "artik", ""},
  known_device_type{"etcher-pro", "Etcher Pro", "aarch64", "", ""},
};
// clang-format on

}  // namespace

std::span<const std::string_view> known_architectures() {
  return architectures;
}

std::span<const known_device_type> known_device_types() {
  return device_types;
}

std::span<const known_device_family> known_device_families() {
  return families;
}

std::span<const known_manufacturer> known_manufacturers() {
  return manufacturers;
}

}  // namespace slipway::domain
