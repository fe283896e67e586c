// Loaded before the CLI where it works on image files: stands in for the compiled modules that list, unmount and write real drives, which
// installing without scripts does not build. Whoever called one would fail, as a test should.
'use strict';

const Module = require('node:module');

const drives = new Set(['drivelist', 'mountutils', '@ronomon/direct-io']);
const load = Module._load;
Module._load = function (request, ...rest) {
  return drives.has(request) ? {} : load.call(this, request, ...rest);
};
