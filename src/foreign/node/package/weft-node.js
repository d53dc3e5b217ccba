// SPDX-License-Identifier: MIT
// What the node of a runtime runs: frames come in on a socket (frames.hpp), the user's module answers.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const net = require('node:net');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const START = 0, CALL = 1, CANCEL = 2, MORE = 3, END = 4, STARTED = 5, ANSWER = 6, PART = 7, HOLD = 8;
const FAILED = 1; // the status of an exception
const HEADER = 13; // length, kind, task
const PARTS_AHEAD = 32; // then the reader is asked

const socket = new net.Socket({ fd: globalThis.weftSocket ?? 3 }); // the embedded node is told which
const context = new AsyncLocalStorage();
const requests = new Map(); // by task
let target = null;
let ending = false;

// ---------------------------------------------------------------- frames

let outgoing = [];

function send(kind, task, ...parts) {
  const body = parts.reduce((n, p) => n + p.length, 0);
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32LE(HEADER - 4 + body, 0);
  header.writeUInt8(kind, 4);
  header.writeBigUInt64LE(task, 5);
  if (outgoing.length === 0) setImmediate(flush);
  outgoing.push(header, ...parts);
}

function flush(done) {
  const all = outgoing;
  outgoing = [];
  socket.write(Buffer.concat(all), done);
}

function sendAnswer(task, status, bytes) {
  const head = Buffer.allocUnsafe(5);
  head.writeInt32LE(status, 0);
  head.writeUInt8(bytes ? 1 : 0, 4);
  send(ANSWER, task, head, bytes ?? Buffer.alloc(0));
}

let chunks = [];
let buffered = 0;
let wanted = 4;

socket.on('data', (chunk) => {
  chunks.push(chunk);
  buffered += chunk.length;
  if (buffered < wanted) return;
  let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
  while (bytes.length >= 4) {
    wanted = 4 + bytes.readUInt32LE(0);
    if (bytes.length < wanted) break;
    receive(bytes.readUInt8(4), bytes.readBigUInt64LE(5), bytes.subarray(HEADER, wanted));
    bytes = bytes.subarray(wanted);
    wanted = 4;
  }
  chunks = bytes.length > 0 ? [bytes] : [];
  buffered = bytes.length;
});

// The host has gone.
socket.on('close', () => process.exit(0));
socket.on('error', () => process.exit(0));

function receive(kind, task, body) {
  if (kind === CALL) call(task, body);
  else if (kind === CANCEL) requests.get(task)?.cancel();
  else if (kind === MORE) requests.get(task)?.more();
  else if (kind === START) start(body.toString());
  else if (kind === END) {
    ending = true;
    endWhenIdle();
  }
}

// ---------------------------------------------------------------- the user's module

function settingsOf(text) {
  const settings = {};
  for (const line of text.split('\n').slice(1)) {
    const at = line.indexOf('=');
    if (at < 0) continue;
    const bytes = line.slice(at + 1).replace(/%(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    (settings[line.slice(0, at)] ??= []).push(bytes);
  }
  return settings;
}

// A package or a built-in module, else a file.
function resolve(name, folders) {
  try {
    return require.resolve(name, { paths: folders });
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return require.resolve(path.resolve(name));
  }
}

async function start(text) {
  try {
    const settings = settingsOf(text);
    const folders = [...(settings.path ?? []).map((p) => path.resolve(p)), process.cwd()];
    const name = settings.module[0];
    const file = resolve(name, folders);
    const module = await import(path.isAbsolute(file) ? pathToFileURL(file) : file);
    // A CommonJS module's exports are its default export.
    const plain = module.default !== undefined && typeof module.default === 'object' ? module.default : module;
    const made = await (module.init ?? plain.init)?.(settings.config?.[0] ?? null);
    target = { function: settings.function?.[0], name, places: [made, module, plain].filter(Boolean) };
    send(STARTED, 0n);
  } catch (error) {
    send(STARTED, 0n, Buffer.from(textOf(error)));
  }
}

// What every object has it was not made for.
function serves(place, name) {
  if (typeof place[name] !== 'function' || name === 'constructor') return false;
  return place[name] !== Object.prototype[name] && place[name] !== Function.prototype[name];
}

function find(name) {
  const wanted = target.function ?? name;
  const place = target.places.find((p) => serves(p, wanted));
  if (!place || wanted.startsWith('_')) throw new TypeError(`${target.name} has no function ${wanted}`);
  return place[wanted].bind(place);
}

function textOf(error) {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack ?? String(error)).split('\n');
  return lines.filter((l) => !l.includes(__filename) && !/^ +at .*\bnode:/.test(l)).join('\n');
}

function bytesOf(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`a function returned ${typeof value}; weft takes strings, buffers or nothing`);
}

