// The bridged component in `wasmtime serve`, behind Pushpin, with an agent that answers with what it was told. Serves and takes
// lines `TOOL JSON` and `nudge USER TEXT` on its input.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { agent } from './agent.mjs';
import { child } from './children.mjs';
import { proxy } from './proxy.mjs';

const data = process.env.DATA ?? 'data', host = process.env.HOST ?? '127.0.0.1', port = Number(process.env.PORT ?? '3001');
const component = process.env.BRIDGED ?? new URL('../../target/bridge/bridged.wasm', import.meta.url).pathname;
const token = randomBytes(32).toString('hex');
const soon = () => new Promise(done => { setTimeout(done, 20); });

// Gives the port that was free; of one that is taken nothing.
const free = port => new Promise(done => {
  const server = createServer().once('error', () => done(undefined));
  server.listen(port, host, () => { const { port } = server.address(); server.close(() => done(port)); });
});

function key() {
  const file = join(data, 'invite-key');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

// After a host that was killed, what it started ends too.
while (!await free(port)) await soon();
const directory = join(data, 'plugin');
mkdirSync(directory, { recursive: true });
// Nothing runs any more that could have left it on purpose.
rmSync(join(directory, 'bridge.busy'), { force: true });
const pluginPort = await free(0), publishPort = await free(0), plugin = `127.0.0.1:${pluginPort}`;
const tell = (path, body) => fetch(`http://${plugin}/internal/${path}`, {
  method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body),
});
const { children, publish } = await proxy({ host, port, publishPort, target: plugin });
const env = {
  BRIDGE_TOKEN: token,
  BRIDGE_AGENT: await agent(token, tell),
  BRIDGE_PUBLISH: publish,
  BRIDGE_INVITE_KEY: key(),
};
// With more threads, Wasmtime may take a request to another instance before it knows that the first is free again.
const threads = { TOKIO_WORKER_THREADS: '1' };
const settings = { 'channels.friends.port': port, 'agent.name': 'Echo' };
children.push(child({ env: { ...env, ...threads } }, process.env.WASMTIME ?? 'wasmtime', 'serve', '-Scli', '--addr', plugin,
  '--dir', `${directory}::/`,
  // One instance, which stays: it has the answers that are being made in memory.
  '--max-concurrent-requests', '1', '--max-instance-reuse-count', '1000000000', '--idle-instance-timeout', '1000000000s',
  // What is secret is not among the arguments, which anybody can see; a shell does not pass on names with a dot.
  ...Object.keys(env).flatMap(name => ['--env', name]),
  ...Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]), component));
for (const program of children) program.on('exit', () => process.exit(1));

async function command(line) {
  const [, name, rest] = line.match(/^(\S+)\s*(.*)$/) ?? [];
  const [user, ...words] = rest.split(' ');
  const answer = await (name === 'nudge'
    ? tell('nudge', { user, content: words.join(' ') })
    : tell('tool', { name, arguments: JSON.parse(rest || '{}') })).then(response => response.json());
  return answer.text ?? (answer.error ? `error ${answer.error}` : `nudge ${answer.id} is kept until it is seen`);
}

const answers = url => fetch(url).then(response => response.ok, () => false);
while (!await answers(`http://${host}:${port}/api/health`)) await soon();
console.log('ready');
process.on('SIGTERM', () => process.exit()).on('SIGINT', () => process.exit());
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await command(line)));
