// Does with the plugin what TinyClaw does, and is told what by lines, as the other hosts are.
import { createInterface } from 'node:readline';
import plugin from './index.js';

const settings = { dataDir: process.env.DATA, 'channels.friends.port': Number(process.env.PORT), 'agent.name': 'Echo' };
const configManager = { get: key => settings[key] };
const tools = plugin.getPairingTools({}, configManager);
await plugin.start({ configManager, enqueue: async (_user, message) => message });
console.log('ready');
process.on('SIGTERM', async () => { await plugin.stop(); process.exit(); });

async function command(line) {
  const [, name, rest] = line.match(/^(\S+)\s*(.*)$/);
  const tool = tools.find(tool => tool.name === name);
  if (tool) return tool.execute(JSON.parse(rest));
  const [user, ...words] = rest.split(' ');
  await plugin.sendToUser(user, { content: words.join(' '), source: 'owner', priority: 'normal' });
  return 'sent';
}
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await command(line).catch(error => `error ${error.message}`)));
}
