// Plays what owner and friend do, as `scenario.json` has it, against a host: `node play.mjs COMMAND…`. The host serves the address in
// $HOST and $PORT from the directory in $DATA, says `ready`, takes lines `TOOL JSON` and `nudge USER TEXT` on its input and answers
// each with a JSON string. With $WHOLE_ANSWERS its agent is one that says nothing before it has said all; with $MEASURE it says
// what it cost, with so many $CLIENTS, or eight.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { free } from './port.mjs';

const scenario = JSON.parse(readFileSync(new URL('scenario.json', import.meta.url)));
const data = mkdtempSync(join(tmpdir(), 'friends-chat-'));
const port = await free(0);
const env = { ...process.env, DATA: data, HOST: '127.0.0.1', PORT: String(port) };
const url = `http://127.0.0.1:${port}`;
const deadline = AbortSignal.timeout(60_000);
const known = {}, streams = {};
let host, answers;

async function start() {
  host = spawn(process.argv[2], process.argv.slice(3), { env, stdio: ['pipe', 'pipe', 'ignore'] });
  answers = createInterface({ input: host.stdout })[Symbol.asyncIterator]();
  const { value } = await answers.next();
  assert.equal(value, 'ready');
}

async function stop(signal) {
  const ended = new Promise(done => host.once('exit', done));
  host.kill(signal);
  await ended;
}

async function owner(line) {
  host.stdin.write(`${line}\n`);
  const { value, done } = await answers.next();
  assert(!done, 'the host has ended');
  return JSON.parse(value);
}

function ask(path, body, cookie = known.cookie) {
  const headers = { ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) };
  return fetch(url + path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal: deadline });
}

// The events of a stream, in turn.
async function* events(stream) {
  let text = '';
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const line = text.slice(0, end).split('\n').find(line => line.startsWith('data: '));
      if (line) yield JSON.parse(line.slice(6));
    }
  }
}

// What a step says may name what an earlier one has found.
const filled = value => JSON.parse(JSON.stringify(value), (_, text) => typeof text === 'string' ? known[text.match(/^\{(\w+)\}$/)?.[1]] ?? text : text);

function says(text, step) {
  if (!('says' in step)) return;
  const expected = filled(step.says);
  if (expected !== step.says) return assert.equal(text, expected);
  const found = text.match(new RegExp(expected, 's'));
  assert(found, text);
  Object.assign(known, found.groups);
}

const kinds = {
  async tool(step) { says(await owner(`${step.tool} ${JSON.stringify(step.arguments)}`), step); },
  async nudge(step) { assert.doesNotMatch(await owner(`nudge ${step.nudge} ${step.text}`), /^error/); },
  async restart() { await stop('SIGKILL'); await start(); },
  get: request,
  post: request,
  async stream(step) {
    let pieces = [];
    for (;;) {
      const { value: event, done } = await streams[step.stream].next();
      if (done) return assert.equal(step.until, 'end', 'the stream has ended');
      if (event.type === 'text') pieces.push(event.content);
      if (Object.entries(step.until).every(([key, value]) => event[key] === value)) break;
    }
    if (!step.text) return;
    assert(pieces.join('').includes(step.text), JSON.stringify(pieces));
    assert(pieces.length > 1 || process.env.WHOLE_ANSWERS, 'the answer came as a whole');
  },
};

async function request(step) {
  const response = await ask(step.get ?? step.post, step.body && filled(step.body), step.without === 'cookie' ? '' : known.cookie);
  assert.equal(response.status, step.status ?? 200);
  if (step.keeps === 'cookie') known.cookie = response.headers.get('set-cookie').split(';')[0];
  if (step.opens) streams[step.opens] = events(response.body);
  else says(await response.text(), step);
}

// A thousand requests, eight at a time, after as many to get warm; and the most memory that was needed, where the system tells.
async function measure() {
  const clients = Array.from({ length: Number(process.env.CLIENTS ?? 8) });
  let rate;
  for (const seconds of [1, 2]) {
    const begin = performance.now(), end = begin + seconds * 1000;
    let count = 0;
    await Promise.all(clients.map(async () => {
      for (; performance.now() < end; count += 1) await (await ask('/api/auth/status')).json();
    }));
    rate = count * 1000 / (performance.now() - begin);
  }
  console.log(`${rate.toFixed(0)} requests/s, ${(kib(host.pid) / 1024).toFixed(0)} MiB`);
}

// The most memory that a process has had, and those that it has started.
function kib(pid) {
  const [, own] = readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmHWM:\s*(\d+)/);
  const started = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? [];
  return started.reduce((sum, pid) => sum + kib(pid), Number(own));
}

let passed = 0, failed = 0;
try {
  await start();
  for (const { name, steps } of scenario) {
    try {
      for (const step of steps) await kinds[Object.keys(step)[0]](step);
      passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.message}`);
      break;
    }
  }
  if (process.env.MEASURE && !failed) await measure();
  await stop('SIGTERM');
} finally {
  host.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
