import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createIdentity, foundStore, type Genesis, isName, loadIdentity, type MemberInfo, readStoredState } from '../../src/index.ts';
import { CliError, messageOf, usageError } from '../cli-error.ts';
import { type NodeSettings, nodeSettings } from './config.ts';
import { exitCodes } from '../exit-codes.ts';
import { readGenesis } from './genesis.ts';
import { nodeToml } from './init-cluster.ts';
import { readRoster, rosterFile } from './roster.ts';
import { isThere, loadFile } from './snapshot-file.ts';

export type RestorePlan = Pick<NodeSettings, 'name' | 'httpHost' | 'httpPort' | 'peerHost' | 'peerPort'> & {
  readonly file: string;
  readonly dataDir: string;
};

/**
 * Makes the data directory of a new cluster of one node, which goes on from the state in a snapshot file.
 *
 * @throws CliError when the file is damaged or the directory is not empty.
 */
export async function restoreCluster({ file, dataDir, ...node }: RestorePlan): Promise<Genesis> {
  if (!isName(node.name)) throw usageError(`${node.name} is not a name`, 'use letters, digits and . _ : @ -');
  await mkdir(dataDir, { recursive: true });
  if ((await readdir(dataDir)).length > 0)
    throw new CliError(exitCodes.error, `${dataDir} is not empty`, 'choose a new directory for the new cluster');
  const saved = await loadFile(file);
  const { nodeId, privateKeyBytes } = await createIdentity();
  const genesis = clusterOf({
    nodeId,
    name: node.name,
    http: `http://${node.httpHost}:${node.httpPort}`,
    peer: `${node.peerHost}:${node.peerPort}`,
  });
  await foundStore({ dataDir, clusterId: genesis.clusterId, nodeId }, saved);
  await writeFile(join(dataDir, 'key'), `${Buffer.from(privateKeyBytes).toString('base64')}\n`, { mode: 0o600 });
  await writeFile(join(dataDir, 'genesis.json'), jsonText(genesis));
  // Last: a directory without it does not start.
  await writeFile(join(dataDir, 'node.toml'), nodeToml({ ...node, genesis: 'genesis.json' }));
  return genesis;
}

export interface Recovery {
  readonly genesis: Genesis;
  /** The old store, kept. */
  readonly kept: string;
}

/** What stays to be done once node.toml names the new genesis; found again when a recovery was cut short. */
const newStore = 'recovered';

/**
 * Makes a stopped node the only voter of a new cluster that goes on from what this node holds: the way back when a majority is lost for good. The new
 * cluster has an id of its own, so nothing of the old one can speak to it, and the old store is kept.
 *
 * The steps are ordered so that a node started after a crash between two of them refuses to run, and the recovery can be repeated: the new store is made
 * aside; node.toml names the new genesis, to which the old store is foreign; then the stores change places.
 *
 * @throws CliError; StorageError when the store is in use or damaged.
 */
export async function recoverCluster(dataDir: string): Promise<Recovery> {
  const tomlPath = join(dataDir, 'node.toml');
  const text = await readFile(tomlPath, 'utf8').catch((error: unknown) => {
    throw new CliError(exitCodes.error, `${tomlPath} can't be read: ${messageOf(error)}`, 'name the data directory of a node');
  });
  const settings = nodeSettings({ file: { text, path: tomlPath }, env: {}, flags: {} });
  const genesis = await readGenesis(resolve(dataDir, settings.genesis));
  const aside = join(dataDir, newStore);
  const isCutShort = settings.genesis === genesisName(genesis) && (await isThere(join(aside, 'store')));
  if (isCutShort) return { genesis, kept: await exchange(dataDir) };
  await rm(aside, { recursive: true, force: true });
  const { nodeId } = loadIdentity(Buffer.from(await readFile(join(dataDir, 'key'), 'utf8'), 'base64'));
  const own = [...genesis.members, ...((await readRoster(join(dataDir, rosterFile)))?.members ?? [])].find(
    (member) => member.nodeId === nodeId,
  );
  if (own === undefined) throw new CliError(exitCodes.error, `the key in ${dataDir} is of no member of its cluster`, 'restore the key');
  const saved = await readStoredState({ dataDir, clusterId: genesis.clusterId, nodeId });
  const next = clusterOf({ nodeId, name: own.name, http: own.http, peer: own.peer });
  await mkdir(aside);
  await foundStore({ dataDir: aside, clusterId: next.clusterId, nodeId }, saved);
  await writeSynced(join(dataDir, genesisName(next)), jsonText(next));
  await writeSynced(`${tomlPath}.new`, withGenesis(text, genesisName(next)));
  await rename(`${tomlPath}.new`, tomlPath);
  await syncDirectory(dataDir);
  return { genesis: next, kept: await exchange(dataDir) };
}

/** The old store and the list of members go aside, the new store takes its place. Does what is left of it when it was cut short. */
async function exchange(dataDir: string): Promise<string> {
  const taken = new Set(await readdir(dataDir));
  let number = 1;
  while (taken.has(`store.before-recovery-${number}`)) number++;
  if (taken.has(rosterFile)) await rename(join(dataDir, rosterFile), join(dataDir, `${rosterFile}.before-recovery-${number}`));
  const kept = join(dataDir, `store.before-recovery-${taken.has('store') ? number : number - 1}`);
  if (taken.has('store')) await rename(join(dataDir, 'store'), kept);
  await syncDirectory(dataDir);
  await rename(join(dataDir, newStore, 'store'), join(dataDir, 'store'));
  await syncDirectory(dataDir);
  await rm(join(dataDir, newStore), { recursive: true });
  return kept;
}

const clusterOf = (member: MemberInfo): Genesis => ({ version: 1, clusterId: randomUUID(), members: [member] });

/** The old genesis may be shared with other nodes, and stays. */
const genesisName = ({ clusterId }: Genesis): string => `genesis.${clusterId.slice(0, 8)}.json`;

const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** The text of a node.toml with another genesis. */
function withGenesis(text: string, genesis: string): string {
  const line = `genesis = "${genesis}"`;
  return /^\s*genesis\s*=/m.test(text) ? text.replace(/^\s*genesis\s*=.*$/m, line) : `${line}\n${text}`;
}

/** Makes the names in a directory durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
