// An agent that answers with what it was told, word by word: what it is told comes by POST, and so do its answers go; `whole` answers
// in one, for a host where no instance remembers what the one before was told.
import { createServer } from 'node:http';

export async function agent(token, tell, { whole = false } = {}) {
  const turns = new Map(), lines = new Map();

  async function answer(turn) {
    const { ticket, message } = turn;
    const say = async (...events) => {
      // Another instance asks for the same: it knows nothing of what was said before.
      const again = turn.again && turn.said ? [{ type: 'restarted' }, { type: 'delta', text: turn.said }] : [];
      turn.again = false;
      if (turns.get(ticket) !== turn) return;
      // One of many instances may have waited in vain for the others.
      let status;
      do ({ status } = await tell('events', { ticket, events: [...again, ...events] })); while (status === 503);
      if (status === 404 && !turn.again) turns.delete(ticket);
      turn.said += events.map(event => event.text ?? '').join('');
    };
    const pieces = (message.match(/\S+\s*/g) ?? []).map(text => ({ type: 'delta', text }));
    if (whole) await say(...pieces, { type: 'done' });
    else for (const event of [{ type: 'started' }, ...pieces, { type: 'done' }]) await say(event);
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
    const line = (lines.get(turn.user) ?? Promise.resolve()).then(() => answer(turn)).catch(console.error).finally(() => {
      turns.delete(turn.ticket);
      if (lines.get(turn.user) === line) lines.delete(turn.user);
    });
    lines.set(turn.user, line);
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${server.address().port}/`;
}
