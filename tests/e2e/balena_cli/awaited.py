"""Cases that wait for a part of Slipway that is being built. The suite leaves them out and says so; `--awaited` runs them all."""

CASES = {
    "Account.test_ssh_keys_are_added_listed_shown_and_removed": "SSH keys of users",
    "Assets.test_a_large_asset_goes_up_in_parts_and_comes_back_whole": "release assets",
    "Assets.test_a_small_asset_is_uploaded_listed_replaced_downloaded_and_deleted": "release assets",
    "Configurations.test_a_configuration_for_a_device_carries_its_identity_and_a_working_key": "/device-types/v1",
    "Configurations.test_a_configuration_for_a_fleet_lets_a_device_register": "/device-types/v1",
    "Configurations.test_a_local_device_joins_a_fleet_and_leaves_it": "/device-types/v1",
    "Configurations.test_wifi_and_development_mode_are_in_the_configuration": "/device-types/v1",
    "Devices.test_an_action_on_a_device_that_is_offline_says_so": "/supervisor",
    "Devices.test_devices_of_others_do_not_exist": "/supervisor and logs",
    "Devices.test_local_mode_is_for_development_devices_that_were_seen": "presence from reports",
    "Fleets.test_a_fleet_without_online_devices_is_purged_and_restarted_quietly": "/supervisor",
    "Variables.test_a_configuration_variable_of_a_device": "/config/vars",
    "Variables.test_a_configuration_variable_of_a_fleet": "/config/vars",
    "Variables.test_a_name_that_is_reserved_or_no_name_is_refused": "/config/vars",
    "Variables.test_a_variable_of_a_device": "/config/vars",
    "Variables.test_a_variable_of_a_fleet": "/config/vars",
    "Variables.test_a_variable_of_a_service_of_a_fleet": "/config/vars",
    "Variables.test_a_variable_of_a_service_on_a_device": "/config/vars",
}
