"""Cases that wait for a part of Slipway that is being built. The suites leave them out and say so; `--awaited` runs them all."""

CASES = {
    "Account.test_login_asks_for_the_second_factor": "two-factor login",
    "Assets.test_a_large_asset_goes_up_in_parts_and_comes_back_whole": "release assets",
    "Assets.test_a_small_asset_is_uploaded_listed_replaced_downloaded_and_deleted": "release assets",
    "Devices.test_an_action_on_a_device_that_is_offline_says_so": "/supervisor",
    "Devices.test_devices_of_others_do_not_exist": "/supervisor and logs",
    "Fleets.test_a_fleet_without_online_devices_is_purged_and_restarted_quietly": "/supervisor",
}

SDK = {
    "auth: two factors are set up, asked for and taken away": "two-factor login",
    "release.asset: up, listed, down and away": "release assets",
    "device: target states": "/device/v2/:uuid/state",
    "device: actions on a device that is offline say so": "/supervisor",
    "organization.invite: made, listed, revoked, accepted": "invitations",
    "organization.membership: read, role changed, tagged, removed": "invitations",
    "organization.membership: a removed member sees nothing more": "invitations",
    "application.membership and invite": "invitations",
    "team: members and the fleets they reach": "members by name",
}
