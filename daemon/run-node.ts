import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { startApi, startNode, version } from '../src/index.ts';
import { CliError, messageOf } from './cli-error.ts';
import { nodeSettings, type NodeConfigSources, type NodeSettings } from './config.ts';
import type { Context } from './context.ts';
import { exitCodes } from './exit-codes.ts';
import { peersFile, readGenesis, readPeers } from './genesis.ts';
import { pause } from './http.ts';
import { type JoinOptions, joinCluster } from './join.ts';
import { createLogger } from './logger.ts';

export interface RunOptions {
  readonly dataDir: string;
  readonly flags: NodeConfigSources['flags'];
  /** Stop when stdin ends: whoever started this daemon is gone. */
  readonly stopOnStdinEnd: boolean;
  /** Set for a new node that is to join a running cluster. */
  readonly join?: JoinOptions | undefined;
}

/**
 * Runs one daemon until it is told to stop: the node first, then its client port; stopped in reverse.
 *
 * @throws CliError when it can't start or can't go on.
 */
export async function runNode({ dataDir, flags, stopOnStdinEnd, join: joining }: RunOptions, context: Context): Promise<void> {
  const settings = await settingsOf({ dataDir, flags, join: joining }, context);
  if (joining !== undefined) await joinCluster(dataDir, joining, settings, context);
  const genesis = await readGenesis(resolve(dataDir, settings.genesis));
  const privateKey = await readKey(join(dataDir, 'key'));
  const logger = createLogger(settings);
  const end = new Ending(context, stopOnStdinEnd);
  const node = await startNode({
    dataDir,
    genesis,
    peers: await readPeers(join(dataDir, peersFile)),
    name: settings.name,
    privateKey,
    peerHost: settings.peerHost,
    peerPort: settings.peerPort,
    heartbeatMs: settings.heartbeatMs,
    electionTimeoutMs: settings.electionTimeoutMs,
    snapshotBytes: settings.snapshotBytes,
    logger,
    onFatal: (error) => {
      logger.fatal({ err: error }, 'the node cannot go on');
      end.fail(new CliError(exitCodes.error, error.message, 'see the log above, then start the node again'));
    },
  }).catch((error: unknown) => {
    throw cannotStart(error);
  });
  try {
    const api = await startApi(node, { host: settings.httpHost, port: settings.httpPort, logger }).catch((error: unknown) => {
      throw cannotListen(error, settings);
    });
    logger.info(
      { http: `http://${settings.httpHost}:${api.port}`, peer: `${settings.peerHost}:${settings.peerPort}`, version, pid: process.pid },
      'ready',
    );
    try {
      logger.info({ reason: await end.reached }, 'stopping');
    } finally {
      await within(stopMs, api.stop());
    }
  } finally {
    await within(stopMs, node.stop());
  }
  logger.info({}, 'stopped');
}

/** For each part that stops: together they stay within the 10 s that a daemon has. A part that can't end must not keep the others from it. */
const stopMs = 4_500;

const within = (ms: number, job: Promise<void>): Promise<void> => Promise.race([job, pause(ms)]);

/** The one moment when a daemon's life is over, whatever brought it about first. */
class Ending {
  /** Resolves with why the daemon was asked to stop; rejects when it can't go on. */
  readonly reached: Promise<string>;
  #fail: (error: Error) => void = () => {};

  constructor({ interrupt, onStdinEnd }: Context, stopOnStdinEnd: boolean) {
    this.reached = new Promise((resolveWith, reject) => {
      this.#fail = reject;
      if (interrupt.aborted) resolveWith(String(interrupt.reason));
      interrupt.addEventListener('abort', () => resolveWith(String(interrupt.reason)), { once: true });
      if (stopOnStdinEnd) onStdinEnd(() => resolveWith('stdin ended'));
    });
    // A failure while the node still starts has nobody waiting yet; it is reported when somebody does.
    this.reached.catch(() => {});
  }

  fail(error: Error): void {
    this.#fail(error);
  }
}

/** A node that joins has no node.toml before it did, unless somebody wrote one. Without a name it is called as its directory is. */
async function settingsOf({ dataDir, flags, join: joining }: Omit<RunOptions, 'stopOnStdinEnd'>, { env }: Context): Promise<NodeSettings> {
  if (joining === undefined) return nodeSettings({ file: await readNodeToml(dataDir), env, flags });
  const file = await readNodeToml(dataDir).catch(() => undefined);
  return nodeSettings({
    file,
    env,
    flags: file === undefined ? { name: basename(resolve(dataDir)), genesis: 'genesis.json', ...flags } : flags,
  });
}

async function readNodeToml(dataDir: string): Promise<NodeConfigSources['file']> {
  const path = join(dataDir, 'node.toml');
  try {
    return { text: await readFile(path, 'utf8'), path };
  } catch (error) {
    throw new CliError(exitCodes.error, `${path} can't be read: ${messageOf(error)}`, 'make a data directory with `quorate cluster init`');
  }
}

async function readKey(path: string): Promise<Uint8Array> {
  try {
    return Buffer.from(await readFile(path, 'utf8'), 'base64');
  } catch (error) {
    throw new CliError(
      exitCodes.error,
      `the node's key ${path} can't be read: ${messageOf(error)}`,
      'restore the key; without it this node cannot prove who it is',
    );
  }
}

function cannotStart(error: unknown): CliError {
  const why = messageOf(error).split('\n')[0]?.replace(/\.$/, '') ?? '';
  return new CliError(exitCodes.error, why, adviceFor(error), { cause: error });
}

function adviceFor(error: unknown): string | undefined {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'port_in_use':
    case 'EADDRINUSE':
      return 'stop what uses the port, or choose another with --peer-port';
    default:
      return undefined;
  }
}

function cannotListen(error: unknown, { httpHost, httpPort }: NodeSettings): CliError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isTaken = code === 'port_in_use' || code === 'EADDRINUSE';
  const why = isTaken ? `the port ${httpHost}:${httpPort} is in use` : messageOf(error);
  return new CliError(exitCodes.error, why, 'stop what uses it, or choose another with --http-port', { cause: error });
}
