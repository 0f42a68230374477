import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { type Genesis, type Logger, startApi, startNode, version } from '../../src/index.ts';
import { CliError, messageOf, usageError } from '../cli-error.ts';
import { nodeSettings, type NodeConfigSources, type NodeSettings } from './config.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { readGenesis } from './genesis.ts';
import { pause } from '../http.ts';
import { type JoinOptions, joinCluster } from './join.ts';
import { faultsFile, followFaults } from './link-faults.ts';
import { createLogger } from './logger.ts';
import { callRoll } from './roll-call.ts';
import { askRoster, readRoster, RosterKeeper, rosterFile, writeRoster } from './roster.ts';

export interface RunOptions {
  readonly dataDir: string;
  readonly flags: NodeConfigSources['flags'];
  /** Stop when stdin ends: whoever started this daemon is gone. */
  readonly stopOnStdinEnd: boolean;
  /** Impair links as a file in the data directory says (`link-faults.ts`). */
  readonly devFaults?: boolean;
  /** Set for a new node that is to join a running cluster. */
  readonly join?: JoinOptions | undefined;
}

/**
 * Runs one daemon until it is told to stop: the node first, then its client port; stopped in reverse.
 *
 * @throws CliError when it can't start or can't go on.
 */
export async function runNode(
  { dataDir, flags, stopOnStdinEnd, devFaults = false, join: joining }: RunOptions,
  context: Context,
): Promise<void> {
  const settings = await settingsOf({ dataDir, flags, join: joining }, context);
  if (devFaults && !isLoopback(settings.peerHost))
    throw usageError('--dev-faults is for clusters on this machine', 'leave it out, or set --peer-host 127.0.0.1');
  const isNew = joining !== undefined && (await joinCluster(dataDir, joining, settings, context));
  const genesis = await readGenesis(resolve(dataDir, settings.genesis));
  const privateKey = await readKey(join(dataDir, 'key'));
  const logger = createLogger(settings);
  const end = new Ending(context, stopOnStdinEnd);
  const rosterPath = join(dataDir, rosterFile);
  if (joining !== undefined && !isNew) await refreshRoster(rosterPath, joining.url, genesis, { logger, signal: context.interrupt });
  const keeper = new RosterKeeper(rosterPath, logger);
  const rollCall = new AbortController();
  const node = await startNode({
    dataDir,
    genesis,
    roster: await readRoster(rosterPath),
    onRoster: (roster) => keeper.keep(roster),
    name: settings.name,
    privateKey,
    peerHost: settings.peerHost,
    peerPort: settings.peerPort,
    heartbeatMs: settings.heartbeatMs,
    electionTimeoutMs: settings.electionTimeoutMs,
    snapshotBytes: settings.snapshotBytes,
    readMode: settings.readMode,
    gossip: settings.gossip,
    autoApprove: settings.votesAutoApprove,
    logger,
    onFatal: (error) => {
      logger.fatal({ err: error }, 'the node cannot go on');
      end.fail(new CliError(exitCodes.error, error.message, 'see the log above, then start the node again'));
    },
  }).catch((error: unknown) => {
    throw cannotStart(error);
  });
  try {
    const api = await startApi(node.service, { host: settings.httpHost, port: settings.httpPort, logger }).catch((error: unknown) => {
      throw cannotListen(error, settings);
    });
    logger.info(
      { http: `http://${settings.httpHost}:${api.port}`, peer: `${settings.peerHost}:${settings.peerPort}`, version, pid: process.pid },
      'ready',
    );
    const stopFaults = devFaults ? followFaults(node, join(dataDir, faultsFile), logger) : () => {};
    const rollCalls = callRoll(node, genesis, 2 * settings.electionTimeoutMs, rollCall.signal);
    try {
      logger.info({ reason: await end.reached }, 'stopping');
    } finally {
      rollCall.abort();
      stopFaults();
      await within(stopMs, Promise.all([api.stop(), rollCalls]));
    }
  } finally {
    await within(stopMs, node.stop());
    await within(stopMs, keeper.end());
  }
  logger.info({}, 'stopped');
}

/** A member that was away while all others were replaced can't find them by what it knows: it is told where one is. */
async function refreshRoster(
  path: string,
  url: string,
  { clusterId }: Genesis,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const [known, found] = [await readRoster(path), await askRoster(url, clusterId, signal)];
  if (found === undefined) logger.warn({ url }, 'no member of this cluster answers there; going by the members known before');
  else if (found.index > (known?.index ?? 0)) await writeRoster(path, found);
}

const isLoopback = (host: string): boolean => ['127.0.0.1', '::1', 'localhost'].includes(host);

/** For each part that stops: together they stay within the 10 s that a daemon has. A part that can't end must not keep the others from it. */
const stopMs = 4_500;

const within = (ms: number, job: Promise<unknown>): Promise<unknown> => Promise.race([job, pause(ms)]);

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
