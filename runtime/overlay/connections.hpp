#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::runtime {

/// Which TCP connection belongs to which device. Descriptors are reused by the system at once, so each use counts as another
/// connection, and what comes from one that is closed already is not believed. One thread.
class connections {
public:
  struct connection {
    std::uint64_t number = 0;  ///< never reused
    int descriptor = -1;
    std::int64_t device = 0;  ///< 0 until its first valid frame
    std::string uuid;
    std::string address;
    std::int64_t opened = 0;  ///< steady ms
    std::int64_t heard = 0;   ///< steady ms of the last valid frame
    std::int64_t window = 0;  ///< second in which `frames` were counted
    std::uint64_t epoch = 0;
    std::uint64_t bytes = 0;  ///< received when last looked at after a frame
    bool framed = false;      ///< a whole message came since then
    std::uint32_t frames = 0;
    std::uint32_t keepalive_ms = 0;
    std::uint32_t malformed = 0;
    std::uint32_t capabilities = 0;
    std::uint32_t calls = 0;        ///< in flight
    std::int64_t calls_window = 0;  ///< second in which `calls_begun` were counted
    std::uint32_t calls_begun = 0;
    bool greeted = false;
    bool kicked = false;           ///< nothing more is taken from it
    std::int64_t shutdown_at = 0;  ///< steady ms, 0 = not asked for
  };

  /// A connection was accepted.
  connection& open(int descriptor, std::int64_t now);
  /// It is gone. The number it had, 0 when none was open.
  std::uint64_t close(int descriptor);

  [[nodiscard]] connection* by_descriptor(int descriptor);
  [[nodiscard]] connection* by_number(std::uint64_t number);
  /// The one that carries the device's session, or is about to.
  [[nodiscard]] connection* by_uuid(const std::string& uuid);

  /// Makes it the device's connection.
  void bind(connection& c, std::int64_t device, const std::string& uuid);
  /// Takes it from its device: the device may be bound to another.
  void unbind(connection& c);

  [[nodiscard]] std::size_t size() const { return by_number_.size(); }
  [[nodiscard]] std::size_t bound() const { return by_uuid_.size(); }
  template <class F>
  void each(F&& visit) {
    for (auto& [number, c] : by_number_) {
      visit(c);
    }
  }

private:
  std::unordered_map<std::uint64_t, connection> by_number_;
  std::unordered_map<int, std::uint64_t> by_descriptor_;
  std::unordered_map<std::string, std::uint64_t> by_uuid_;
  std::uint64_t last_ = 0;
};

}  // namespace slipway::runtime
