#include "runtime/server/admin_server.hpp"

#include "messages/json.hpp"
#include "runtime/log.hpp"
#include "runtime/server/admin_office.hpp"
#include "runtime/server/builder_office.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <future>
#include <utility>

namespace slipway::runtime {

namespace asio = boost::asio;
using messages::appended;
using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

/// Longer than the entity's own answer may take.
constexpr auto wait_max = gateways::ask_timeout + std::chrono::seconds{5};

result<appended>
ask_entity(const gateways::services& s, messages::entity_ref entity, admin_port::command command) {
  auto executor = s.slow->get_executor();
  auto answer = std::visit(
    [&](auto& cmd) {
      return asio::co_spawn(
        executor,
        s.ask->ask(executor, entity, std::move(cmd)),
        asio::use_future);
    },
    command);
  // The pool drops what waits when the server stops.
  if (answer.wait_for(wait_max) != std::future_status::ready) {
    return fail(errc::timed_out, "no answer in time: outcome unknown");
  }
  try {
    return answer.get();
  } catch (const std::exception& e) {
    return fail(errc::unavailable, std::string("the server stops: ") + e.what());
  }
}

/// Of the registry's keepers, or of accounts.
result<json> carry_out(const admin_port& port, const registry_care& care, const json& request) {
  const auto command = request.is_object() ? request.find("command") : request.end();
  if (command != request.end() && command->is_string()) {
    const auto name = command->get<std::string>();
    if (is_care_command(name)) {
      return run_care_command(care, request);
    }
  }
  return run_admin_command(port, request);
}

/// Asked many times a second while somebody watches.
bool only_looks(const json& request) {
  const auto command = request["command"].get<std::string>();
  return command.ends_with(" status") || command == "gc items";
}

std::string answer_to(const admin_port& port, const registry_care& care, const std::string& line) {
  auto request = messages::parse_json(line);
  const auto done =
    request ? carry_out(port, care, *request) : result<json>(tl::unexpected(request.error()));
  // Only of commands that are known: nobody writes into the log what he likes.
  const bool known = done || done.error().code != errc::invalid_argument;
  if (known && !only_looks(*request)) {
    log::info(
      "operator's command",
      {{"command", (*request)["command"].get<std::string>()},
       {"outcome", done ? "done" : done.error().detail}});
  }
  return messages::dump_json(
    done ? json{{"answer", *done}}
         : json{{"error", done.error().detail}, {"code", static_cast<int>(done.error().code)}});
}

}  // namespace

result<std::unique_ptr<admin_socket>> serve_admin(
  const std::string& data_dir,
  std::shared_ptr<const gateways::services> services,
  std::function<void(const messages::row& user)> unlock,
  registry_care care) {
  admin_port port;
  port.model = services->model;
  port.store = services->store;
  port.now = services->now;
  port.unlock = std::move(unlock);
  port.builder_key = [data_dir] { return builder_public_key(data_dir); };
  port.ask = [services](messages::entity_ref entity, admin_port::command command) {
    return ask_entity(*services, entity, std::move(command));
  };
  return admin_socket::open(data_dir, [port = std::move(port), care](std::string line) {
    return answer_to(port, care, line);
  });
}

}  // namespace slipway::runtime
