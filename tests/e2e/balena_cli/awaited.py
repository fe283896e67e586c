"""Cases that wait for a part of Slipway that is being built. The suites leave them out and say so; `--awaited` runs them all."""

CASES = {
    "Account.test_login_asks_for_the_second_factor": "two-factor login",
    "Assets.test_a_large_asset_goes_up_in_parts_and_comes_back_whole": "release assets",
    "Assets.test_a_small_asset_is_uploaded_listed_replaced_downloaded_and_deleted": "release assets",
}

SDK = {
    "auth: two factors are set up, asked for and taken away": "two-factor login",
    "release.asset: up, listed, down and away": "release assets",
    "device: target states": "/device/v2/:uuid/state",
}
