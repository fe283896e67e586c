#include "runtime/server/git_side.hpp"

#include "gateways/git/git_over_ssh.hpp"

#include <filesystem>
#include <utility>

namespace slipway::runtime {

using messages::result;

namespace {

constexpr std::size_t programs_max = 64;
/// One user who is slow leaves room for others.
constexpr std::size_t programs_of_user_max = 16;

/// How a hook on this machine reaches the HTTP port.
std::string hook_url(const listen_address& http) {
  const auto host = http.host == "0.0.0.0" ? "127.0.0.1" : http.host == "::" ? "::1" : http.host;
  const bool bare = host.find(':') == std::string::npos;
  return "http://" + (bare ? host : "[" + host + "]") + ":" + std::to_string(http.port);
}

std::string own_program() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed).string();
}

}  // namespace

result<std::unique_ptr<git_side>> git_side::open(const serve_config& config) {
  std::unique_ptr<git_side> made(new git_side(config));
  auto opened = gateways::git::repositories::open(config.data_dir + "/git");
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  made->repositories_ = std::move(*opened);
  made->processes_ =
    std::make_unique<gateways::git::git_processes>(programs_max, programs_of_user_max);
  return made;
}

git_side::~git_side() {
  stop();
}

result<void> git_side::prepare(
  std::shared_ptr<const gateways::services> s,
  const listen_address& http,
  std::function<messages::result<void>()> disk,
  std::function<void(std::int64_t release)> settle) {
  gateways::git::git_options o;
  o.repository_bytes_max = static_cast<std::uint64_t>(config_.git_repository_bytes);
  o.push_bytes_max = static_cast<std::uint64_t>(config_.git_push_bytes);
  o.disk = std::move(disk);
  o.hook_program = own_program();
  o.hook_url = hook_url(http);
  o.settle = std::move(settle);
  sessions_ = std::make_unique<gateways::git::git_sessions>(
    s,
    *repositories_,
    *processes_,
    tickets_,
    std::move(o));
  gateway_ = std::make_unique<gateways::git::git_gateway>(s, *sessions_);
  if (!config_.ssh) {
    return {};
  }
  gateways::ssh::ssh_server::options ssh;
  ssh.address = config_.ssh->host;
  ssh.port = config_.ssh->port;
  ssh.keys_folder = config_.data_dir + "/keys";
  ssh.store = s->store;
  ssh.greeting = "slipway: your key is known. There is no shell here, only git.";
  ssh.exec = [this](const gateways::ssh::exec_request& r) {
    return gateways::git::run_git_over_ssh(*sessions_, r);
  };
  auto opened = gateways::ssh::ssh_server::open(std::move(ssh));
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  ssh_ = std::move(*opened);
  return {};
}

void git_side::start() {
  if (ssh_) {
    ssh_->start();
  }
}

void git_side::stop() {
  if (ssh_) {
    ssh_->stop();
  }
  processes_->stop();
}

void git_side::sweep() {
  sessions_->sweep();
}

awaitable<void> git_side::handle(exchange& x, std::string_view path) {
  return gateway_->handle(x, path);
}

std::string git_side::ssh_address() const {
  return ssh_ ? config_.ssh->host + ":" + std::to_string(ssh_->port()) : "";
}

}  // namespace slipway::runtime
