// Pushpin, which holds connections, and zurl, by which it asks, with all of their files in one directory.
import { mkdtempSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { child } from './children.mjs';

// Asked for by no browser: requests for this host go to the probe.
const PROBE = 'probe.invalid';

export async function proxy({ host, port, publishPort, target }) {
  // The names of sockets have to be short.
  const directory = mkdtempSync(join(tmpdir(), 'bridge-'));
  const zurl = name => `ipc://${directory}/zurl-${name}`;
  const write = (name, lines, mode) => writeFileSync(join(directory, name), `${lines.join('\n')}\n`, { mode });
  const probe = createServer((request, response) => {
    response.writeHead(200, { 'grip-hold': 'stream', 'grip-channel': 'probe' }).end('held\n');
  });
  await new Promise(done => probe.listen(0, '127.0.0.1', done));
  mkdirSync(join(directory, 'log'));
  write('routes', [`${PROBE} 127.0.0.1:${probe.address().port}`, `* ${target}`]);
  // Each worker has connections of its own to the other programs, and one is known to have them when a request was answered.
  write('condure', ['#!/bin/sh', 'exec condure --workers=1 "$@"'], 0o700);
  write('zurl.conf', [
    '[General]', `in_spec=${zurl('in')}`, `in_stream_spec=${zurl('in-stream')}`, `out_spec=${zurl('out')}`, `in_req_spec=${zurl('req')}`,
    'defpolicy=allow', 'max_open_requests=200', 'buffer_size=200000', 'timeout=600',
  ]);
  write('pushpin.conf', [
    '[global]', 'include={libdir}/internal.conf', `rundir=${directory}`, 'ipc_prefix=',
    '[runner]', 'services=condure,pushpin-proxy,pushpin-handler', `http_port=${host}:${port}`, `logdir=${directory}/log`,
    'log_level=1', 'client_buffer_size=65536', 'client_maxconn=1000', `condure_bin=${directory}/condure`,
    '[proxy]', `routesfile=${directory}/routes`, 'x_forwarded_for=truncate:0,append',
    `zurl_out_specs=${zurl('in')}`, `zurl_out_stream_specs=${zurl('in-stream')}`, `zurl_in_specs=${zurl('out')}`,
    '[handler]', 'push_in_http_addr=127.0.0.1', `push_in_http_port=${publishPort}`, 'push_in_http_max_body_size=1000000',
    `push_in_spec=ipc://${directory}/push`, `push_in_sub_specs=ipc://${directory}/push-sub`,
    `command_spec=ipc://${directory}/command`, `stats_spec=ipc://${directory}/stats`,
    'message_rate=2500', 'message_hwm=25000', 'message_wait=5000', 'id_cache_ttl=60', 'subscription_linger=60',
  ]);
  const children = [
    child({}, 'zurl', `--config=${directory}/zurl.conf`),
    child({ leftovers: directory }, 'pushpin', `--config=${directory}/pushpin.conf`),
  ];
  const publish = `http://127.0.0.1:${publishPort}/publish/`;
  while (!await holds(host, port, publish)) await new Promise(done => { setTimeout(done, 20); });
  probe.close();
  return { children, publish };
}

// Whether a stream is held and ended. While its parts do not know each other yet, a proxy loses what they tell each other.
function holds(host, port, publish) {
  return new Promise(done => {
    const request = get({ host, port, headers: { host: PROBE }, agent: false, timeout: 500 }, response => {
      response.on('data', () => fetch(publish, {
        method: 'POST', body: JSON.stringify({ items: [{ channel: 'probe', formats: { 'http-stream': { action: 'close' } } }] }),
      }).catch(() => done(false)));
      response.on('end', () => done(response.statusCode === 200)).on('error', () => done(false));
    });
    request.on('timeout', () => request.destroy()).on('error', () => done(false));
  });
}
