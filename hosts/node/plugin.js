// The plugin in a JavaScript program: one instance, its imports, and its HTTP.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { instantiate } from './generated/friends-chat.js';

const MAX_BODY = 256 * 1024;
const MAX_UNREAD = 1024 * 1024;
const refuse = payload => { throw { payload }; };
const module = file => new WebAssembly.Module(readFileSync(new URL(`generated/${file}`, import.meta.url)));

const shim = directory => new WASIShim({ sandbox: { preopens: { '/': directory }, env: {}, args: [] } }).getImportObject();

// `setting(key)` gives a text or nothing; `agent(user, message)` gives the pieces of an answer.
export function load({ directory, keyFile, setting, agent, log = console.error, wasi = () => shim(directory) }) {
  const held = new Set(), turns = new Map(), lines = new Map(), modules = new Map();
  let effects = [], tickets = 0n, instance;
  const on = topic => [...held].filter(connection => connection.topics.includes(topic));
  const later = (topic, effect) => {
    effects.push(() => on(topic).forEach(effect));
    return on(topic).length;
  };

  async function answer(ticket, user, message) {
    const tell = (tag, val) => turns.has(ticket) && call('channel', 'onAgentEvent', ticket, { tag, val });
    try {
      tell('started');
      for await (const piece of agent(user, message)) {
        // Given up, or its plugin has been started anew: nobody waits for the rest.
        if (!turns.has(ticket)) return;
        tell('delta', piece);
      }
      tell('done');
    } catch (error) {
      // The plugin is told of the agent's failure; one of its own has been dealt with by `call`.
      if (turns.has(ticket) && error?.payload === undefined) tell('failed', String(error));
    } finally {
      turns.delete(ticket);
    }
  }

  const imports = {
    'tinyclaw:plugin/agent': {
      enqueue(user, message) {
        const ticket = ++tickets;
        turns.set(ticket, user);
        effects.push(() => {
          const turn = (lines.get(user) ?? Promise.resolve()).then(() => turns.has(ticket) && answer(ticket, user, message))
            .catch(error => log(`agent: ${error}`)).finally(() => lines.get(user) === turn && lines.delete(user));
          lines.set(user, turn);
        });
        return ticket;
      },
      cancel: ticket => { effects.push(() => turns.delete(ticket)); },
    },
    'tinyclaw:plugin/push': {
      publish: (topic, frame) => later(topic, connection => connection.write(frame)),
      listeners: topic => on(topic).length,
      respond: (topic, response) => later(topic, connection => connection.respond(response)),
      close: topic => later(topic, connection => connection.close()),
    },
    'tinyclaw:plugin/memory': { introduce() {}, notes: () => [], forget: () => refuse({ tag: 'unknown-note' }) },
    'tinyclaw:plugin/web-push': {
      publicKey: () => undefined, check: () => refuse({ tag: 'unavailable' }), send: () => refuse({ tag: 'unavailable' }), cancel() {},
    },
    'tinyclaw:plugin/commits': { mayWait: () => false },
    'tinyclaw:plugin/secrets': { get: name => name === 'invite-key' ? readFileSync(keyFile) : refuse({ tag: 'not-granted' }) },
    'wasi:config/store': { get: setting, getAll: () => [] },
    'wasi:logging/logging': { log: (level, context, message) => log(`${level} ${context}: ${message}`) },
  };

  function open() {
    const core = file => modules.get(file) ?? modules.set(file, module(file)).get(file);
    instance = instantiate(core, { ...wasi(), ...imports });
  }

  // What the call asked for is carried out when it has returned, and not at all where it trapped.
  function call(part, name, ...values) {
    try {
      return instance[part][name](...values);
    } catch (error) {
      if (error?.payload === undefined) {
        log(`the plugin is started anew: ${error}`);
        effects = [];
        turns.clear();
        open();
        instance.channel.start();
      }
      throw error;
    } finally {
      for (const effect of effects.splice(0)) effect();
    }
  }

  function send(out, { status, headers, body }, end = true) {
    const fields = headers.filter(([name]) => name !== 'host-cache-control');
    out.writeHead(status, fields.flatMap(([name, value]) => [name, Buffer.from(value).toString('latin1')]));
    if (end) out.end(body);
    else out.write(body.length ? body : '') || out.flushHeaders();
  }

  function hold(out, response) {
    const { mode, topics, keepAlive, lifeMs } = response.hold, stream = mode === 'stream';
    const connection = {
      topics,
      write: frame => stream && (out.writableLength > MAX_UNREAD ? out.destroy() : out.write(frame)),
      respond: other => { if (!stream && held.delete(connection)) send(out, other); },
      close: () => { if (held.delete(connection)) stream ? out.end() : send(out, response); },
    };
    held.add(connection);
    if (stream) send(out, response, false);
    const beat = keepAlive && setInterval(() => connection.write(keepAlive.frame), keepAlive.everyMs);
    const life = setTimeout(connection.close, lifeMs);
    out.on('close', () => { held.delete(connection); clearInterval(beat); clearTimeout(life); });
  }

  const server = createServer((request, out) => {
    const parts = [];
    let size = 0;
    request.on('data', part => { if ((size += part.length) <= MAX_BODY) parts.push(part); });
    request.on('end', () => {
      if (size > MAX_BODY) return out.writeHead(413, { 'content-type': 'application/json' }).end('{"error":"Too long"}');
      const headers = request.rawHeaders.flatMap((name, at, raw) => at % 2 ? [] : [[name.toLowerCase(), Buffer.from(raw[at + 1], 'latin1')]]);
      try {
        const { method, url: target, socket } = request;
        const response = call('http', 'handle', { method, target, headers, body: Buffer.concat(parts), client: socket.remoteAddress });
        response.hold ? hold(out, response) : send(out, response);
      } catch {
        out.writeHead(503, { 'content-type': 'application/json' }).end('{"error":"Not available"}');
      }
    });
  });

  mkdirSync(directory, { recursive: true });
  if (!existsSync(keyFile)) writeFileSync(keyFile, randomBytes(32), { mode: 0o600 });
  open();
  return {
    call,
    listen: (port, host) => new Promise((done, failed) => server.once('error', failed).listen(port, host, done)),
    close() { call('channel', 'stop'); server.close(); server.closeAllConnections(); },
  };
}
