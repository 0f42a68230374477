import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createIdentity, loadIdentity } from '../src/index.ts';
import { CliError } from './cli-error.ts';
import type { NodeSettings } from './config.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { nodeToml } from './init-cluster.ts';
import { parseGenesis, parsePeers, peersFile } from './genesis.ts';
import { Http } from './http.ts';

export interface JoinOptions {
  /** Where a member of the cluster serves clients. */
  readonly url: string;
  /** From `member token`; good for one node. */
  readonly token: string;
}

/** Judged in full by the readers of the two files. */
const joinedSchema = z.object({ genesis: z.unknown(), members: z.unknown() });

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Asks a running cluster to take a new node, and writes its data directory. A directory that has joined already is left as it is; one whose joining was
 * cut short goes on with the same key, for which the cluster takes the same token again.
 *
 * @throws CliError when the cluster refuses or can't be reached.
 */
export async function joinCluster(dataDir: string, { url, token }: JoinOptions, settings: NodeSettings, context: Context): Promise<void> {
  if (await isThere(join(dataDir, peersFile))) return;
  if (await isThere(join(dataDir, 'store')))
    throw new CliError(exitCodes.error, `${dataDir} is another node's`, 'choose a new directory, or start it without --join');
  if (settings.httpPort === 0 || settings.peerPort === 0)
    throw new CliError(exitCodes.usage, 'a node that joins needs ports of its own', 'set --http-port and --peer-port');
  await mkdir(dataDir, { recursive: true });
  const member = {
    nodeId: await identity(join(dataDir, 'key')),
    name: settings.name,
    http: `http://${settings.httpHost}:${settings.httpPort}`,
    peer: `${settings.peerHost}:${settings.peerPort}`,
  };
  const http = new Http({ endpoints: [url], timeoutMs: 30_000, signal: context.interrupt });
  const answer = await http.request('POST', '/v1/members/join', { body: { token, ...member }, isRepeatable: true });
  const { genesis, members } = joinedSchema.parse(answer);
  const genesisText = `${JSON.stringify(genesis, undefined, 2)}\n`;
  const peersText = `${JSON.stringify(members, undefined, 2)}\n`;
  parseGenesis(genesisText, `of ${url}`);
  parsePeers(peersText, `of ${url}`);
  await writeFile(join(dataDir, 'genesis.json'), genesisText);
  if (!(await isThere(join(dataDir, 'node.toml')))) await writeFile(join(dataDir, 'node.toml'), nodeToml(settings));
  // Last: with it the directory is whole.
  await writeFile(join(dataDir, peersFile), peersText);
}

async function identity(path: string): Promise<string> {
  if (await isThere(path)) return loadIdentity(Buffer.from(await readFile(path, 'utf8'), 'base64')).nodeId;
  const { nodeId, privateKeyBytes } = await createIdentity();
  await writeFile(path, `${Buffer.from(privateKeyBytes).toString('base64')}\n`, { mode: 0o600 });
  return nodeId;
}
