// Calls the methods of balena-sdk against a server and checks what they answer (balena-api.md 4.13).
// Usage: sdk_suite.mjs SCENE.json [base|online] [ONLY]. The scene names the server, two users and, for `online`, a device that answers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { methods_of, recorded, report, run } from './sdk_recorder.mjs';
import * as accounts from './sdk_accounts.mjs';
import * as devices from './sdk_devices.mjs';
import * as fleets from './sdk_fleets.mjs';
import * as online from './sdk_online.mjs';
import * as people from './sdk_people.mjs';

const [, , scene_file, section = 'base', only = ''] = process.argv;
const scene = JSON.parse(readFileSync(scene_file, 'utf8'));
const require = createRequire(join(scene.clients, 'package.json'));
const { getSdk } = require('balena-sdk');
const folder = mkdtempSync(join(tmpdir(), 'slipway-sdk-'));

/** A client of its own, signed in as `person` unless that is left out. */
async function client(person) {
  const sdk = getSdk({ apiUrl: scene.apiUrl, dataDirectory: mkdtempSync(join(folder, 'data-')) });
  const view = recorded(sdk);
  if (person) {
    await view.auth.login({ email: person.email, password: person.password });
  }
  return view;
}

// What Slipway does not offer, or what never leaves the client.
const not_ours = [
  [/^models\.billing\./, 'payment to the hosted service'],
  [/^models\.creditBundle\./, 'payment to the hosted service'],
  [/\._[A-Za-z]+$/, 'private to the SDK'],
];

const ours = methods_of(getSdk({ apiUrl: scene.apiUrl, dataDirectory: false }).auth, 'auth')
  .concat(methods_of(getSdk({ apiUrl: scene.apiUrl, dataDirectory: false }).models, 'models'))
  .concat(['logs.history', 'logs.subscribe'])
  .filter((path) => !not_ours.some(([pattern]) => pattern.test(path)));

const parts = section === 'online' ? [online] : [accounts, fleets, devices, people];
const world = { scene, client, require, folder, assert };
for (const part of parts) {
  await part.define(world);
}
const failed = await run(only);
const wanted = ours.filter((path) => online.methods.includes(path) === (section === 'online'));
const missing = only ? [] : report(wanted);
rmSync(folder, { recursive: true });
console.log(`${wanted.length} methods, ${missing.length} not called, ${failed} cases failed`);
// Streams that a failed case left open must not keep the program.
process.exit(failed + missing.length > 0 ? 1 : 0);
