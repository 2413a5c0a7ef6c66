// The bridged component in `wasmtime serve`, on an address of this machine.
import { createServer } from 'node:net';
import { child } from './children.mjs';

const component = process.env.BRIDGED ?? new URL('../../target/bridge/bridged.wasm', import.meta.url).pathname;
// One instance, which stays: it has the answers that are being made in memory. With more threads than one, Wasmtime may take a
// request to another instance before it knows that the first is free again.
const ONE = ['--max-concurrent-requests', '1', '--max-instance-reuse-count', '1000000000', '--idle-instance-timeout', '1000000000s'];

// Gives the port, or one that is free for 0; of one that is taken nothing.
export const free = (port, host = '127.0.0.1') => new Promise(done => {
  const server = createServer().once('error', () => done(undefined));
  server.listen(port, host, () => { const { port } = server.address(); server.close(() => done(port)); });
});

// `env` is what is secret, `settings` what anybody may see among a program's arguments; a shell passes on no name with a dot.
export function plugin({ address, directory, env, settings, one = true }) {
  return child({ env: { ...env, TOKIO_WORKER_THREADS: '1' } }, process.env.WASMTIME ?? 'wasmtime', 'serve', '-Scli',
    '--addr', address, '--dir', `${directory}::/`, ...(one ? ONE : []),
    ...Object.keys(env).flatMap(name => ['--env', name]),
    ...Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]), component);
}

export async function answers(url) {
  while (!await fetch(url).then(response => response.ok, () => false)) await new Promise(done => { setTimeout(done, 20); });
}
