// An agent that answers with what it was told, word by word: what it is told comes by POST, and so do its answers go.
import { createServer } from 'node:http';

export async function agent(token, tell) {
  const waited = new Set(), lines = new Map();

  async function answer({ ticket, message }) {
    const say = async (...events) => {
      if (waited.has(ticket) && (await tell('events', { ticket, events })).status === 404) waited.delete(ticket);
    };
    await say({ type: 'started' });
    for (const text of message.match(/\S+\s*/g) ?? []) await say({ type: 'delta', text });
    await say({ type: 'done' });
    waited.delete(ticket);
  }

  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end();
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    const turn = JSON.parse(body);
    response.writeHead(202).end();
    if (turn.type === 'cancel') return waited.delete(turn.ticket);
    waited.add(turn.ticket);
    const line = (lines.get(turn.user) ?? Promise.resolve()).then(() => answer(turn)).catch(console.error);
    lines.set(turn.user, line.finally(() => lines.get(turn.user) === line && lines.delete(turn.user)));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${server.address().port}/`;
}
