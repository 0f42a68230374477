import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Logger, Roster } from '../../src/index.ts';
import { statusSchema } from '../answers.ts';
import { CliError, messageOf } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';
import { member } from './genesis.ts';
import { Http } from '../http.ts';

/** In the data directory: the members as this node last knew them. A founder has none before the first change. */
export const rosterFile = 'peers.json';

const rosterSchema = z.strictObject({
  index: z.int().min(0),
  members: z
    .array(z.strictObject({ ...member.shape, voter: z.boolean() }))
    .min(1)
    .max(1024),
});

/** @throws CliError that says where the roster is wrong. */
export function parseRoster(value: unknown, from: string): Roster {
  const parsed = rosterSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const why = `the list of members ${from} is not valid: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`;
  throw new CliError(exitCodes.error, why, 'remove it, and start the node with --join and the URL of a member');
}

/** @throws CliError if it is there and can't be read or is not valid. */
export async function readRoster(path: string): Promise<Roster | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return parseRoster(JSON.parse(text), path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    return parseRoster(messageOf(error), path);
  }
}

/** Whole or not at all, and durable: a node that lost its store finds the others by it. */
export async function writeRoster(path: string, roster: Roster): Promise<void> {
  const next = `${path}.new`;
  const file = await open(next, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(roster, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Writes the newest roster after the one before; those in between are passed over. */
export class RosterKeeper {
  readonly #path: string;
  readonly #logger: Logger;
  #next: Roster | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  keep(roster: Roster): void {
    this.#next = roster;
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing waits to be written. */
  async end(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let roster = this.#next; roster !== undefined; roster = this.#next) {
      this.#next = undefined;
      // The node goes on: it has the roster in its log, and misses it only if it loses that.
      await writeRoster(this.#path, roster).catch((error: unknown) => this.#logger.error({ err: error }, `cannot write ${this.#path}`));
    }
    this.#writing = undefined;
  }
}

/**
 * What a node of the cluster says of the members; undefined when it doesn't answer, knows no leader, or is of another cluster. The client port has no
 * authentication: this tells a node whom to talk with, never what is decided.
 */
export async function askRoster(url: string, clusterId: string, signal: AbortSignal): Promise<Roster | undefined> {
  try {
    const http = new Http({ endpoints: [url], timeoutMs: 2_000, signal });
    const status = statusSchema.parse(await http.request('GET', '/v1/status'));
    if (status.clusterId !== clusterId || status.leader === null || status.removed) return undefined;
    return parseRoster({ index: status.appliedIndex, members: status.members }, `of ${url}`);
  } catch {
    return undefined;
  }
}
