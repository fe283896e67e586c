#include "runtime/local_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace slipway::runtime {
namespace {

bool is_local(const in_addr& v4) {
  const auto a = ntohl(v4.s_addr);
  return a >> 24U == 127 || a >> 24U == 0 || a >> 16U == 0xa9fe;
}

bool is_local(const in6_addr& v6) {
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    in_addr v4{};
    std::memcpy(&v4, v6.s6_addr + 12, sizeof v4);
    return is_local(v4);
  }
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6);
}

}  // namespace

bool is_local_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    return is_local(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  }
  return address.sa_family == AF_INET6
         && is_local(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
}

bool is_local_address(const std::string& ip) {
  in_addr v4{};
  in6_addr v6{};
  return (::inet_pton(AF_INET, ip.c_str(), &v4) == 1 && is_local(v4))
         || (::inet_pton(AF_INET6, ip.c_str(), &v6) == 1 && is_local(v6));
}

}  // namespace slipway::runtime
