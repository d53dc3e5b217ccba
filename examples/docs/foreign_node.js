// SPDX-License-Identifier: MIT
const zlib = require('node:zlib');
const { promisify } = require('node:util');
const sleep = promisify(setTimeout);

exports.init = (config) => ({
  greet: (request) => `${config}, ${request}`,

  gzip: promisify((request, call, done) => zlib.gzip(request, done)),

  async* words(request) {                      // the answer comes in parts
    for (const word of String(request).split(' ')) {
      await sleep(1);
      yield word;
    }
  },

  async later(request) {
    await sleep(10);
    return String(request).toUpperCase();
  },

  patient: (request, { signal }) => new Promise((resolve) => {
    signal.addEventListener('abort', resolve); // nobody waits any more
  }),

  unload() {},                                 // when rt:unload() has drained
});
