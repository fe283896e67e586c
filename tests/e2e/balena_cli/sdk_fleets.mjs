// Organizations, fleets, device types, configuration, releases, assets, services, images.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { refused, test } from './sdk_recorder.mjs';

export const TYPE = 'generic-amd64';

/** A successful release with one image, as a deploy would leave it. */
export async function release_of(sdk, fleet, fields = {}, service_name = 'main') {
  const post = (resource, body) => sdk.pine.post({ resource, body });
  const release = await post('release', { belongs_to__application: fleet.id, commit: randomBytes(16).toString('hex'), status: 'running',
    source: 'local', start_timestamp: Date.now(), composition: { version: '2.1', services: { [service_name]: { image: 'x' } } }, ...fields });
  const found = await sdk.pine.get({ resource: 'service', options: { $filter: { application: fleet.id, service_name } } });
  const service = found[0] ?? await post('service', { application: fleet.id, service_name });
  const image = await post('image', { is_a_build_of__service: service.id, status: 'running', start_timestamp: Date.now() });
  await post('image__is_part_of__release', { is_part_of__release: release.id, image: image.id });
  await sdk.pine.patch({ resource: 'image', id: image.id, body: { status: 'success', push_timestamp: Date.now(), build_log: 'built',
    content_hash: `sha256:${'a'.repeat(64)}`, image_size: '123' } });
  await sdk.pine.patch({ resource: 'release', id: release.id, body: { status: 'success' } });
  return { ...release, service, image };
}

/** Variables or tags with `set`, `get`, `remove` and their lists. */
export async function dependents_live(assert, model, parent, key, lists) {
  await model.set(parent, key, 'one');
  await model.set(parent, key, 'two');
  if (model.get) {
    assert.equal(await model.get(parent, key), 'two');
  }
  for (const list of lists) {
    const rows = (await list()).filter((row) => (row.name ?? row.tag_key) === key);
    assert.deepEqual(rows.map((row) => row.value), ['two']);
  }
  await model.remove(parent, key);
  assert.deepEqual((await lists[0]()).filter((row) => (row.name ?? row.tag_key) === key), []);
}

