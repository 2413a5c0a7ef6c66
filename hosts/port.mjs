// Ports of this machine.
import { createServer } from 'node:net';

// Gives the port, or one that is free for 0; of one that is taken nothing.
export const free = (port, host = '127.0.0.1') => new Promise(done => {
  const server = createServer().once('error', () => done(undefined));
  server.listen(port, host, () => { const { port } = server.address(); server.close(() => done(port)); });
});
