#include "runtime/zap_gate.hpp"

#include "runtime/zmq_support.hpp"

#include <zmq_addon.hpp>

#include <algorithm>
#include <array>

namespace slipway::runtime {
namespace {

constexpr std::size_t curve_key_bytes = 32;
constexpr std::size_t request_parts = 7;  // after route and delimiter, for CURVE

std::string z85(std::string_view key) {
  std::array<char, 41> text{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(key.data()), key.size());
  return text.data();
}

}  // namespace

// A ROUTER instead of the usual REP, so that an answer may wait while others are given.
zap_gate::zap_gate(zmq::context_t& context, decide_function decide)
  : socket_(context, zmq::socket_type::router), decide_(std::move(decide)) {
  socket_.set(zmq::sockopt::linger, 0);
  socket_.bind("inproc://zeromq.zap.01");
}

bool zap_gate::take_one(std::int64_t now) {
  std::vector<zmq::message_t> parts;
  if (!zmq::recv_multipart(socket_, std::back_inserter(parts), zmq::recv_flags::dontwait)) {
    return false;
  }
  // route, "", version, request id, domain, address, identity, mechanism, key
  if (parts.size() < 4) {
    return true;
  }
  held_reply h;
  h.route = std::move(parts[0]);
  h.request_id = view(parts[3]);
  const bool curve = parts.size() == 2 + request_parts && view(parts[7]) == "CURVE"
                     && parts[8].size() == curve_key_bytes;
  if (curve) {
    h.request = {z85(view(parts[8])), std::string(view(parts[5]))};
    judge(std::move(h), now);
  } else {
    reply(h);
  }
  return true;
}

void zap_gate::judge(held_reply h, std::int64_t now) {
  h.verdict = decide_(h.request, now);
  h.request.first = false;
  const bool wait = h.verdict.hold_ms > 0 || h.verdict.what == zap_verdict::kind::later;
  if (wait && held_.size() < held_max) {
    h.due = now + h.verdict.hold_ms;
    held_.push_back(std::move(h));
    return;
  }
  reply(h);
}

void zap_gate::reply(held_reply& h) {
  const bool admit = h.verdict.what == zap_verdict::kind::admit;
  const std::string_view parts[] = {
    "",
    "1.0",
    h.request_id,
    admit ? "200" : "400",
    "",
    admit ? std::string_view(h.verdict.user) : std::string_view(),
    ""};
  socket_.send(h.route, zmq::send_flags::sndmore);
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    socket_.send(
      zmq::buffer(parts[i]),
      i + 1 < std::size(parts) ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

void zap_gate::serve(std::int64_t now) {
  std::vector<held_reply> due;
  std::erase_if(held_, [&](held_reply& h) {
    if (h.due > now) {
      return false;
    }
    due.push_back(std::move(h));
    return true;
  });
  for (auto& h : due) {
    if (h.verdict.what == zap_verdict::kind::later) {
      judge(std::move(h), now);
    } else {
      reply(h);
    }
  }
  while (take_one(now)) {
  }
}

}  // namespace slipway::runtime
