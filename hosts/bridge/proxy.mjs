// Pushpin, which holds connections, and zurl, by which it asks, with all of their files in one directory.
import { mkdirSync, writeFileSync } from 'node:fs';
import { child } from './children.mjs';

const sockets = ['in', 'in-stream', 'out', 'req'];

export function proxy({ directory, host, port, publishPort, target }) {
  const zurl = name => `ipc://${directory}/zurl-${name}`;
  const write = (name, lines) => writeFileSync(`${directory}/${name}`, `${lines.join('\n')}\n`);
  mkdirSync(`${directory}/log`, { recursive: true });
  write('routes', [`* ${target}`]);
  write('zurl.conf', [
    '[General]', ...sockets.map(name => `${name.replace('-', '_')}_spec=${zurl(name)}`.replace('req_spec', 'in_req_spec')),
    'defpolicy=allow', 'max_open_requests=200', 'buffer_size=200000', 'timeout=600',
  ]);
  write('pushpin.conf', [
    '[global]', 'include={libdir}/internal.conf', `rundir=${directory}`, 'ipc_prefix=',
    '[runner]', 'services=condure,pushpin-proxy,pushpin-handler', `http_port=${host}:${port}`, `logdir=${directory}/log`,
    'log_level=1', 'client_buffer_size=65536', 'client_maxconn=1000',
    '[proxy]', `routesfile=${directory}/routes`, 'x_forwarded_for=truncate:0,append',
    `zurl_out_specs=${zurl('in')}`, `zurl_out_stream_specs=${zurl('in-stream')}`, `zurl_in_specs=${zurl('out')}`,
    '[handler]', `push_in_http_addr=127.0.0.1`, `push_in_http_port=${publishPort}`, 'push_in_http_max_body_size=1000000',
    `push_in_spec=ipc://${directory}/push`, `push_in_sub_specs=ipc://${directory}/push-sub`,
    `command_spec=ipc://${directory}/command`, `stats_spec=ipc://${directory}/stats`,
    'message_rate=2500', 'message_hwm=25000', 'message_wait=5000', 'id_cache_ttl=60', 'subscription_linger=60',
  ]);
  return [
    child({}, 'zurl', `--config=${directory}/zurl.conf`),
    child({}, 'pushpin', `--config=${directory}/pushpin.conf`),
  ];
}
