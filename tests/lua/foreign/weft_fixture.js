// SPDX-License-Identifier: MIT
// What tests/lua/test_foreign_node.lua calls.
'use strict';

const fs = require('node:fs');
const zlib = require('node:zlib');
const { execSync } = require('node:child_process');
const { Worker } = require('node:worker_threads');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Fixture {
  cancellations = 0;
  endless_last = 0;

  constructor(config) {
    this.settings = config;
  }

  config() { return this.settings; }
  echo(request) { return request; }
  length(request) { return request === null ? 'none' : String(request.length); }
  nothing() {}
  fail() { throw new Error('deliberate failure'); }
  wrong() { return 5; }

  fast_sleep(request) { return sleep(50).then(() => request); }

  async slow(request, { signal }) {
    await new Promise((resolve) => { signal.addEventListener('abort', resolve); });
    this.cancellations++;
  }

  async slow_later(request, call) {
    while (!call.cancelled) await sleep(5);
    this.cancellations++;
  }

  cancellations_seen() { return String(this.cancellations); }

  async later(request) {
    await sleep(20);
    return request;
  }

  async later_fail() {
    await sleep(0);
    throw new Error('deliberate failure');
  }

  * abc() { yield* 'abc'; }

  async* later_abc() {
    for (const part of 'abc') {
      await sleep(1);
      yield Buffer.from(part);
    }
  }

  * with_last() {
    yield 'a';
    return 'last';
  }

  async* later_with_last() {
    yield* this.with_last();
    return sleep(1).then(() => 'of all');
  }

  * wrong_part() {
    try {
      yield 5;
    } finally {
      this.wrong_part_closed = true;
    }
  }

  closed() { return String(this.wrong_part_closed); }

  // What a library's own promises look like.
  thenable(request) {
    return { then: (resolve) => setTimeout(() => resolve(request), 1) };
  }

  thenable_fail() {
    return { then: (resolve, reject) => reject(new Error('deliberate failure')) };
  }

  // What may be under way when a program ends.
  timers() {
    setInterval(() => fs.stat('/', () => {}), 1);
  }

  spin() {
    for (;;);
  }

  worker() {
    const busy = 'require("node:worker_threads").parentPort.postMessage(1); for (;;);';
    const worker = new Worker(busy, { eval: true });
    return new Promise((resolve) => { worker.on('message', () => resolve('up')); });
  }

  block() {
    execSync('sleep 10', { stdio: 'ignore' });
  }

  toLocaleString(request) { return `${request} by a method of its own`; }

  * digits(count) {
    for (let i = 0; i < Number(count); i++) yield String(i % 10);
  }

  * endless() {
    for (;;) yield String(++this.endless_last);
  }

  endless_made() { return String(this.endless_last); }

  * failing_abc() {
    yield 'a';
    throw new Error('deliberate failure');
  }

  time_left(request, { timeLeft }) { return timeLeft === Infinity ? 'none' : String(timeLeft / 1000); }

  // Nobody waits for the promise that fails here.
  stray_rejection() {
    Promise.reject(new Error('deliberate failure'));
    return new Promise(() => {});
  }

  stray_exception() {
    setTimeout(() => { throw new Error('deliberate failure'); }, 1);
    return new Promise(() => {});
  }

  exit(status) { process.exit(Number(status)); }
  kill() { process.kill(process.pid, 'SIGKILL'); }
  process() { return String(process.pid); }
  flags() { return process.execArgv.join(' '); }

  // Callbacks, as node's older functions have them.
  deflate(request) {
    return new Promise((resolve, reject) => {
      zlib.deflate(request, (error, packed) => (error ? reject(error) : resolve(packed)));
    });
  }

  inflate(request) { return zlib.inflateSync(request); }

  async get(url) {
    const response = await fetch(String(url));
    return `${response.status} ${await response.text()}`;
  }

  unload() {
    if (this.settings?.startsWith('/')) fs.writeFileSync(this.settings, 'unloaded');
  }
}

exports.init = (config) => {
  if (config === 'refuse') throw new Error('this configuration is refused');
  return new Fixture(config);
};
