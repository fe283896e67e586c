#pragma once

#include "agent/ports.hpp"

namespace slipway::agent {

class posix_http : public http_port {
public:
  explicit posix_http(runtime::http_client::options o) : client_(std::move(o)) {}
  messages::result<runtime::http_reply> send(const runtime::http_request& r) override {
    auto got = client_.send(r);
    if (!got && client_.distrusted() == runtime::distrust::chain) {
      got.error().detail += "; config.json names the platform's own root as balenaRootCA";
    }
    return got;
  }
  void cancel() override { client_.cancel(); }

private:
  runtime::http_client client_;
};

}  // namespace slipway::agent
