// What the bridge says to a proxy and to an agent, which are played here: nothing depends on who is quicker.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, afterEach, test } from 'node:test';
import { free } from '../port.mjs';
import { answers, plugin } from './plugin.mjs';

const TOKEN = 'the token', programs = new Set();
let directory, settings, published, turns, agentStatus;

const body = async request => {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return JSON.parse(text);
};
const server = createServer(async (request, response) => {
  assert.equal(request.headers.authorization, `Bearer ${TOKEN}`);
  if (request.url === '/agent') turns.push(await body(request));
  else published.push(...(await body(request)).items);
  response.writeHead(request.url === '/agent' ? agentStatus : 200).end();
});
await new Promise(done => server.listen(0, '127.0.0.1', done));
const here = `http://127.0.0.1:${server.address().port}`;
after(() => server.close());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bridge-test-'));
  [published, turns, agentStatus] = [[], [], 202];
  mkdirSync(directory, { recursive: true });
});

async function stop(program) {
  programs.delete(program);
  const ended = new Promise(done => program.once('exit', done));
  program.stdin.end();
  await ended;
}

afterEach(async () => {
  await Promise.all([...programs].map(stop));
  rmSync(directory, { recursive: true });
});

async function start({ one = true, token = TOKEN } = {}) {
  const address = `127.0.0.1:${await free(0)}`;
  const env = { BRIDGE_TOKEN: token, BRIDGE_AGENT: `${here}/agent`, BRIDGE_PUBLISH: `${here}/publish/`, BRIDGE_INVITE_KEY: '0123456789abcdef' };
  const program = plugin({ address, directory, env, settings: { 'channels.friends.port': '3001' }, one });
  programs.add(program);
  const url = `http://${address}`;
  await answers(`${url}/api/health`);
  const post = (path, body, headers = {}) => fetch(url + path, {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
  });
  return {
    program,
    get: (path, headers) => fetch(url + path, { headers }),
    post,
    internal: (path, body) => post(`/internal/${path}`, body, { authorization: `Bearer ${TOKEN}` }),
  };
}

const invite = async (host, username) => {
  const response = await host.internal('tool', { name: 'friends_chat_invite', arguments: { username } });
  assert.equal(response.status, 200);
  return (await response.json()).text.match(/Invite code: (\S+)/)[1];
};

async function friend(host) {
  const response = await host.post('/api/auth/redeem', { code: await invite(host, 'john') });
  assert.equal(response.status, 200);
  return { cookie: response.headers.get('set-cookie').split(';')[0] };
}

const say = (host, cookie, message, stream = true, more = {}) => host.post('/api/chat', { message, stream }, { ...cookie, ...more });
const events = (host, ...events) => host.internal('events', { ticket: turns.at(-1).ticket, events });
const link = response => response.headers.get('grip-link').match(/<(.*)>/)[1];
// The latest first.
const history = async (host, cookie) => (await (await host.get('/api/history?limit=50', cookie)).json()).entries.map(entry => entry.text ?? entry.html);

test('the way back is closed without a token, and to who does not know it', async () => {
  const open = await start({ token: '' });
  assert.equal((await open.internal('nudge', {})).status, 404);
  await stop(open.program);
  const host = await start();
  assert.equal((await host.post('/internal/nudge', {})).status, 401);
  assert.equal((await host.post('/internal/nudge', {}, { authorization: 'Bearer the toke' })).status, 401);
  assert.equal((await host.internal('nudge', {})).status, 400);
  assert.equal((await host.internal('nudge', { user: 'friend:nobody', content: 'hi' })).status, 404);
  assert.equal((await host.internal('events', { ticket: 1, events: [{ type: 'started' }] })).status, 404);
});

test('who was subscribed too late is given what was published since', async () => {
  const host = await start(), cookie = await friend(host);
  const held = await say(host, cookie, 'hello');
  assert.equal(held.headers.get('grip-hold'), 'stream');
  await events(host, { type: 'started' }, { type: 'delta', text: 'one ' });
  await events(host, { type: 'delta', text: 'two' });
  const missed = await host.get(link(held)), text = await missed.text();
  assert(text.includes('one ') && text.indexOf('one ') < text.indexOf('two'), text);
  assert.equal(missed.headers.get('grip-hold'), 'stream');

  const channel = held.headers.get('grip-channel').match(/answer\/\d+/)[0];
  const items = published.filter(item => item.channel === channel);
  assert(held.headers.get('grip-channel').includes(`${channel}; prev-id=${items[0]['prev-id']}`));
  items.slice(1).forEach((item, at) => assert.equal(item['prev-id'], items[at].id));
  const rest = await host.get(link(held), { 'grip-last': `${channel}; last-id=${items[0].id}` });
  assert(!(await rest.text()).includes('one '), 'what was sent is not sent again');

  await events(host, { type: 'done' });
  const end = await host.get(link(missed));
  assert((await end.text()).includes('"done"'));
  assert.equal(end.headers.get('grip-hold'), null);
});

