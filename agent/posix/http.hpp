#pragma once

#include "agent/ports.hpp"

namespace slipway::agent {

class posix_http : public http_port {
public:
  explicit posix_http(runtime::http_client::options o) : client_(std::move(o)) {}
  messages::result<runtime::http_reply> send(const runtime::http_request& r) override {
    return client_.send(r);
  }
  void cancel() override { client_.cancel(); }

private:
  runtime::http_client client_;
};

}  // namespace slipway::agent
