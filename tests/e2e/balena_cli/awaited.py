"""Cases that wait for a part of Slipway that is being built. The suites leave them out and say so; `--awaited` runs them all."""

CASES = {
    "Account.test_login_asks_for_the_second_factor": "two-factor login",
}

SDK = {
    "auth: two factors are set up, asked for and taken away": "two-factor login",
}
