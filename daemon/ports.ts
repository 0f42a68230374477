import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { CliError } from './cli-error.ts';
import { exitCodes } from './exit-codes.ts';

/** @throws CliError naming the first `host:port` that is taken: better now than in the log of a daemon. */
export async function checkFree(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const { hostname, port } = new URL(`tcp://${address}`);
    await listenOnce(hostname.replace(/^\[(.*)\]$/, '$1'), Number(port)).catch((error: unknown) => {
      throw new CliError(
        exitCodes.error,
        `the port ${address} is in use`,
        'stop what uses it, or choose others with --http-port and --peer-port',
        { cause: error },
      );
    });
  }
}

/** Below the ports that systems give to outgoing connections (from 32768 or 49152 on): a link that one daemon dials must not take the port of the next. */
const benchPorts = { first: 10_000, end: 32_000 };

/** The first of `size` free ports on loopback that follow each other. */
export async function freeRange(size: number): Promise<number> {
  for (;;) {
    const first = randomInt(benchPorts.first, benchPorts.end - size);
    try {
      for (let i = 0; i < size; i++) await listenOnce('127.0.0.1', first + i);
      return first;
    } catch {
      // One of them is taken: look elsewhere.
    }
  }
}

function listenOnce(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, host, () => void server.close(() => resolve()));
  });
}
