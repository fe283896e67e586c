#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace slipway::runtime {

struct node_options {
  std::string data_dir;
  std::string http_address = "127.0.0.1";
  std::uint16_t http_port = 8080;
  std::string overlay_endpoint = "tcp://127.0.0.1:8090";
  std::string domain;      ///< "" = plain address, routed by path
  std::string public_url;  ///< what clients are told; "" = derived from address or domain
  /// `name:password` of the administrator that a first start creates; "" = a password is made and printed once.
  std::string admin_file;
  int http_threads = 2;
  int scheduler_threads = 2;
};

/// One slipwayd: store, actors, gateways, HTTP server and overlay, started and stopped in the order of their dependence.
class node {
public:
  /// Opens the store, starts everything and serves. Errors say what could not be opened.
  [[nodiscard]] static messages::result<std::unique_ptr<node>> start(const node_options& o);
  ~node();  ///< orderly stop: no new requests, those in flight finish, actors end, the store closes

  [[nodiscard]] std::uint16_t http_port() const;
  [[nodiscard]] std::string overlay_endpoint() const;
  /// Set when a first start made the administrator's password up.
  [[nodiscard]] const std::string& generated_password() const;

private:
  struct impl;
  explicit node(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
