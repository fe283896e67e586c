// A view of an SDK that remembers which of its methods were called and how they ended, and the cases that call them.
import assert from 'node:assert/strict';

const calls = new Map();   // path of a method -> {ok, failed}
const cases = [];

/** A view of `object` whose functions note each call under their path; the SDK's own calls of itself are not noted. */
export function recorded(object, path = '') {
  return new Proxy(object, {
    get(target, key) {
      const value = target[key];
      const at = path ? `${path}.${String(key)}` : String(key);
      if (typeof value === 'function') {
        return (...given) => note(at, () => value.apply(target, given));
      }
      return value !== null && typeof value === 'object' && !Array.isArray(value) ? recorded(value, at) : value;
    },
  });
}

function note(path, call) {
  const entry = calls.get(path) ?? { ok: 0, failed: 0 };
  calls.set(path, entry);
  const good = (value) => {
    entry.ok += 1;
    return value;
  };
  const bad = (error) => {
    entry.failed += 1;
    throw error;
  };
  try {
    const result = call();
    return result instanceof Promise ? result.then(good, bad) : good(result);
  } catch (error) {
    return bad(error);
  }
}

/** The paths of all functions below `object`. */
export function methods_of(object, path, seen = new Set()) {
  if (object === null || seen.has(object)) {
    return [];
  }
  seen.add(object);
  return Object.keys(object).flatMap((key) => {
    const value = object[key];
    const at = `${path}.${key}`;
    if (typeof value === 'function') {
      return [at];
    }
    return typeof value === 'object' && !Array.isArray(value) ? methods_of(value, at, seen) : [];
  });
}

export function test(name, body) {
  cases.push({ name, body });
}

/** A call that must fail with these words. */
export async function refused(promise, words) {
  await assert.rejects(promise, (error) => {
    assert.match(String(error.message), words);
    return true;
  });
}

/** Runs the cases whose name holds `only`, in order; answers how many failed. */
export async function run(only) {
  const chosen = cases.filter((c) => c.name.includes(only));
  assert.ok(chosen.length > 0, `no case is named ${only}`);
  let failed = 0;
  for (const { name, body } of chosen) {
    try {
      await body();
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}\n${error.stack}`);
    }
  }
  return failed;
}

/** Prints a line per method and answers those of `wanted` that were never called, or never with the end they promise. */
export function report(wanted) {
  const missing = [];
  for (const path of wanted) {
    const entry = calls.get(path);
    console.log(`${entry ? 'ok  ' : 'none'} ${path} ${entry ? `${entry.ok} answered, ${entry.failed} refused` : 'was not called'}`);
    if (!entry) {
      missing.push(path);
    }
  }
  return missing;
}
