// The bridged component behind Pushpin, with an agent that answers with what it was told. Serves and takes lines `TOOL JSON` and
// `nudge USER TEXT` on its input. `serve.mjs wasmcloud` does it there, and without it is Wasmtime's.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { agent } from './agent.mjs';
import { free } from '../port.mjs';
import { answers, inWasmCloud, plugin } from './plugin.mjs';
import { proxy } from './proxy.mjs';

const data = process.env.DATA ?? 'data', host = process.env.HOST ?? '127.0.0.1', port = Number(process.env.PORT ?? '3001');
const directory = join(data, 'plugin'), keyFile = join(data, 'invite-key');
const token = randomBytes(32).toString('hex');
const isWasmCloud = process.argv[2] === 'wasmcloud';

// After a host that was killed, what it started ends too.
while (!await free(port, host)) await new Promise(done => { setTimeout(done, 20); });
mkdirSync(directory, { recursive: true });
// Nothing runs any more that could have left it on purpose.
rmSync(join(directory, 'bridge.busy'), { force: true });
if (!existsSync(keyFile)) writeFileSync(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });

const address = `127.0.0.1:${await free(0)}`;
const tell = (path, body) => fetch(`http://${address}/internal/${path}`, {
  method: 'POST', headers: { authorization: `Bearer ${token}` }, body: JSON.stringify(body),
});
const { children, publish } = await proxy({ host, port, publishPort: await free(0), target: address });
const env = {
  BRIDGE_TOKEN: token,
  BRIDGE_AGENT: await agent(token, tell, { whole: isWasmCloud }),
  BRIDGE_PUBLISH: publish,
  BRIDGE_INVITE_KEY: readFileSync(keyFile, 'utf8'),
};
const terms = { address, directory: resolve(directory), env, settings: { 'channels.friends.port': port, 'agent.name': 'Echo' } };
children.push(isWasmCloud ? inWasmCloud(terms) : plugin(terms));
for (const program of children) program.on('exit', () => process.exit(1));

async function command(line) {
  const [, name, rest] = line.match(/^(\S+)\s*(.*)$/) ?? [];
  const [user, ...words] = rest.split(' ');
  const answer = await (name === 'nudge'
    ? tell('nudge', { user, content: words.join(' ') })
    : tell('tool', { name, arguments: JSON.parse(rest || '{}') })).then(response => response.json());
  return answer.text ?? (answer.error ? `error ${answer.error}` : `nudge ${answer.id} is kept until it is seen`);
}

await answers(`http://${host}:${port}/api/health`);
console.log('ready');
process.on('SIGTERM', () => process.exit()).on('SIGINT', () => process.exit());
for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await command(line)));
