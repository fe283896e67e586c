#pragma once

#include "messages/error.hpp"
#include "runtime/serve_config.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace slipway::runtime {

/// One slipwayd: store, actors, gateways, HTTP server and overlay, started and stopped in the order of their dependence.
class node {
public:
  /// Opens the store, starts everything and serves. Errors say what could not be opened.
  [[nodiscard]] static messages::result<std::unique_ptr<node>> start(const serve_config& config);
  ~node();  ///< orderly stop: no new requests, those in flight finish, actors end, the store closes

  [[nodiscard]] std::uint16_t http_port() const;
  /// 0 = no TLS.
  [[nodiscard]] std::uint16_t https_port() const;
  [[nodiscard]] std::string overlay_endpoint() const;
  /// "" = no SSH.
  [[nodiscard]] std::string ssh_address() const;
  /// Set when a first start made the administrator's password up.
  [[nodiscard]] const std::string& generated_password() const;

private:
  struct impl;
  explicit node(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
