import { createServer } from 'node:net';

/** The first of `size` free ports that follow each other. */
export async function freeRange(size: number): Promise<number> {
  for (;;) {
    const first = await listenOnce(0);
    try {
      for (let i = 0; i < size; i++) await listenOnce(first + i);
      return first;
    } catch {
      // One of them is taken: look elsewhere.
    }
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
}
