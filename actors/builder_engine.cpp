#include "actors/builder_engine.hpp"

#include <nlohmann/json.hpp>

namespace slipway::actors {
namespace {

class real_engine final : public builder_engine {
public:
  explicit real_engine(const std::string& endpoint) : engine_(endpoint) {}

  void cancel() override { engine_.cancel(); }
  result<runtime::engine_version> version() override { return engine_.version(); }
  result<runtime::engine_image> build(
    const runtime::build_request& request,
    const runtime::tar_source& context,
    const runtime::text_sink& output,
    const runtime::progress_sink& progress) override {
    return engine_.build(request, context, output, progress);
  }
  result<runtime::engine_image> pull(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink& progress) override {
    return engine_.pull(reference, access, progress);
  }
  result<std::string> push(
    std::string_view reference,
    const runtime::registry_access& access,
    const runtime::progress_sink& progress) override {
    return engine_.push(reference, access, progress);
  }
  result<void> tag(std::string_view reference, std::string_view repository, std::string_view tag)
    override {
    return engine_.tag_image(reference, repository, tag);
  }
  result<runtime::engine_image> inspect_image(std::string_view reference) override {
    return engine_.inspect_image(reference);
  }
  result<std::vector<runtime::engine_image>> images() override { return engine_.images(); }
  result<void> remove_image(std::string_view reference) override {
    return engine_.remove_image(reference);
  }
  result<std::vector<runtime::engine_container>> containers() override {
    return engine_.containers();
  }
  result<void> remove_container(std::string_view id) override {
    return engine_.remove_container(id, true, true);
  }
  result<std::vector<runtime::engine_network>> networks(const std::string& label) override {
    return engine_.networks({label});
  }
  result<std::string> create_network(const nlohmann::json& config) override {
    return engine_.create_network(config);
  }
  result<void> remove_network(std::string_view name) override {
    return engine_.remove_network(name);
  }

private:
  runtime::container_engine engine_;
};

}  // namespace

std::unique_ptr<builder_engine> connect_builder_engine(const std::string& endpoint) {
  return std::make_unique<real_engine>(endpoint);
}

}  // namespace slipway::actors
