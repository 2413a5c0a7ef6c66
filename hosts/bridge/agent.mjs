// An agent that answers with what it was told, word by word: what it is told comes by POST, and so do its answers go.
import { createServer } from 'node:http';

export async function agent(token, tell) {
  const turns = new Map(), lines = new Map();

  async function answer(turn) {
    const { ticket, message } = turn;
    const say = async event => {
      // Another instance asks for the same: it knows nothing of what was said before.
      const again = turn.again && turn.said ? [{ type: 'restarted' }, { type: 'delta', text: turn.said }] : [];
      turn.again = false;
      if (turns.get(ticket) !== turn) return;
      const { status } = await tell('events', { ticket, events: [...again, event] });
      if (status === 404 && !turn.again) turns.delete(ticket);
      if (event.type === 'delta') turn.said += event.text;
    };
    await say({ type: 'started' });
    for (const text of message.match(/\S+\s*/g) ?? []) await say({ type: 'delta', text });
    await say({ type: 'done' });
    turns.delete(ticket);
  }

  const server = createServer(async (request, response) => {
    if (request.headers.authorization !== `Bearer ${token}`) return response.writeHead(401).end();
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    response.writeHead(202).end();
    const turn = { ...JSON.parse(body), said: '' };
    if (turn.type === 'cancel') return turns.delete(turn.ticket);
    if (turns.has(turn.ticket)) return turns.get(turn.ticket).again = true;
    turns.set(turn.ticket, turn);
    const line = (lines.get(turn.user) ?? Promise.resolve()).then(() => answer(turn)).catch(console.error)
      .finally(() => lines.get(turn.user) === line && lines.delete(turn.user));
    lines.set(turn.user, line);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${server.address().port}/`;
}