export async function define({ scene, client, assert, folder }) {
  const ann = await client(scene.ann);
  const { application, organization, deviceType, config, os, release, service, image, device } = ann.models;
  const home = scene.ann.handle;

  test('organization: made, read and removed', async () => {
    const made = await organization.create({ name: 'Sdk Works', handle: 'sdk_works' });
    assert.equal(made.handle, 'sdk_works');
    assert.equal((await organization.get('sdk_works')).id, made.id);
    assert.deepEqual((await organization.getAll({ $select: 'handle' })).map((o) => o.handle).sort(), [home, 'sdk_works'].sort());
    await refused(organization.get('of_nobody'), /Organization not found/);
    await organization.remove(made.id);
    await refused(organization.get(made.id), /Organization not found/);
  });

  test('application: made and found in every way', async () => {
    const made = await application.create({ name: 'sdk-found', deviceType: TYPE, organization: home });
    assert.equal(made.slug, `${home}/sdk-found`);
    await refused(application.create({ name: 'sdk-found', deviceType: TYPE, organization: home }), /unique/);
    await refused(application.create({ name: 'sdk-none', deviceType: 'no-such', organization: home }), /Invalid device type/);
    for (const argument of [made.id, made.slug, made.uuid]) {
      assert.equal((await application.get(argument)).id, made.id);
    }
    assert.equal((await application.getDirectlyAccessible(made.slug)).id, made.id);
    assert.equal((await application.getAppByName('sdk-found')).id, made.id);
    const by = { $filter: { id: made.id } };
    assert.equal((await application.getAll(by)).length, 1);
    assert.equal((await application.getAllDirectlyAccessible(by)).length, 1);
    assert.equal((await application.getAllByOrganization(home, by)).length, 1);
    assert.equal(await application.has(made.id), true);
    assert.equal(await application.has('of/nobody'), false);
    assert.equal(await application.hasAny(), true);
    assert.ok(application.getDashboardUrl(made.id).endsWith(`/apps/${made.id}`));
    await refused(application.get('of/nobody'), /Application not found/);
    await application.remove([made.id]);
    assert.equal(await application.has(made.id), false);
  });

  test('application: targets, names, public URLs and support', async () => {
    const fleet = await application.create({ name: 'sdk-target', deviceType: TYPE, organization: home });
    const first = await release_of(ann, fleet);
    const second = await release_of(ann, fleet);
    assert.equal(await application.willTrackNewReleases(fleet.id), true);
    assert.equal(await application.isTrackingLatestRelease(fleet.id), true);
    assert.equal(await application.getTargetReleaseHash(fleet.id), second.commit);
    await application.pinToRelease(fleet.id, first.commit);
    assert.equal(await application.getTargetReleaseHash(fleet.slug), first.commit);
    assert.equal(await application.isTrackingLatestRelease(fleet.id), false);
    await application.trackLatestRelease(fleet.id);
    assert.equal(await application.getTargetReleaseHash(fleet.id), second.commit);
    const uuid = device.generateUniqueKey();
    await device.register(fleet.id, uuid);
    await application.enableDeviceUrls(fleet.id);
    assert.equal(await device.hasDeviceUrl(uuid), true);
    await application.disableDeviceUrls(fleet.id);
    assert.equal(await device.hasDeviceUrl(uuid), false);
    await application.grantSupportAccess(fleet.id, Date.now() + 3600000);
    assert.notEqual((await application.get(fleet.id)).is_accessible_by_support_until__date, null);
    await application.revokeSupportAccess(fleet.id);
    assert.equal((await application.get(fleet.id)).is_accessible_by_support_until__date, null);
    await application.rename(fleet.id, 'sdk-renamed');
    assert.equal((await application.get(fleet.id)).slug, `${home}/sdk-renamed`);
    const details = await application.getWithDeviceServiceDetails(fleet.id);
    assert.equal(details.owns__device[0].uuid, uuid);
    await refused(application.pinToRelease(fleet.id, 'f'.repeat(32)), /Release not found/);
  });

  test('application: provisioning keys', async () => {
    const fleet = await application.create({ name: 'sdk-keys', deviceType: TYPE, organization: home });
    const expires = new Date(Date.now() + 86400000).toISOString();
    const key = await application.generateProvisioningKey({ slugOrUuidOrId: fleet.id, keyName: 'for-images', keyExpiryDate: expires });
    assert.match(key, /^\S{20,}$/);
    const rows = await ann.models.apiKey.getProvisioningApiKeysByApplication(fleet.slug);
    assert.deepEqual(rows.filter((row) => row.name === 'for-images').map((row) => row.expiry_date), [expires]);
  });

  test('application: variables and tags', async () => {
    const fleet = await application.create({ name: 'sdk-variables', deviceType: TYPE, organization: home });
    for (const [model, key] of [[application.envVar, 'A'], [application.configVar, 'BALENA_A'], [application.buildVar, 'B']]) {
      await dependents_live(assert, model, fleet.id, key, [() => model.getAllByApplication(fleet.slug)]);
    }
    await dependents_live(assert, application.tags, fleet.slug, 'place', [() => application.tags.getAllByApplication(fleet.id)]);
    await refused(application.envVar.set(fleet.id, 'BALENA_NOT', 'x'), /Request error/);
  });

  test('deviceType and config', async () => {
    const all = await deviceType.getAll();
    const one = await deviceType.get(TYPE);
    assert.ok(all.some((t) => t.id === one.id));
    assert.equal((await deviceType.get(one.id)).slug, TYPE);
    assert.equal((await deviceType.getBySlugOrName(one.name)).slug, TYPE);
    assert.equal(await deviceType.getName(TYPE), one.name);
    assert.equal(await deviceType.getSlugByName(one.name), TYPE);
    assert.ok((await deviceType.getAllSupported()).some((t) => t.id === one.id));
    await refused(deviceType.get('no-such'), /Invalid device type/);
    assert.equal(typeof (await config.getAll()).deviceUrlsBase, 'string');
    assert.ok((await config.getDeviceTypes()).some((t) => t.slug === TYPE && t.arch === 'amd64'));
    assert.equal((await config.getDeviceTypeManifestBySlug(TYPE)).slug, TYPE);
    assert.ok((await config.getDeviceOptions(TYPE)).length > 0);
    const schema = await config.getConfigVarSchema(TYPE);
    assert.ok(schema.reservedNamespaces.includes('BALENA_'));
    assert.equal(typeof schema.configVarSchema.properties, 'object');
  });

  test('deviceType: contracts where there are none', async () => {
    await refused(deviceType.getInterpolatedPartials(TYPE), /contract/);
    await refused(deviceType.getInstructions(TYPE), /Instruction partials/);
    assert.equal(await deviceType.getInstallMethod(TYPE), null);
  });

  test('os: versions before any is published, configuration', async () => {
    assert.deepEqual(await os.getAllOsVersions(TYPE), []);
    assert.deepEqual(await os.getAvailableOsVersions(TYPE), []);
    assert.equal(await os.getMaxSatisfyingVersion(TYPE, 'latest'), null);
    assert.deepEqual((await os.getSupportedOsUpdateVersions(TYPE, '2.9.6+rev1.prod')).versions, []);
    assert.equal(os.isArchitectureCompatibleWith('aarch64', 'armv7hf'), true);
    await refused(os.isSupportedOsUpdate(TYPE, '2.0.0+rev1.prod', '2.9.6+rev1.prod'), /./).catch(() => undefined);
    await os.getOsUpdateType(TYPE, '6.0.0', '6.1.0');
    assert.deepEqual(await os.getSupervisorReleasesForCpuArchitecture('amd64'), []);
    await refused(os.getDownloadSize(TYPE, '6.0.0'), /./);
    await refused(os.download({ deviceType: TYPE, version: '6.0.0' }), /./);
    const fleet = await application.create({ name: 'sdk-config', deviceType: TYPE, organization: home });
    const made = await os.getConfig(fleet.slug, { version: '6.0.0', network: 'ethernet', appUpdatePollInterval: 10 });
    assert.deepEqual([made.applicationId, made.deviceType, made.appUpdatePollInterval], [fleet.id, TYPE, 600000]);
    assert.match(made.apiKey, /^\S{20,}$/);
  });

  test('release: found in every way and changed', async () => {
    const fleet = await application.create({ name: 'sdk-releases', deviceType: TYPE, organization: home });
    const first = await release_of(ann, fleet, { semver: '1.2.3' });
    const draft = await release_of(ann, fleet, { is_final: false });
    assert.equal((await release.get(first.id)).commit, first.commit);
    assert.equal((await release.get(first.commit)).id, first.id);
    assert.equal((await release.get({ application: fleet.id, rawVersion: '1.2.3' })).id, first.id);
    assert.deepEqual((await release.getAllByApplication(fleet.slug)).map((r) => r.id), [draft.id, first.id]);
    assert.equal((await release.getLatestByApplication(fleet.id)).id, draft.id);
    const details = await release.getWithImageDetails(first.id);
    assert.deepEqual(details.images.map((i) => i.service_name), ['main']);
    await release.finalize(draft.id);
    assert.equal((await release.get(draft.id)).is_final, true);
    await release.setIsInvalidated(first.id, true);
    await release.setNote(first.id, 'a note');
    await release.setKnownIssueList(first.id, 'leaks');
    const row = await release.get(first.id);
    assert.deepEqual([row.is_invalidated, row.note, row.known_issue_list], [true, 'a note', 'leaks']);
    await refused(release.get('f'.repeat(32)), /Release not found/);
    const tags = release.tags;
    await dependents_live(assert, tags, first.id, 'built-by', [() => tags.getAllByRelease(first.commit), () => tags.getAllByApplication(fleet.id)]);
  });

  test('release.asset: up, listed, down and away', async () => {
    const fleet = await application.create({ name: 'sdk-assets', deviceType: TYPE, organization: home });
    const { id } = await release_of(ann, fleet);
    const file = `${folder}/asset.bin`;
    for (const size of [1000, 6 << 20]) {
      const content = randomBytes(size);
      writeFileSync(file, content);
      const key = `map-${size}`;
      await release.asset.upload({ release: id, asset_key: key, asset: file }, { chunkSize: 5 << 20 });
      const row = await release.asset.get({ release: id, asset_key: key });
      assert.deepEqual([row.asset.filename, Number(row.asset.size)], ['asset.bin', size]);
      const parts = [];
      for await (const part of await release.asset.download({ release: id, asset_key: key })) {
        parts.push(Buffer.from(part));
      }
      assert.ok(Buffer.concat(parts).equals(content), 'another content came back');
    }
    assert.equal((await release.asset.getAllByRelease(id)).length, 2);
    await release.asset.remove({ release: id, asset_key: 'map-1000' });
    assert.equal((await release.asset.getAllByRelease(id)).length, 1);
  });

  test('service and image', async () => {
    const fleet = await application.create({ name: 'sdk-services', deviceType: TYPE, organization: home });
    const made = await release_of(ann, fleet);
    assert.deepEqual((await service.getAllByApplication(fleet.slug)).map((s) => s.service_name), ['main']);
    const vars = service.var;
    const lists = [() => vars.getAllByService(made.service.id), () => vars.getAllByApplication(fleet.id)];
    await dependents_live(assert, vars, made.service.id, 'C', lists);
    await dependents_live(assert, vars, { application: fleet.id, service_name: 'main' }, 'D', lists);
    assert.equal((await image.get(made.image.id)).image_size, '123');
    assert.equal(await image.getLogs(made.image.id), 'built');
  });

  test('release.createFromUrl is refused without a builder', async () => {
    const fleet = await application.create({ name: 'sdk-builder', deviceType: TYPE, organization: home });
    await refused(release.createFromUrl(fleet.id, { url: 'http://127.0.0.1:1/x.tar.gz' }), /./);
  });
}
