#include "domain/access_table.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace slipway;
using domain::rights::standing_count;
using domain::rights::standing_letters;

namespace {

constexpr auto beginning = R"(# Who may do what

This page is written from the table in `domain/access_table.cpp` by `tests/domain/permission_page_test.cpp`: change the table, not the page.
Why it is so: ADR 53 (roles), 54 (keys and what is live), 55 (members and invitations).

## Who asks

What somebody may do with a row follows from what he is to it. Who is several things at once may do what any of them may.

| Column | Who |
| --- | --- |
| platform | an administrator of the platform (`is_administrator` of the user) |
| admin. | administrator of the row's organization or fleet: manages members and everything below |
| devel. | developer: makes and changes fleets, releases and variables |
| oper. | operator: works with devices, their variables, logs, tunnels; reads fleet variables |
| observ. | observer: reads everything but the values of variables and what would show them |
| member | belongs to the organization: sees it and its members, and of its fleets only those it has a role of its own on |
| own | the user whose row it is, in a login session |
| own key | the same user by an API key |
| fellow | a user who shares an organization with the user whose row it is |
| device | the key of the device whose row it is |
| sibling | the key of a device of the fleet whose row it is |
| provis. | a provisioning key of the fleet whose row it is |
| anybody | everybody, also without a credential: on the catalog, and on rows of public fleets |

A role on an organization holds on all of its fleets and their devices. A role on one fleet, the user's own or his team's, holds on that
fleet and its devices. The higher one of the two counts. A role on a fleet counts only while its user is a member of the fleet's
organization. Rows that somebody may not see do not exist for him: not in answers, counts, filters, orders or error texts.

## Rows

c = create, s = see, u = update, r = remove.

)";

constexpr auto middle = R"(
- Founding an organization is the `c` of the column `own`: any user may, and becomes its administrator.
- The last administrator of an organization is neither removed nor demoted.
- To move a fleet to another organization takes an administrator of the one it is in and a developer of the other.
- To move a device takes an operator of both fleets. A device's key changes neither its device's fleet nor its uuid, type or activity.
- Values of variables are visible to operators and above. A release's composition, labels and its images' variables are what was built and
  are visible to observers, and to everybody on a public fleet: secrets belong into variables.
- The supervisor's own key (`api_secret`), passwords, and the hashes of keys and tokens are never readable.
- Fellow members of an organization see each other's user name and e-mail address.
- What is unique on the whole platform (handles, user names, e-mail addresses, uuids) answers 409 when it is taken. The text names the fields
  and nothing of the row that has it.

## Actions

What is neither reading nor writing a row. They are what `canAccess`, the device routes, the supervisor proxy, the tunnels and the registry
ask for.

)";

constexpr auto ending = R"(
## Routes

Where an action is asked for over HTTP, and what is answered: to who `may`, to who `sees` the row and may not, to everybody `else`, and to a
`guest`, who has no valid credential. Who does not see a row is told the same of it as of one that does not exist. `tests/e2e/permission_routes_test.py`
walks this table with every role.

| Route | Action | may | sees | else | guest |
| --- | --- | --- | --- | --- | --- |
| `GET /device/v3/:uuid/state` | `read_state` on device | 200 | 401 | 401 | 304 |
| `GET /device/v2/:uuid/state` | `read_state` on device | 200 | 401 | 401 | 304 |
| `GET /device/v3/fleet/:uuid/state` | `read_state` on application | 200 | 401 | 401 | 401 |
| `PATCH /device/v3/state` | `report_state` on device | 200 | 401 | 401 | 401 |
| `PATCH /device/v2/:uuid/state` | `report_state` on device | 200 | 401 | 401 | 200 |
| `PATCH /device/v3/tags` | `report_state` on device | 200 | 401 | 401 | 401 |
| `POST /device/register` | `register_device` on application | 201 | 401 | 401 | 401 |
| `GET /download-config` | `download_config` on application | 200 | 404 | 404 | 404 |
| `POST /download-config` | `download_config` on application | 200 | 404 | 404 | 404 |
| `GET /device/v2/:uuid/logs` | `read_logs` on device | 200 | 404 | 404 | 401 |
| `POST /device/v2/:uuid/logs` | `write_logs` on device | 201 | 401 | 401 | 401 |
| `POST /device/v2/:uuid/log-stream` | `write_logs` on device | 201 | 401 | 401 | 401 |
| `GET /access/v1/hostos/:uuid` | `tunnel` on device | 200 | 401 | 401 | 401 |
| `GET /services/vpn/auth/:uuid` | `write_logs` on device | 200 | 401 | 401 | 401 |
| `POST /supervisor/*, reading` | `inspect` on device | 404 | 403 | 404 | 401 |
| `POST /supervisor/*, changing` | `control` on device | 404 | 403 | 404 | 401 |
| `POST /application/:id/restart` | `control` on application | 200 | 403 | 404 | 401 |
| `POST /api-key/application/:id/provisioning` | `make_key` on application | 200 | 403 | 404 | 401 |
| `POST /api-key/device/:id/device-key` | `make_key` on device | 200 | 403 | 404 | 401 |
| `GET /auth/v1/token, pull` | `pull_image` on image | 200 | 401 | 401 | 401 |
| `GET /auth/v1/token, push` | `push_image` on image | 200 | 401 | 401 | 401 |
| `GET /auth/v1/token, delete` | `remove` on image | 200 | 401 | 401 | 401 |

