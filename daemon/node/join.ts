import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createIdentity, loadIdentity } from '../../src/index.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { NodeSettings } from './config.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { nodeToml } from './init-cluster.ts';
import { parseGenesis } from './genesis.ts';
import { ApiError, Http, pause } from '../http.ts';
import { checkFree } from '../ports.ts';
import { parseRoster, rosterFile, writeRoster } from './roster.ts';

export interface JoinOptions {
  /** Where a member of the cluster serves clients. */
  readonly url: string;
  /** From `member token`; good for one node. A node that has joined needs none. */
  readonly token: string | undefined;
}

/** Judged in full by the readers of the two files. */
const joinedSchema = z.object({ genesis: z.unknown(), roster: z.unknown() });

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Another change of the members is waited for this long. */
const patienceMs = 30_000;

/**
 * Asks a running cluster to take a new node, and writes its data directory. False for a directory that is a node's already. One whose joining was cut short
 * goes on with the same key, for which the cluster takes the same token again.
 *
 * @throws CliError when the cluster refuses or can't be reached.
 */
export async function joinCluster(
  dataDir: string,
  { url, token }: JoinOptions,
  settings: NodeSettings,
  context: Context,
): Promise<boolean> {
  if ((await isThere(join(dataDir, rosterFile))) || (await isThere(join(dataDir, 'store')))) return false;
  if (token === undefined) throw usageError('a new node needs --token', 'ask for one with `quorate member token`');
  if (settings.httpPort === 0 || settings.peerPort === 0)
    throw new CliError(exitCodes.usage, 'a node that joins needs ports of its own', 'set --http-port and --peer-port');
  const [http, peer] = [`${settings.httpHost}:${settings.httpPort}`, `${settings.peerHost}:${settings.peerPort}`];
  // Before the cluster writes down where to find it.
  await checkFree([http, peer]);
  await mkdir(dataDir, { recursive: true });
  const body = { token, nodeId: await identity(join(dataDir, 'key')), name: settings.name, http: `http://${http}`, peer };
  const { genesis, roster } = joinedSchema.parse(await ask(url, body, context.interrupt));
  const genesisText = `${JSON.stringify(genesis, undefined, 2)}\n`;
  parseGenesis(genesisText, `of ${url}`);
  await writeFile(join(dataDir, 'genesis.json'), genesisText);
  if (!(await isThere(join(dataDir, 'node.toml')))) await writeFile(join(dataDir, 'node.toml'), nodeToml(settings));
  // Last: with it the directory is whole.
  await writeRoster(join(dataDir, rosterFile), parseRoster(roster, `of ${url}`));
  return true;
}

async function ask(url: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  const http = new Http({ endpoints: [url], timeoutMs: patienceMs, signal });
  const endMs = performance.now() + patienceMs;
  for (;;) {
    try {
      return await http.request('POST', '/v1/members/join', { body, isRepeatable: true });
    } catch (error) {
      if (error instanceof ApiError && error.code === 'id_conflict')
        throw new CliError(error.exitCode, error.message, 'choose another --name', { cause: error });
      const mayPass = error instanceof ApiError && passing.has(error.code);
      if (!mayPass || performance.now() > endMs) throw error;
    }
    await pause(500, signal);
  }
}

/** What a cluster says while its members, or its leader, are just changing. */
const passing: ReadonlySet<string> = new Set(['change_pending', 'no_leader']);

async function identity(path: string): Promise<string> {
  if (await isThere(path)) return loadIdentity(Buffer.from(await readFile(path, 'utf8'), 'base64')).nodeId;
  const { nodeId, privateKeyBytes } = await createIdentity();
  await writeFile(path, `${Buffer.from(privateKeyBytes).toString('base64')}\n`, { mode: 0o600 });
  return nodeId;
}