test('a stream about which nothing is known ends', async () => {
  const host = await start(), cookie = await friend(host);
  const held = await host.get('/api/stream', cookie);
  for (const unknown of [link(held).replace(/~[0-9a-f]{4}/, '~0000'), '/internal/missed?until=99999999999&mark=all~0']) {
    const response = await host.get(unknown);
    assert.equal(await response.text(), '');
    assert.equal(response.headers.get('grip-hold'), null);
  }
});

test('a request that is made again for its answer is no second message', async () => {
  const host = await start(), cookie = await friend(host);
  const held = await say(host, cookie, 'hello', false);
  assert.equal(held.headers.get('grip-hold'), 'response');
  const last = held.headers.get('grip-channel').replaceAll('prev-id', 'last-id');
  const early = await say(host, cookie, 'hello', false, { 'grip-last': last });
  assert.equal(early.headers.get('grip-channel'), held.headers.get('grip-channel'));
  await events(host, { type: 'delta', text: 'whole' }, { type: 'done' });
  const again = await say(host, cookie, 'hello', false, { 'grip-last': last });
  assert.deepEqual(await again.json(), { content: 'whole' });
  assert.equal(turns.length, 1);
  const stranger = await say(host, cookie, 'hello', false, { 'grip-last': 'answer/1/json; last-id=0' });
  assert.equal(stranger.status, 503);
  assert.equal(turns.length, 1);
});

test('a message that the agent does not take has failed', async () => {
  agentStatus = 500;
  const host = await start(), cookie = await friend(host);
  const held = await say(host, cookie, 'hello');
  assert((await (await host.get(link(held))).text()).includes('"error"'));
});

test('the next instance asks for an answer by the same ticket', async () => {
  const first = await start(), cookie = await friend(first);
  await say(first, cookie, 'hello');
  await stop(first.program);
  const second = await start();
  const [one, two] = turns;
  assert.equal(two.ticket, one.ticket);
  assert.equal((await events(second, { type: 'delta', text: 'late' }, { type: 'done' })).status, 200);
  assert.deepEqual(await history(second, cookie), ['late', 'hello']);
});

test('a stream goes on with the next instance', async () => {
  const first = await start(), cookie = await friend(first);
  const held = await say(first, cookie, 'hello');
  await events(first, { type: 'delta', text: 'early' });
  await stop(first.program);
  const second = await start();
  await events(second, { type: 'delta', text: 'late' }, { type: 'done' });
  const text = await (await second.get(link(held))).text();
  const pieces = ['early', '"restarted"', 'late', '"done"'].map(piece => text.indexOf(piece));
  assert.deepEqual(pieces, [...pieces].sort((a, b) => a - b), text);
  assert(!pieces.includes(-1), text);
});

test('an instance for each request keeps everything', async () => {
  const host = await start({ one: false }), cookie = await friend(host);
  const held = await say(host, cookie, 'hello');
  assert.equal((await events(host, { type: 'delta', text: 'one ' }, { type: 'delta', text: 'two' }, { type: 'done' })).status, 200);
  assert.deepEqual(await history(host, cookie), ['one two', 'hello']);
  assert((await (await host.get(link(held))).text()).includes('"done"'));
  const told = turns.length;
  await host.get('/api/health');
  assert.equal(turns.length, told, 'what is answered is not asked for again');
});

test('of two hosts on one directory each refuses what it cannot do, and nothing is lost', async () => {
  const hosts = await Promise.all([start(), start()]);
  const made = [];
  await Promise.all(hosts.map(async (host, at) => {
    for (let number = 0; number < 40; number += 1) {
      const username = `friend_${at}_${number}`;
      const response = await host.internal('tool', { name: 'friends_chat_invite', arguments: { username } });
      if (response.status === 200) made.push(username);
      else assert([500, 503].includes(response.status), `${response.status} ${await response.text()}`);
    }
  }));
  await Promise.all(hosts.map(host => stop(host.program)));
  const host = await start();
  const { text } = await (await host.internal('tool', { name: 'friends_chat_list', arguments: {} })).json();
  assert(made.length > 0);
  assert.deepEqual(made.filter(username => !text.includes(username)), []);
});
