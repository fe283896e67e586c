#pragma once

#include <zmq.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace slipway::runtime {

struct zap_request {
  std::string key;      ///< the peer's public key, Z85; it has proved to hold the secret half
  std::string address;  ///< of the peer
  bool first = true;    ///< false when it was put off before
};

struct zap_verdict {
  /// `later` keeps the peer waiting instead of the protocol's "300", which would make it shake hands anew: that is what costs.
  enum class kind { admit, refuse, later } what = kind::refuse;
  std::string user;  ///< becomes the User-Id of every frame of the connection
  int hold_ms = 0;   ///< admit: answer only then; later: ask again then
};

/// Answers the authentication requests (ZeroMQ RFC 27) of all CURVE servers of one context. One thread polls `socket()`
/// and calls `serve`; it must exist before the first server binds.
class zap_gate {
public:
  using decide_function = std::function<zap_verdict(const zap_request&, std::int64_t steady_ms)>;
  zap_gate(zmq::context_t& context, decide_function decide);

  [[nodiscard]] zmq::socket_t& socket() { return socket_; }
  /// Answers what is waiting and what was held back until now.
  void serve(std::int64_t now);

private:
  struct held_reply {
    std::int64_t due = 0;
    zmq::message_t route;
    std::string request_id;
    zap_request request;
    zap_verdict verdict;
  };
  void judge(held_reply h, std::int64_t now);
  bool take_one(std::int64_t now);
  void reply(held_reply& h);

  /// Past it a peer that would have to wait is refused.
  static constexpr std::size_t held_max = 20'000;

  zmq::socket_t socket_;
  decide_function decide_;
  std::vector<held_reply> held_;
};

/// At most `rate` per second on average and `burst` at once.
class token_bucket {
public:
  token_bucket(double rate, double burst) : rate_(rate), burst_(burst), left_(burst) {}
  bool take(std::int64_t now_ms) {
    left_ += static_cast<double>(now_ms - at_) * rate_ / 1000.0;
    left_ = left_ > burst_ ? burst_ : left_;
    at_ = now_ms;
    if (left_ < 1.0) {
      return false;
    }
    left_ -= 1.0;
    return true;
  }

private:
  double rate_;
  double burst_;
  double left_;
  std::int64_t at_ = 0;
};

}  // namespace slipway::runtime
