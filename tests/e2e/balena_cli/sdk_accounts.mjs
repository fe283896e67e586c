// auth.*, api keys and SSH keys.
import { createHmac } from 'node:crypto';
import { refused, test } from './sdk_recorder.mjs';

const public_key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEh0bnVfYnV0X2FfdmFsaWRfa2V5X29mX3RoZV90ZXN0 sdk';

/** RFC 6238 with SHA-1, six digits and steps of 30 s, `ahead` steps from now. */
export function totp(secret, ahead = 0) {
  const bits = [...secret.replace(/[\s=]/g, '').toUpperCase()]
    .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + ahead));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1000000).padStart(6, '0');
}

export async function define({ scene, client, assert }) {
  const ann = await client(scene.ann);

  test('auth: who one is', async () => {
    const { auth } = ann;
    assert.equal(await auth.isLoggedIn(), true);
    const me = await auth.whoami();
    assert.deepEqual([me.actorType, me.actorTypeId, me.username], ['user', scene.ann.id, scene.ann.name]);
    const info = await auth.getUserInfo();
    assert.deepEqual([info.id, info.username, info.email, info.actor], [scene.ann.id, scene.ann.name, scene.ann.email, me.id]);
    assert.equal(await auth.getActorId(), me.id);
    assert.equal((await auth.getToken()).split('.').length, 3);
    assert.equal(await auth.twoFactor.isEnabled(), false);
    assert.equal(await auth.twoFactor.isPassed(), true);
  });

  test('auth: logging in and out', async () => {
    const guest = await client();
    assert.equal(await guest.auth.whoami(), undefined);
    assert.equal(await guest.auth.isLoggedIn(), false);
    await refused(guest.auth.login({ email: scene.ann.email, password: 'wrong' }), /Invalid login credentials/);
    const token = await guest.auth.authenticate({ email: scene.ann.email, password: scene.ann.password });
    await guest.auth.loginWithToken(token);
    assert.equal((await guest.auth.whoami()).username, scene.ann.name);
    await guest.auth.logout();
    assert.equal(await guest.auth.isLoggedIn(), false);
  });

  test('auth: registration is refused where the operator has not opened it', async () => {
    const guest = await client();
    await refused(guest.auth.register({ email: 'new@example.org', password: 'a long password' }), /Request error/);
    await refused(guest.auth.verifyEmail({ email: 'new@example.org', token: 'none' }), /Request error/);
    await ann.auth.requestVerificationEmail();
  });

  test('auth: two factors are set up, asked for and taken away', async () => {
    const cat = await client(scene.cat);
    const { twoFactor } = cat.auth;
    const said = await twoFactor.getSetupKey();
    const secret = /secret=([A-Z2-7]+)/i.exec(said)?.[1] ?? said;
    await refused(twoFactor.enable('000000'), /Request error|Unauthorized|Invalid/i);
    await twoFactor.enable(totp(secret));
    assert.equal(await twoFactor.isEnabled(), true);
    const again = await client(scene.cat);
    assert.equal(await again.auth.twoFactor.isPassed(), false);
    await refused(again.models.application.getAll(), /Unauthorized|Request error|logged in/i);
    await again.auth.twoFactor.challenge(totp(secret, 1));
    assert.equal(await again.auth.twoFactor.isPassed(), true);
    assert.equal((await again.auth.whoami()).username, scene.cat.name);
    await refused(again.auth.twoFactor.verify('000000'), /Request error|Unauthorized|Invalid/i);
    await again.auth.twoFactor.disable(scene.cat.password);
    assert.equal(await (await client(scene.cat)).auth.twoFactor.isEnabled(), false);
  });

  test('apiKey: made, listed, changed and revoked', async () => {
    const { apiKey } = ann.models;
    const secret = await apiKey.create({ name: 'of-the-sdk', description: 'first', expiryDate: null });
    const named = await apiKey.getAllNamedUserApiKeys();
    const mine = named.find((key) => key.name === 'of-the-sdk');
    assert.equal(mine.description, 'first');
    assert.ok((await apiKey.getAll()).some((key) => key.id === mine.id));
    await apiKey.update(mine.id, { name: 'renamed', description: null });
    assert.equal((await apiKey.getAll()).find((key) => key.id === mine.id).name, 'renamed');
    const robot = await client();
    await robot.auth.loginWithToken(secret);
    assert.equal((await robot.auth.whoami()).username, scene.ann.name);
    await apiKey.revoke(mine.id);
    assert.equal(await robot.auth.isLoggedIn(), false);
  });

  test('key: added, read and removed', async () => {
    const { key } = ann.models;
    const made = await key.create('sdk', public_key);
    assert.equal((await key.get(made.id)).public_key.trim(), public_key);
    assert.deepEqual((await key.getAll()).map((k) => k.title), ['sdk']);
    await key.remove(made.id);
    assert.deepEqual(await key.getAll(), []);
  });
}
