#!/usr/bin/env node
// Stands in for the compose parser of @balena/compose-parser, a separate program that its installer takes from a release page. Where only packages
// can be had, the CLI reads no compose file without one. Same arguments and output for the part of the format that the suite's projects use:
// `-f FILE ... PROJECT` in, one JSON object of normalised services, networks and volumes out. What it does not know, it refuses.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';

const require = createRequire(import.meta.url);
const yaml = require('js-yaml');

const known = new Set(['build', 'image', 'command', 'environment', 'labels', 'networks', 'volumes', 'ports', 'restart',
  'privileged', 'depends_on', 'tty', 'network_mode']);

function refuse(text) {
  process.stderr.write(`${JSON.stringify({ error: true, name: 'ParseError', message: text })}\n`);
  process.exit(1);
}

function pairs(value) {
  if (!Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value ?? {}).map(([k, v]) => [k, v === null ? null : String(v)]));
  }
  return Object.fromEntries(value.map((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
  }));
}

function port(text) {
  const [published, target] = String(text).split(':');
  return { mode: 'ingress', target: Number(target ?? published), protocol: 'tcp', ...(target && { published }) };
}

function mount(text) {
  const [source, target] = text.split(':');
  return { type: source.startsWith('/') ? 'bind' : 'volume', source, target, ...(source.startsWith('/') ? {} : { volume: {} }) };
}

function service(name, raw, folder) {
  const out = { ...raw };
  for (const key of Object.keys(raw)) {
    if (!known.has(key)) {
      refuse(`services.${name}: this stand-in does not know "${key}"`);
    }
  }
  if (raw.build !== undefined) {
    const build = typeof raw.build === 'string' ? { context: raw.build } : { ...raw.build };
    out.build = { dockerfile: 'Dockerfile', ...build, context: resolve(folder, build.context ?? '.') };
  }
  if (typeof raw.command === 'string') {
    out.command = ['/bin/sh', '-c', raw.command];
  }
  for (const key of ['environment', 'labels']) {
    if (raw[key]) {
      out[key] = pairs(raw[key]);
    }
  }
  if (raw.ports) {
    out.ports = raw.ports.map(port);
  }
  if (raw.volumes) {
    out.volumes = raw.volumes.map(mount);
  }
  if (Array.isArray(raw.depends_on)) {
    out.depends_on = Object.fromEntries(raw.depends_on.map((n) => [n, { condition: 'service_started', required: true }]));
  }
  if (!raw.network_mode) {
    out.networks = Array.isArray(raw.networks) ? Object.fromEntries(raw.networks.map((n) => [n, null]))
      : raw.networks ?? { default: null };
  }
  return out;
}

const files = [];
const rest = [];
for (let i = 2; i < process.argv.length; i += 1) {
  if (process.argv[i] === '-f') {
    i += 1;
    files.push(process.argv[i]);
  } else {
    rest.push(process.argv[i]);
  }
}
if (files.length !== 1 || rest.length !== 1) {
  refuse('this stand-in takes one compose file and a project name');
}
const document = yaml.load(readFileSync(files[0], 'utf8'));
const folder = dirname(resolve(files[0]));
const project = rest[0];
const named = (map) => Object.fromEntries(Object.entries(map ?? {}).map(([name, raw]) => [name, { name: `${project}_${name}`, ...raw }]));
const result = {
  name: project,
  services: Object.fromEntries(Object.entries(document.services ?? {}).map(([name, raw]) => [name, service(name, raw, folder)])),
  networks: { ...named(document.networks), default: { name: `${project}_default`, ipam: {} } },
};
if (document.volumes) {
  result.volumes = named(document.volumes);
}
process.stdout.write(JSON.stringify(result));
