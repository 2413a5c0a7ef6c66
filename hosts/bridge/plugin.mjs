// The bridged component in a host that knows only wasi:http, on an address of this machine.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { child } from './children.mjs';

const component = process.env.BRIDGED ?? new URL('../../target/bridge/bridged.wasm', import.meta.url).pathname;
// One instance, which stays: it has the answers that are being made in memory. With more threads than one, Wasmtime may take a
// request to another instance before it knows that the first is free again.
const ONE = ['--max-concurrent-requests', '1', '--max-instance-reuse-count', '1000000000', '--idle-instance-timeout', '1000000000s'];

// In `wasmtime serve`. `env` is what is secret, `settings` what anybody may see among a program's arguments; a shell passes on no name with a dot.
export function plugin({ address, directory, env, settings, one = true }) {
  return child({ env: { ...env, TOKIO_WORKER_THREADS: '1' } }, process.env.WASMTIME ?? 'wasmtime', 'serve', '-Scli',
    '--addr', address, '--dir', `${directory}::/`, ...(one ? ONE : []),
    ...Object.keys(env).flatMap(name => ['--env', name]),
    ...Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]), component);
}

// In wasmCloud, whose `wash dev` makes an instance for each request.
export function inWasmCloud({ address, directory, env, settings }) {
  const project = mkdtempSync(join(tmpdir(), 'bridge-wash-'));
  mkdirSync(join(project, '.wash'));
  const config = {
    build: { command: 'true', component_path: component },
    workload: { environment: { config: { ...env, ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])) } } },
    dev: { address, volumes: [{ host_path: directory, guest_path: '/' }] },
  };
  writeFileSync(join(project, '.wash', 'config.json'), JSON.stringify(config), { mode: 0o600 });
  return child({ leftovers: project }, process.env.WASH ?? 'wash', '-C', project, '--non-interactive', '--log-level', 'error', 'dev');
}

export async function answers(url) {
  while (!await fetch(url).then(response => response.ok, () => false)) await new Promise(done => { setTimeout(done, 20); });
}
