#include "domain/ssh_key.hpp"

#include <catch2/catch.hpp>

using slipway::domain::parse_ssh_public_key;

namespace {

// Made with ssh-keygen for this test; nobody holds the private halves.
const std::string ed25519 =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2";
const std::string rsa_2048 =
  "ssh-rsa "
  "AAAAB3NzaC1yc2EAAAADAQABAAABAQDvyN0dtxXjjzx0s2BO3z5r2VmN9iiSLJF3pxR4VTiAVMpc74Edafm89yb+2zVO"
  "PcW6eefz2C16oJLO3B5wXRep0m11azKGkrgaoYlK3gg9/DOQ6kR7wQu5Wwyo2Q9U//"
  "PttTl6gGWU4wd8VtM7JSs77ZAyDh1HMDuP"
  "t+92v800IWQ8KF0Taf19UCPdzlYih5OD4dI72rRAe2TyEq23yIiiiURQPNe4LrjZYLgsQZZd4fG31y/"
  "1QrOcAV3sR0lflt9lD1WY"
  "qj6tqFNQPodfa+osUdoucGWLhetmKq962Csm/vlUntN6EXkNgptyuLd0BDOO1QbbEYlgQpGmrjUmDH21";
const std::string rsa_1024 =
  "ssh-rsa "
  "AAAAB3NzaC1yc2EAAAADAQABAAAAgQCmjmKHOLCdF/3mPqZ1KOdff9BaP8vuNThAsSg7ieOBwZeCS/QM0dWfwOu8+kjR"
  "xeMS82m2oaSABqXbg5EQYc2jabpF6bwjSKVwOvznSi74PHBubuMl38R1U3vNotM+vNm000QzbaDWomovI8sQQ9+"
  "X3SA3tb5IQ4eJ"
  "3McSaAQG/Q==";
const std::string ecdsa_256 =
  "ecdsa-sha2-nistp256 "
  "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBNlVCppyRq7oLBCukjmSNgIDqGRa"
  "urR69RoCqSODJ+ByTlxbJw6hmYibiy6nEa6LgjJII7Mmh1MfDVEAzqxuTJM=";
const std::string ecdsa_384 =
  "ecdsa-sha2-nistp384 "
  "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBAbsKxlyfLFLF3apWmmVcVg6WY2L"
  "J3+"
  "4tyw8lWxt6bq7MAfAW7oCpapvUI6nNwJf32ioPaUk9LIggMZYOQ0HVyj4vlZxAnFufwh5ANHeMjufKwPBl0cqAxqFqmGf0zG"
  "e"
  "7w==";
const std::string ecdsa_521 =
  "ecdsa-sha2-nistp521 "
  "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAFEUz3mYiOIwGRBbGege0gjNfDI"
  "6mg+9irnkKTu6Z81sJBa46yEMzQ/9/sXuLIZU7x1y0LqRG6xpKppocrQNlP3IAFM2tl/LQo33NsDBdYlNmGGAr9OK8D676/"
  "uOIWr"
  "9+K3h2xQisVJIeOCAN47NuUXSsiajhZcijfz+zQu24blbLFaVA==";
const std::string sk_ed25519 =
  "sk-ssh-ed25519@openssh.com "
  "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp"
  "/Yo97TT+5Pa8wM2AAAABHNzaDo=";
const std::string sk_ecdsa =
  "sk-ecdsa-sha2-nistp256@openssh.com "
  "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyN"
  "TYAAABBBNlVCppyRq7oLBCukjmSNgIDqGRaurR69RoCqSODJ+"
  "ByTlxbJw6hmYibiy6nEa6LgjJII7Mmh1MfDVEAzqxuTJMAAAAEc"
  "3NoOg==";
const std::string dss =
  "ssh-dss "
  "AAAAB3NzaC1kc3MAAACBAP//////////////////////////////////////////////////////////////////////"
  "////////////////////////////////////////////////////////////////////////////////////////////////"
  "////"
  "AAAAFQD//////////////////////////w==";
const std::string trailing =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2AAAAAXg=";
const std::string short_key =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAHynjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM=";
const std::string length_lies =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5/////ynjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2";

std::string refusal(const std::string& line) {
  const auto key = parse_ssh_public_key(line);
  return key ? "" : key.error().detail;
}

}  // namespace

TEST_CASE("the kinds of SSH keys that people have are accepted, with and without comment") {
  for (const auto& line :
       {ed25519, rsa_2048, ecdsa_256, ecdsa_384, ecdsa_521, sk_ed25519, sk_ecdsa}) {
    const auto type = line.substr(0, line.find(' '));
    for (const auto& form :
         {line, line + " ann@laptop", line + " with spaces in it\n", "  " + line}) {
      const auto key = parse_ssh_public_key(form);
      INFO(form);
      REQUIRE(key);
      CHECK(key->type == type);
      CHECK(key->blob.size() > 32);
    }
  }
}

TEST_CASE("weak and outdated keys are refused by name") {
  CHECK(refusal(rsa_1024).find("1024 bits") != std::string::npos);
  CHECK(refusal(dss).find("not accepted") != std::string::npos);
}

TEST_CASE("what is no public key is refused") {
  const auto blob = ed25519.substr(ed25519.find(' ') + 1);
  for (const auto& line :
       {std::string(),
        std::string("ssh-ed25519"),
        std::string("ssh-ed25519 "),
        std::string("ssh-ed25519 not-base64!"),
        "ssh-rsa " + blob,
        blob,
        "command=\"sh\" " + ed25519,
        ed25519 + "\n" + ed25519,
        ed25519.substr(0, ed25519.size() - 4),
        trailing,
        short_key,
        length_lies,
        "ssh-ed25519 " + std::string(100'000, 'A')}) {
    INFO(line.substr(0, 100));
    CHECK_FALSE(parse_ssh_public_key(line));
  }
}

TEST_CASE("a private key is refused with a warning") {
  CHECK(
    refusal("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n").find("private key")
    != std::string::npos);
}
