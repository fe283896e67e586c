#include "runtime/http_pace.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace slipway::runtime {

std::uint64_t bytes_acknowledged(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  // A kernel that knows fewer fields leaves the rest as they are.
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_acked : 0;
}

}  // namespace slipway::runtime
