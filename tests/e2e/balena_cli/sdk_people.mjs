// Members, invitations and teams.
import { refused, test } from './sdk_recorder.mjs';
import { TYPE } from './sdk_fleets.mjs';

export async function define({ scene, client, assert }) {
  const ann = await client(scene.ann);
  const bob = await client(scene.bob);
  const { application, organization, team } = ann.models;
  let works;   // an organization that bob joins

  test('organization.invite: made, listed, revoked, accepted', async () => {
    works = await organization.create({ name: 'People Works' });
    const { invite } = organization;
    const lost = await invite.create(works.handle, { invitee: 'nobody@example.org', roleName: 'developer', message: 'come' });
    assert.deepEqual((await invite.getAllByOrganization(works.id)).map((i) => i.id), [lost.id]);
    assert.ok((await invite.getAll()).some((i) => i.id === lost.id));
    await invite.revoke(lost.id);
    const { token } = await scene_invitation(invite, works.handle, 'developer');
    await bob.models.organization.invite.accept(token);
    assert.ok((await bob.models.organization.getAll()).some((o) => o.id === works.id));
  });

  /** An invitation of bob together with what its mail would carry. */
  async function scene_invitation(model, where, roleName) {
    const made = await model.create(where, { invitee: scene.bob.email, roleName });
    assert.match(String(made.token), /^\S{16,}$/, 'the inviter gets no token to hand on');
    return made;
  }

  test('organization.membership: read, role changed, tagged, removed', async () => {
    const { membership } = organization;
    const rows = await membership.getAllByOrganization(works.handle, { $expand: { user: { $select: 'username' } } });
    assert.deepEqual(rows.map((row) => row.user[0].username).sort(), [scene.ann.name, scene.bob.name].sort());
    const of_bob = rows.find((row) => row.user[0].username === scene.bob.name);
    assert.equal((await membership.get(of_bob.id)).id, of_bob.id);
    assert.ok((await membership.getAllByUser(scene.bob.name)).some((row) => row.id === of_bob.id));
    await refused(bob.models.organization.membership.changeRole(of_bob.id, 'administrator'), /Unauthorized|Request error/);
    await membership.changeRole(of_bob.id, 'administrator');
    const options = { $expand: { organization_membership_role: { $select: 'name' } } };
    assert.equal((await membership.get(of_bob.id, options)).organization_membership_role[0].name, 'administrator');
    await membership.changeRole(of_bob.id, 'developer');
    await membership.tags.set(of_bob.id, 'desk', '12');
    assert.deepEqual((await membership.tags.getAllByOrganizationMembership(of_bob.id)).map((t) => t.value), ['12']);
    assert.deepEqual((await membership.tags.getAllByOrganization(works.id)).map((t) => t.value), ['12']);
    await membership.tags.remove(of_bob.id, 'desk');
  });

  test('application.membership and invite', async () => {
    const fleet = await application.create({ name: 'people-fleet', deviceType: TYPE, organization: works.handle });
    const { membership, invite } = application;
    const made = await membership.create({ application: fleet.id, username: scene.bob.name, roleName: 'observer' });
    assert.equal((await membership.get(made.id)).id, made.id);
    assert.deepEqual((await membership.getAllByApplication(fleet.slug)).map((row) => row.id), [made.id]);
    assert.ok((await membership.getAllByUser(scene.bob.name)).some((row) => row.id === made.id));
    await membership.changeRole(made.id, 'operator');
    await membership.remove(made.id);
    assert.deepEqual(await membership.getAllByApplication(fleet.id), []);
    const lost = await invite.create(fleet.id, { invitee: 'nobody@example.org', roleName: 'observer' });
    assert.deepEqual((await invite.getAllByApplication(fleet.slug)).map((i) => i.id), [lost.id]);
    assert.ok((await invite.getAll()).some((i) => i.id === lost.id));
    await invite.revoke(lost.id);
    const { token } = await scene_invitation(invite, fleet.id, 'observer');
    await bob.models.application.invite.accept(token);
    assert.equal(await bob.models.application.has(fleet.slug), true);
  });

  test('team: members and the fleets they reach', async () => {
    const fleet = await application.create({ name: 'team-fleet', deviceType: TYPE, organization: works.handle });
    const made = await team.create(works.handle, 'night shift');
    assert.deepEqual((await team.getAllByOrganization(works.id)).map((t) => t.name), ['night shift']);
    await team.rename(made.id, 'day shift');
    assert.equal((await team.get(made.id)).name, 'day shift');
    const member = await team.membership.create({ team: made.id, username: scene.bob.name });
    assert.equal((await team.membership.get(member.id)).id, member.id);
    assert.deepEqual((await team.membership.getAllByTeam(made.id)).map((row) => row.id), [member.id]);
    assert.ok((await team.membership.getAllByUser(scene.bob.name)).some((row) => row.id === member.id));
    const access = team.applicationAccess;
    const given = await access.add(made.id, fleet.id, 'observer');
    assert.equal((await access.get(given.id)).id, given.id);
    assert.deepEqual((await access.getAllByTeam(made.id)).map((row) => row.id), [given.id]);
    await access.update(given.id, 'operator');
    await access.remove(given.id);
    await team.membership.remove(member.id);
    await team.remove(made.id);
    await refused(team.get(made.id), /Team not found/);
  });

  test('organization.membership: a removed member sees nothing more', async () => {
    const { membership } = organization;
    const rows = await membership.getAllByOrganization(works.id, { $filter: { user: scene.bob.id } });
    await membership.remove(rows[0].id);
    assert.ok(!(await bob.models.organization.getAll()).some((o) => o.id === works.id));
  });
}
