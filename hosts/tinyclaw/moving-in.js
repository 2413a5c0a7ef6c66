// Whoever used the original is still signed in, and nothing of the agent's own files is in reach: `bun moving-in.js`.
import { Database } from 'bun:sqlite';
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { free } from '../port.mjs';
import { fenced } from './fence.js';
import plugin from './index.js';

const dataDir = mkdtempSync(join(tmpdir(), 'friends-chat-'));
const directory = join(dataDir, 'data');
mkdirSync(directory);
writeFileSync(join(directory, 'agent.db'), 'the agent\'s own');
const token = '0123456789abcdef'.repeat(2);
const database = new Database(join(directory, 'friends.db'));
database.run(`CREATE TABLE friends (username TEXT PRIMARY KEY, nickname TEXT NOT NULL, invite_code TEXT UNIQUE,
  session_token TEXT UNIQUE, created_at INTEGER, last_seen INTEGER)`);
database.run('INSERT INTO friends VALUES (?, ?, NULL, ?, ?, ?)', ['john', 'John Doe', token, Date.now(), Date.now()]);
database.close();
const port = await free(0);
const settings = { dataDir, 'channels.friends.port': port };
const configManager = { get: key => settings[key] };

const steps = {
  async 'tools before the start'() {
    const [list] = plugin.getPairingTools({}, configManager).filter(tool => tool.name === 'friends_chat_list');
    assert.match(await list.execute({}), /john/);
  },
  async 'still signed in'() {
    await plugin.start({ configManager, enqueue: async (_user, message) => message });
    const headers = { cookie: `tc_friend_session=${token}` };
    const status = await (await fetch(`http://127.0.0.1:${port}/api/auth/status`, { headers })).json();
    assert.deepEqual([status.authenticated, status.nickname], [true, 'John Doe']);
  },
  async 'a second start fails'() {
    await assert.rejects(plugin.start({ configManager }));
  },
  async 'stopped and started again'() {
    await plugin.stop();
    await plugin.stop();
    await assert.rejects(plugin.sendToUser('friend:john', { content: 'hello', source: 'agent', priority: 'normal' }));
    await plugin.start({ configManager, enqueue: async (_user, message) => message });
    await plugin.sendToUser('friend:john', { content: 'hello', source: 'agent', priority: 'soon' });
    await plugin.stop();
  },
  async 'a fence'() {
    const preopens = Object.entries(fenced(directory, /^friends\.db[^/]*$/)).find(([name]) => name.startsWith('wasi:filesystem/preopens'))[1];
    const [[files]] = preopens.getDirectories();
    for (const name of ['agent.db', '../data/agent.db', 'friends.db/../agent.db']) {
      assert.throws(() => files.openAt({}, name, {}, { read: true }), error => error === 'not-permitted');
    }
    assert.throws(() => files.readDirectory(), error => error === 'not-permitted');
    files.openAt({}, 'friends.db', {}, { read: true });
  },
};
let passed = 0, failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message ?? error}`);
  }
}
rmSync(dataDir, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