// ---------------------------------------------------------------- requests

// The second argument of the user's functions.
class Request {
  #task;
  #controller = null;
  #cancelled = false;
  #sent = 0;
  #wake = null;
  #deadline;

  constructor(task, left) {
    this.#task = task;
    this.#deadline = left < 0n ? Infinity : performance.now() + Number(left) / 1e6;
  }

  /** True once nobody waits for the answer any more. */
  get cancelled() {
    return this.#cancelled;
  }

  /** An AbortSignal: aborted when that happens. */
  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Milliseconds until the caller gives up; Infinity when it waits for ever. */
  get timeLeft() {
    return Math.max(0, this.#deadline - performance.now());
  }

  cancel() {
    this.#cancelled = true;
    this.#controller?.abort();
    this.more();
  }

  more() {
    this.#wake?.();
    this.#wake = null;
  }

  answer(result) {
    const bytes = bytesOf(result);
    if (requests.delete(this.#task)) sendAnswer(this.#task, 0, bytes);
    endWhenIdle();
  }

  fail(error) {
    if (requests.delete(this.#task)) sendAnswer(this.#task, FAILED, Buffer.from(textOf(error)));
    endWhenIdle();
  }

  /** What the iterator returns at its end. */
  async stream(parts) {
    const iterator = parts[Symbol.asyncIterator]?.() ?? parts[Symbol.iterator]();
    let left = false; // before its end
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (done) return await value;
        left = true;
        if (this.#cancelled) return null;
        await this.#part(await value);
        left = false;
      }
    } finally {
      if (left) await iterator.return?.();
    }
  }

  async #part(value) {
    send(PART, this.#task, bytesOf(value) ?? Buffer.alloc(0));
    if (++this.#sent % PARTS_AHEAD !== 0) return;
    send(HOLD, this.#task);
    await new Promise((resolve) => { this.#wake = resolve; });
  }
}

function isStream(value) {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

function isThenable(value) {
  return value !== null && (typeof value === 'object' || typeof value === 'function') && typeof value.then === 'function';
}

async function settle(request, result) {
  try {
    const value = await result;
    if (isStream(value)) request.answer(await request.stream(value));
    else request.answer(value);
  } catch (error) {
    request.fail(error);
  }
}

function call(task, body) {
  const left = body.readBigInt64LE(0);
  const there = body.readUInt8(8) === 1;
  const end = 13 + body.readUInt32LE(9);
  const request = new Request(task, left);
  requests.set(task, request);
  context.run(request, () => {
    try {
      const result = find(body.toString('utf8', 13, end))(there ? body.subarray(end) : null, request);
      if (isThenable(result) || isStream(result)) settle(request, result);
      else request.answer(result);
    } catch (error) {
      request.fail(error);
    }
  });
}

function endWhenIdle() {
  if (ending && requests.size === 0) end();
}

async function end() {
  ending = false;
  try {
    await target.places.find((p) => typeof p.unload === 'function')?.unload();
  } finally {
    flush(() => process.exit(0));
  }
}

// ---------------------------------------------------------------- what nobody caught

// It belongs to the request that it was started for, if that has not been answered.
process.on('unhandledRejection', (error) => {
  const request = context.getStore();
  if (request) request.fail(error);
  else console.error('weft: unhandled rejection:', error);
});

process.on('uncaughtException', (error) => {
  const request = context.getStore();
  if (request) return request.fail(error);
  console.error('weft: uncaught exception:', error);
  process.exit(1);
});
