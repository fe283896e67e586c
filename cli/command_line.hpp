#pragma once

#include "cli/commands_access.hpp"
#include "cli/commands_account.hpp"
#include "cli/commands_action.hpp"
#include "cli/commands_asset.hpp"
#include "cli/commands_build.hpp"
#include "cli/commands_device.hpp"
#include "cli/commands_fleet.hpp"
#include "cli/commands_key.hpp"
#include "cli/commands_release.hpp"
#include "cli/commands_setting.hpp"
#include "cli/commands_trust.hpp"
#include "cli/deploy.hpp"
#include "cli/push.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

/// What a command line may look like. Internal to cli/: one file for each group of nouns fills it in.
namespace slipway::cli {

using action = std::function<messages::result<void>(context&)>;

/// The command line as CLI11 fills it. Lives until the chosen action has run.
struct command_line {
  std::string server;
  std::string ca;
  std::string engine_certificates;
  bool json = false;
  bool yes = false;
  bool force = false;
  std::string fleet, device, release, organization, name, value, shell, role, file, service;
  std::int64_t id = 0;
  login_args login_with;
  user_create_args new_user;
  fleet_create_args new_fleet;
  device_config_args config;
  device_register_args new_device;
  log_args logs;
  deploy_args deployment;
  push_args pushed;
  build_log_args build_log;
  setting_target target;
  key_args new_key;
  key_owner owner;
  membership_target members;
  asset_args asset;
  action chosen;
};

CLI::App*
command(CLI::App& parent, const char* name, const char* about, const char* examples = nullptr);
CLI::App* group(CLI::App& parent, const char* name, const char* about);
/// The command line means `run` when `c` was given.
void choose(CLI::App* c, command_line& line, action run);

void add_account(CLI::App& app, command_line& l);
void add_access(CLI::App& app, command_line& l);
void add_fleet(CLI::App& app, command_line& l);
void add_device(CLI::App& app, command_line& l);
void add_build(CLI::App& app, command_line& l);
void add_release(CLI::App& app, command_line& l);
/// The assets of a release, under the noun `release`.
void add_assets(CLI::App& release, command_line& l);
void add_settings(CLI::App& app, command_line& l);

}  // namespace slipway::cli
