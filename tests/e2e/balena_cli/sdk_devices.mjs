// Devices as rows.
import { refused, test } from './sdk_recorder.mjs';
import { dependents_live, release_of, TYPE } from './sdk_fleets.mjs';

export async function define({ scene, client, assert }) {
  const ann = await client(scene.ann);
  const bob = await client(scene.bob);
  const { application, device, apiKey } = ann.models;
  const fleet = await application.create({ name: 'sdk-devices', deviceType: TYPE, organization: scene.ann.handle });
  const first = await release_of(ann, fleet);
  const second = await release_of(ann, fleet);

  /** A registered device: its uuid, id and key. */
  async function given_device() {
    const uuid = device.generateUniqueKey();
    const made = await device.register(fleet.id, uuid, TYPE);
    return { uuid, id: made.id, key: made.api_key };
  }

  async function report(made, fields) {
    const answer = await fetch(`${scene.apiUrl}/device/v3/state`, { method: 'PATCH', body: JSON.stringify({ [made.uuid]: fields }),
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${made.key}` } });
    assert.equal(answer.status, 200);
  }

  test('device: registered and found in every way', async () => {
    const made = await given_device();
    await refused(device.register(fleet.id, made.uuid), /unique/);
    assert.equal((await device.get(made.uuid)).id, made.id);
    assert.equal((await device.get(made.id)).uuid, made.uuid);
    const by = { $filter: { id: made.id } };
    assert.equal((await device.getAllByApplication(fleet.slug, by)).length, 1);
    assert.equal((await device.getAllByOrganization(scene.ann.handle, by)).length, 1);
    assert.equal((await device.getWithServiceDetails(made.uuid)).id, made.id);
    assert.equal(await device.has(made.uuid), true);
    assert.equal(await device.has('f'.repeat(32)), false);
    assert.ok(device.getDashboardUrl(made.uuid).endsWith(`/devices/${made.uuid}/summary`));
    assert.equal(await device.getApplicationName(made.uuid), 'sdk-devices');
    assert.equal(await bob.models.device.has(made.uuid), false);
    await refused(bob.models.device.get(made.uuid), /Device not found/);
    const token = await device.generateDeviceKey(made.id);
    const keys = await apiKey.getDeviceApiKeysByDevice(made.uuid);
    assert.equal(keys.length, 2);
    assert.match(token, /^\S{20,}$/);
  });

  test('device: what it reported', async () => {
    const made = await given_device();
    await report(made, { ip_address: '10.1.2.3 fe80::1', mac_address: 'AA:BB', memory_usage: 10, memory_total: 20, cpu_temp: 40,
      os_version: 'balenaOS 6.0.0', os_variant: 'dev', supervisor_version: '17.0.0', status: 'Idle' });
    await refused(device.getLocalIPAddresses(made.uuid), /offline/);
    assert.deepEqual(await device.getMACAddresses(made.uuid), ['AA:BB']);
    const metrics = await device.getMetrics(made.uuid);
    assert.deepEqual([metrics.memory_usage, metrics.memory_total, metrics.cpu_temp], [10, 20, 40]);
    assert.equal(device.getOsVersion(await device.get(made.uuid)), '6.0.0+dev');
    assert.equal(await device.isOnline(made.uuid), false);
    assert.equal(typeof await device.getStatus(made.uuid), 'string');
    assert.equal(await device.getProgress(made.uuid), null);
  });

  test('device: name, note, place, support, activity', async () => {
    const made = await given_device();
    await device.rename(made.uuid, 'sdk-fox');
    assert.equal(await device.getName(made.uuid), 'sdk-fox');
    assert.equal((await device.getByName('sdk-fox'))[0].id, made.id);
    await device.setNote([made.uuid], 'noted');
    await device.setCustomLocation(made.uuid, { latitude: 1.5, longitude: -2 });
    let row = await device.get(made.uuid);
    assert.deepEqual([row.note, row.custom_latitude, row.custom_longitude], ['noted', '1.5', '-2']);
    await device.unsetCustomLocation(made.uuid);
    await device.grantSupportAccess(made.uuid, Date.now() + 3600000);
    assert.notEqual((await device.get(made.uuid)).is_accessible_by_support_until__date, null);
    await device.revokeSupportAccess(made.uuid);
    await device.deactivate(made.uuid);
    row = await device.get(made.uuid);
    assert.deepEqual([row.custom_latitude, row.is_accessible_by_support_until__date, row.is_active], ['', null, false]);
    await device.remove(made.uuid);
    assert.equal(await device.has(made.uuid), false);
  });

  test('device: moved, pinned and tracking', async () => {
    const made = await given_device();
    assert.equal(await device.isTrackingApplicationRelease(made.uuid), true);
    assert.equal(await device.getTargetReleaseHash(made.uuid), second.commit);
    await device.pinToRelease(made.uuid, first.commit);
    assert.equal(await device.isTrackingApplicationRelease(made.uuid), false);
    assert.equal(await device.getTargetReleaseHash(made.uuid), first.commit);
    await device.pinToRelease(made.id, second.id);
    assert.equal(await device.getTargetReleaseHash(made.uuid), second.commit);
    await device.trackApplicationRelease(made.uuid);
    assert.equal(await device.isTrackingApplicationRelease(made.uuid), true);
    const other = await application.create({ name: `sdk-moved`, deviceType: TYPE, organization: scene.ann.handle });
    await device.move(made.uuid, other.slug);
    assert.equal(await device.getApplicationName(made.uuid), 'sdk-moved');
  });

  test('device: public URL, local mode, lock override', async () => {
    const made = await given_device();
    await refused(device.getDeviceUrl(made.uuid), /not web accessible/);
    await device.enableDeviceUrl(made.uuid);
    assert.ok((await device.getDeviceUrl(made.uuid)).startsWith(`https://${made.uuid}.`));
    await device.disableDeviceUrl(made.uuid);
    assert.equal(await device.hasDeviceUrl(made.uuid), false);
    await refused(device.enableLocalMode(made.uuid), /provisioned/);
    assert.equal(device.getLocalModeSupport(await device.get(made.uuid)).supported, false);
    await device.disableLocalMode(made.uuid);
    assert.equal(await device.isInLocalMode(made.uuid), false);
    assert.equal(await device.hasLockOverride(made.uuid), false);
    await device.enableLockOverride(made.uuid);
    assert.equal(await device.hasLockOverride(made.uuid), true);
    await device.disableLockOverride(made.uuid);
    assert.equal(await device.hasLockOverride(made.uuid), false);
  });

  test('device: variables, tags and history', async () => {
    const made = await given_device();
    for (const [model, key] of [[device.envVar, 'A'], [device.configVar, 'BALENA_B'], [device.tags, 'place']]) {
      await dependents_live(assert, model, made.uuid, key,
        [() => model.getAllByDevice(made.uuid), () => model.getAllByApplication(fleet.slug)]);
    }
    const vars = device.serviceVar;
    for (const service of [second.service.id, 'main']) {
      await vars.set(made.uuid, service, 'S', 'one');
      await vars.set(made.uuid, service, 'S', 'two');
      assert.equal(await vars.get(made.uuid, service, 'S'), 'two');
      assert.deepEqual((await vars.getAllByDevice(made.uuid)).map((row) => row.value), ['two']);
      assert.deepEqual((await vars.getAllByApplication(fleet.id)).map((row) => row.value), ['two']);
      await vars.remove(made.uuid, service, 'S');
      assert.deepEqual(await vars.getAllByDevice(made.uuid), []);
    }
    assert.ok(Array.isArray(await device.history.getAllByDevice(made.uuid)));
    assert.ok(Array.isArray(await device.history.getAllByApplication(fleet.id)));
  });

  test('device: target states', async () => {
    const made = await given_device();
    const state = await device.getSupervisorTargetState(made.uuid);
    assert.equal(typeof state.local.name, 'string');
    const v3 = await device.getSupervisorTargetState(made.uuid, 3);
    assert.ok(v3[made.uuid].apps[fleet.uuid].releases[second.commit]);
    const of_fleet = await device.getSupervisorTargetStateForApp(fleet.id, first.commit);
    assert.ok(of_fleet[fleet.uuid].apps[fleet.uuid].releases[first.commit]);
  });

  test('device: supervisor and system releases that do not exist', async () => {
    const made = await given_device();
    await report(made, { os_version: 'balenaOS 6.0.0', os_variant: 'prod', supervisor_version: '17.0.0' });
    await refused(device.pinToSupervisorRelease(made.uuid, '17.0.1'), /not found/i);
    await refused(device.pinToOsRelease(made.uuid, '6.1.0'), /./);
    await refused(device.startOsUpdate(made.uuid, '6.1.0'), /./);
  });

  test('device: actions on a device that is offline say so', async () => {
    const made = await given_device();
    for (const action of ['ping', 'identify', 'reboot', 'shutdown', 'purge', 'update', 'getSupervisorState', 'restartApplication']) {
      await refused(device[action](made.uuid), /No online device|offline|not online/i);
    }
    await application.restart(fleet.id);
  });
}
