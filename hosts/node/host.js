// A host for Node and Bun: `host.js [TOOL JSON]`, or serves and takes lines `TOOL JSON` and `nudge USER TEXT` on its input.
import { createInterface } from 'node:readline';
import { load } from './plugin.js';

const data = process.env.DATA ?? 'data';
const settings = { 'channels.friends.port': process.env.PORT ?? '3001', 'agent.name': 'Echo' };
async function* echo(user, message) {
  for (const piece of message.match(/\S+\s*/g) ?? []) yield piece;
}
const plugin = load({ directory: `${data}/plugin`, keyFile: `${data}/invite-key`, setting: key => settings[key], agent: echo });

function command(line) {
  const [, name, rest] = line.match(/^(\S+)\s*(.*)$/) ?? [];
  try {
    if (name !== 'nudge') return plugin.call('tools', 'callTool', name, rest || '{}');
    const [user, ...words] = rest.split(' ');
    const message = { content: words.join(' '), source: 'owner', priority: 'normal' };
    return `connections ${plugin.call('channel', 'sendToUser', user, message).connections}`;
  } catch (error) {
    return `error ${JSON.stringify(error.payload ?? String(error))}`;
  }
}

if (process.argv.length > 2) {
  console.log(command(process.argv.slice(2).join(' ')));
  process.exit();
}
plugin.call('channel', 'start');
await plugin.listen(Number(settings['channels.friends.port']), process.env.HOST ?? '127.0.0.1');
console.log('ready');
const stop = () => { plugin.close(); process.exit(); };
process.on('SIGTERM', stop).on('SIGINT', stop);
createInterface({ input: process.stdin }).on('line', line => console.log(JSON.stringify(command(line))));