- 404 to who may ask a supervisor: no device is online in that walk.
- A deleted device has no key any more and is told to go on with what it runs, so a guest is too: 304 and 200 say nothing of a device.
- For the registry 200 is a token with the action in it, 401 one without. To delete takes the `r` of the releases.
- `POST /api-key/v1` and `v2` make the same keys as the two routes above. `/api-key/user/full` takes a fresh login of the user himself.
- An invitation is taken up by a user in a login session by its secret (`/org/v1/invitation/:token`, `/user/v1/invitation/:token`): 401 to
  guests and keys, 404 for every secret that is none. Withdrawing it takes the right on its row.
- A registry token holds as long as it says, four hours, also when the key or role it was made from is gone.

## Keys

- A user's API key does what its user may, but changes neither the user, nor the user's keys and sessions, and makes no user keys.
- A user's key can be narrowed when it is made (`scope` in `POST /api-key/user/full`):
  `{"readOnly": true, "organizations": [1], "applications": [2]}`, each member optional, ids. `readOnly` leaves seeing, `read_state`,
  `read_logs`, `inspect` and `pull_image`. With organizations or applications the key reaches only these, with the role that its user has
  on them now, and of its user only who he is.
- A provisioning key can have an expiry and a number of uses. Each registration takes one use before the device is made and gives it back if
  there was another reason against it. With none left the key is refused everywhere. A crash between the two loses a use, never adds one.
- An expired, used up or removed key is refused at the next request.
- Keys of fleets and devices are not their maker's: they stay when he leaves. Whoever takes a member out looks at `api_key` of the fleets.

## When it takes effect

Roles and keys are looked up when a credential is first used and kept until a commit touches them; the next request after the commit was
answered is decided anew. What stays open (log streams, tunnels) asks again for each piece it sends, and each second while it is idle. The
overlay session of a device is cut when its row, its overlay key or its last API key is removed.
)";

std::string spaced(std::string_view names) {
  std::string out = "`";
  for (const char c : names) {
    out += c == ' ' ? std::string("`, `") : std::string(1, c);
  }
  return out + "`";
}

std::string page() {
  constexpr auto head =
    "platform | admin. | devel. | oper. | observ. | member | own | own key | fellow | device | "
    "sibling "
    "| provis. | anybody |\n";
  std::string rule;
  for (std::size_t i = 0; i < standing_count; ++i) {
    rule += " --- |";
  }
  std::ostringstream out;
  out << beginning << "| Rows | " << head << "| --- |" << rule << "\n";
  for (const auto& line : domain::rights::groups()) {
    out << "| " << line.name << " |";
    for (const auto cell : line.verbs) {
      out << " " << (cell == "-" ? "" : cell) << (cell == "-" ? "|" : " |");
    }
    out << "\n";
  }
  out << "\n| Rows | Resources |\n| --- | --- |\n";
  for (const auto& line : domain::rights::groups()) {
    out << "| " << line.name << " | " << spaced(line.resources) << " |\n";
  }
  out << middle << "| Action | On | " << head << "| --- | --- |" << rule << "\n";
  for (const auto& line : domain::rights::actions()) {
    out << "| `" << line.name << "` | " << line.resource << " |";
    for (const char letter : standing_letters) {
      out << (line.standings.find(letter) == std::string_view::npos ? " |" : " x |");
    }
    out << "\n";
  }
  out << "\n| Action | Means |\n| --- | --- |\n";
  for (const auto& line : domain::rights::actions()) {
    out << "| `" << line.name << "` on " << line.resource << " | " << line.means << " |\n";
  }
  out << ending;
  return out.str();
}

}  // namespace

TEST_CASE("docs/permissions.md is the table that decides") {
  const std::string file = SLIPWAY_DOCS_DIR "/permissions.md";
  if (std::getenv("SLIPWAY_WRITE_GOLDEN") != nullptr) {
    std::ofstream(file) << page();
  }
  std::ifstream in(file);
  std::stringstream written;
  written << in.rdbuf();
  CHECK(written.str() == page());
}
