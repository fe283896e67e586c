#pragma once

#include "runtime/container_engine.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::actors {

/// What builds need of a container engine: a part of runtime::container_engine, so that tests can stand in for it. Blocking, one
/// thread at a time; `cancel` alone may come from another thread. Errors are those of runtime::container_engine.
class builder_engine {
public:
  template <class T>
  using result = messages::result<T>;

  virtual ~builder_engine() = default;
  virtual void cancel() = 0;
  [[nodiscard]] virtual result<runtime::engine_version> version() = 0;

  [[nodiscard]] virtual result<runtime::engine_image> build(
    const runtime::build_request& request,
    const runtime::tar_source& context,
    const runtime::text_sink& output,
    const runtime::progress_sink& progress) = 0;
  [[nodiscard]] virtual result<runtime::engine_image> pull(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink& progress) = 0;
  [[nodiscard]] virtual result<std::string> push(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink& progress) = 0;
  [[nodiscard]] virtual result<void>
  tag(std::string_view reference, std::string_view repository, std::string_view tag) = 0;
  [[nodiscard]] virtual result<runtime::engine_image> inspect_image(std::string_view reference) = 0;
  [[nodiscard]] virtual result<std::vector<runtime::engine_image>> images() = 0;
  [[nodiscard]] virtual result<void> remove_image(std::string_view reference) = 0;

  [[nodiscard]] virtual result<std::vector<runtime::engine_container>> containers() = 0;
  [[nodiscard]] virtual result<void> remove_container(std::string_view id) = 0;
  [[nodiscard]] virtual result<std::vector<runtime::engine_network>> networks(
    const std::string& label) = 0;
  [[nodiscard]] virtual result<std::string> create_network(const nlohmann::json& config) = 0;
  [[nodiscard]] virtual result<void> remove_network(std::string_view name) = 0;
};

/// The engine at `endpoint`. Nothing is connected before the first call.
[[nodiscard]] std::unique_ptr<builder_engine> connect_builder_engine(const std::string& endpoint);

}  // namespace slipway::actors
