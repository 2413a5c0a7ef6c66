// Plays what owner and friend do against a host: `node play.mjs COMMAND…`. The host serves the address in $HOST and $PORT from the
// directory in $DATA, says `ready`, takes lines `TOOL JSON` and `nudge USER TEXT` on its input and answers each with a JSON string.
// With $WHOLE_ANSWERS its agent is one that says nothing before it has said all; with $MEASURE it says what it cost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const data = mkdtempSync(join(tmpdir(), 'friends-chat-'));
const port = await new Promise(done => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});
const env = { ...process.env, DATA: data, HOST: '127.0.0.1', PORT: String(port) };
const url = `http://127.0.0.1:${port}`;
const deadline = AbortSignal.timeout(60_000);
let host, answers, cookie;

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

function ask(path, body) {
  const headers = { ...(cookie && { cookie }), ...(body && { 'content-type': 'application/json' }) };
  return fetch(url + path, { method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal: deadline });
}

// What a stream says, until something it says fits.
async function feed(path, body) {
  const { status, body: stream } = await ask(path, body);
  assert.equal(status, 200);
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async until(fits) {
      for (;;) {
        for (let end; (end = text.indexOf('\n\n')) >= 0;) {
          const said = text.slice(0, end).split('\n').find(line => line.startsWith('data: '));
          text = text.slice(end + 2);
          if (said && fits(JSON.parse(said.slice(6)))) return JSON.parse(said.slice(6));
        }
        const { value, done } = await reader.read();
        if (done) return undefined;
        text += value;
      }
    },
  };
}

async function history() {
  const { entries } = await (await ask('/api/history?limit=50')).json();
  return entries.map(entry => entry.text ?? entry.html);
}

let code, tab;
const steps = {
  async 'invite by tool'() {
    const told = await owner('friends_chat_invite {"username":"john"}');
    code = told.match(/Invite code: (\S+)/)?.[1];
    assert(code, told);
    assert.equal((await ask('/api/history')).status, 401);
  },
  async redeem() {
    const response = await ask('/api/auth/redeem', { code });
    assert.equal(response.status, 200);
    cookie = response.headers.get('set-cookie').split(';')[0];
    const again = await fetch(`${url}/api/auth/redeem`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }),
    });
    assert.equal(again.status, 401);
  },
  async 'chat, streamed'() {
    const chat = await feed('/api/chat', { message: 'good morning to you', stream: true });
    const pieces = [];
    await chat.until(event => { if (event.type === 'text') pieces.push(event.content); return event.type === 'done'; });
    assert(pieces.length >= (process.env.WHOLE_ANSWERS ? 1 : 2) && pieces.join('').includes('good morning to you'), JSON.stringify(pieces));
  },
  async 'second tab'() {
    tab = await feed('/api/stream');
    assert(await tab.until(event => event.type === 'hello'));
    const answer = await (await ask('/api/chat', { message: 'from the other tab', stream: false })).json();
    assert(answer.content.includes('from the other tab'));
    assert(await tab.until(event => event.type === 'message'));
    assert(await tab.until(event => event.type === 'reply'));
  },
  async nudge() {
    assert.match(await owner('nudge friend:john bread is in the oven'), /^(connections 1|sent)$/);
    const nudge = await tab.until(event => event.type === 'nudge');
    assert(JSON.stringify(nudge).includes('bread is in the oven'));
  },
  async 'restart without a goodbye'() {
    const before = await history();
    await stop('SIGKILL');
    await start();
    assert.deepEqual(await history(), before);
    assert.equal((await ask('/api/health')).status, 200);
  },
  async revoke() {
    tab = await feed('/api/stream');
    await tab.until(event => event.type === 'hello');
    await owner('friends_chat_revoke {"username":"john"}');
    assert.equal(await tab.until(() => false), undefined, 'the stream ends');
    assert.equal((await ask('/api/history')).status, 401);
  },
};

// A thousand requests, eight at a time, after as many to get warm; and the most memory that was needed, where the system tells.
async function measure() {
  const requests = 1000, eight = Array.from({ length: 8 });
  let begin;
  for (const _ of ['to get warm', 'to measure']) {
    begin = performance.now();
    for (let count = 0; count < requests; count += eight.length) {
      await Promise.all(eight.map(async () => (await ask('/api/auth/status')).json()));
    }
  }
  const rate = requests * 1000 / (performance.now() - begin);
  const [, kib] = readFileSync(`/proc/${host.pid}/status`, 'utf8').match(/VmHWM:\s*(\d+)/);
  console.log(`${rate.toFixed(0)} requests/s, ${(kib / 1024).toFixed(0)} MiB`);
}

let passed = 0, failed = 0;
try {
  await start();
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
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
