import { randomUUID } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIdentity, type Genesis, type MemberInfo } from '../../src/index.ts';
import { CliError, usageError } from '../cli-error.ts';
import { nodeDefaults, type NodeSettings } from './config.ts';
import { exitCodes } from '../exit-codes.ts';

export interface ClusterPlan {
  /** 1..99. */
  readonly nodes: number;
  readonly directory: string;
  /** The client port of the first node; the others follow. */
  readonly httpPort: number;
  readonly peerPort: number;
  /** Whether 4 voters and more change by a certificate only; by default if as many found the cluster. */
  readonly guardMembership?: boolean | undefined;
}

const host = '127.0.0.1';

/**
 * Writes the data directories of a new cluster on this machine, and its genesis.
 *
 * @throws CliError when the directory is not empty or the ports overlap.
 */
export async function initCluster({ nodes, directory, httpPort, peerPort, guardMembership }: ClusterPlan): Promise<Genesis> {
  if (Math.abs(httpPort - peerPort) < nodes)
    throw usageError(`the ${nodes} ports from ${httpPort} and from ${peerPort} overlap`, 'choose ports further apart');
  if (Math.max(httpPort, peerPort) + nodes - 1 > 65_535) throw usageError('the ports go beyond 65535', 'choose lower ones');
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) {
    throw new CliError(
      exitCodes.error,
      `${directory} is not empty`,
      'choose another directory, or remove this one if its data is not needed',
    );
  }
  const members: MemberInfo[] = [];
  for (let i = 0; i < nodes; i++) {
    const { nodeId, privateKeyBytes } = await createIdentity();
    const name = `node-${i + 1}`;
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'key'), `${Buffer.from(privateKeyBytes).toString('base64')}\n`, { mode: 0o600 });
    await writeFile(
      join(directory, name, 'node.toml'),
      nodeToml({ name, genesis: nodeDefaults.genesis, httpHost: host, httpPort: httpPort + i, peerHost: host, peerPort: peerPort + i }),
    );
    members.push({ nodeId, name, http: `http://${host}:${httpPort + i}`, peer: `${host}:${peerPort + i}` });
  }
  const votes = guardMembership === undefined ? {} : { votes: { guardMembership } };
  const genesis: Genesis = { version: 1, clusterId: randomUUID(), members, ...votes };
  // Last: a directory without a genesis is one whose making was cut short.
  await writeFile(join(directory, 'genesis.json'), `${JSON.stringify(genesis, undefined, 2)}\n`);
  return genesis;
}

/** The text of a new node's node.toml. */
export const nodeToml = (
  node: Pick<NodeSettings, 'name' | 'genesis' | 'httpHost' | 'httpPort' | 'peerHost' | 'peerPort'>,
): string => `# This node. Flags of \`quorate start\` and QUORATE_* variables override what is written here.

# Its name in the genesis.
name = "${node.name}"
# The cluster's founding record, the same on every node; relative to this directory.
genesis = "${node.genesis}"

# Where clients connect.
http-host = "${node.httpHost}"
http-port = ${node.httpPort}
# Where the other nodes connect.
peer-host = "${node.peerHost}"
peer-port = ${node.peerPort}

# How often a leader speaks. Less finds dead nodes sooner and costs traffic.
heartbeat-ms = ${nodeDefaults['heartbeat-ms']}
# Silence after which the others elect a new leader, at least 5 heartbeats.
election-timeout-ms = ${nodeDefaults['election-timeout-ms']}
# Bytes of log after which a snapshot replaces it. More makes restarts slower and snapshots rarer.
snapshot-bytes = ${nodeDefaults['snapshot-bytes']}
# safe: a majority confirms each linearizable read. lease: the leader may answer alone, faster; trusts the nodes' clocks, and a lost leader is missed later.
read-mode = "${nodeDefaults['read-mode']}"
# debug, info, warn or error.
log-level = "${nodeDefaults['log-level']}"
`;
