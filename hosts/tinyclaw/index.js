// Friends Chat as a channel plugin of TinyClaw.
import { homedir } from 'node:os';
import { join } from 'node:path';
import about from './package.json' with { type: 'json' };
import { fenced } from './fence.js';
import { load } from './plugin.js';

const PRIORITIES = ['low', 'normal', 'high', 'urgent'];
// The database, its log and its copies: what else lies beside it is the agent's.
const OWN_FILES = /^friends\.db[^/]*$/;

let config, context, plugin;

const setting = key => {
  const value = config.get(key);
  return value === undefined || value === null ? undefined : String(value);
};

// TinyClaw gives an answer as a whole.
async function* agent(user, message) {
  yield await context.enqueue(user, message);
}

// Tools are called before `start` too, and find the same instance.
function opened() {
  if (plugin) return plugin;
  const directory = join(setting('dataDir') ?? join(homedir(), '.tinyclaw'), 'data');
  plugin = load({
    directory, setting, agent, keyFile: join(directory, 'friends-invite-key'), wasi: () => fenced(directory, OWN_FILES),
  });
  return plugin;
}

function call(...asked) {
  try {
    return opened().call(...asked);
  } catch (error) {
    const { tag, val } = error?.payload ?? {};
    throw tag ? new Error(val ?? `Friends Chat: ${tag}`) : error;
  }
}

export default {
  id: '@tinyclaw/plugin-channel-friends',
  name: 'Friends Chat',
  description: about.description,
  type: 'channel',
  version: about.version,
  channelPrefix: 'friend',

  getPairingTools(_secrets, configManager) {
    config = configManager;
    return call('tools', 'listTools').map(({ name, description, parameters }) => ({
      name,
      description,
      parameters: JSON.parse(parameters),
      // What is wrong with a call is for the agent to read.
      execute: async args => {
        try {
          return call('tools', 'callTool', name, JSON.stringify(args ?? {}));
        } catch (error) {
          return error.message;
        }
      },
    }));
  },

  async start(given) {
    context = given;
    config = given.configManager;
    call('channel', 'start');
    if (setting('channels.friends.enabled') === 'false') return;
    const host = process.env.HOST ?? setting('channels.friends.host') ?? '127.0.0.1';
    await plugin.listen(Number(setting('channels.friends.port') ?? 3001), host);
  },

  async stop() {
    plugin?.close();
    plugin = undefined;
  },

  async sendToUser(userId, { content, source, priority }) {
    const known = PRIORITIES.includes(priority) ? priority : 'normal';
    call('channel', 'sendToUser', userId, { content, source, priority: known });
  },
};
