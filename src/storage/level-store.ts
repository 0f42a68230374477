import { constants } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { assert } from '../core/assert.ts';
import type { Logger } from '../core/logger.ts';
import { type Database, DurableStore } from './durable-store.ts';
import { Guard, type Operation, readGuard } from './guard.ts';
import { headKey, identityKey } from './keys.ts';
import { checkTables } from './leveldb-files.ts';
import { checksumOf, decodeIdentity, encodeHead, encodeIdentity, formatVersion, type Head, type StoreIdentity } from './records.ts';
import { compare, Damage, readAll, readHead, type Records, type Recovered } from './recovery.ts';
import { damaged, StorageError } from './storage-error.ts';
import type { RaftStore, StoredState } from './store.ts';

export interface LevelStoreOptions {
  /** Made if it isn't there. Nothing else may be put into it. */
  readonly directory: string;
  readonly identity: StoreIdentity;
  readonly logger?: Logger | undefined;
  /** What a store that is begun here says of itself: 0, the default, for a new node; else that the node lost its disk (`HardState`). */
  readonly rejoining?: number;
}

export interface OpenedStore {
  readonly store: RaftStore;
  readonly state: StoredState;
  /** How often this directory was opened, this time included; durable before anything else is written. */
  readonly boot: number;
}

/** Read at once from LevelDB while everything is checked, in bytes. */
const readAheadBytes = 1024 * 1024;
/** Keys deleted in one write. */
const keysPerDeletion = 10_000;

/**
 * Opens a data directory, checks every record in it, makes up for a last write that is only in the guard, and counts the boot. A directory that holds
 * nothing yet becomes a new one.
 *
 * @throws StorageError
 */
export async function openLevelStore({ directory, identity, logger, rejoining = 0 }: LevelStoreOptions): Promise<OpenedStore> {
  let db: Database | undefined;
  let guard: Guard | undefined;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    db = await openDatabase(directory);
    const found = await recover(directory, db, identity, logger);
    guard = await Guard.open(directory);
    await syncDirectory(directory);
    await syncDirectory(dirname(directory));
    const recovered = found === undefined ? await begin(db, guard, identity, rejoining) : await resume(db, guard, found);
    const { head, snapshot, entries } = recovered;
    const state: StoredState = {
      hardState: head.hardState,
      snapshot: snapshot && { meta: snapshot.meta, chunks: snapshot.chunks },
      entries,
      compactedIndex: head.base.index,
      compactedTerm: head.base.term,
    };
    return { store: new DurableStore(directory, db, guard, recovered, logger), state, boot: head.boot };
  } catch (error) {
    await guard?.close();
    await db?.close();
    throw classify(directory, error);
  }
}

async function openDatabase(directory: string): Promise<Database> {
  const path = join(directory, 'db');
  const [newest] = await readGuard(directory);
  // An empty database is right only where nothing was ever written. LevelDB would make one, and delete the tables, when only CURRENT is missing.
  const mayBegin = (newest?.sequence ?? 0) <= 1 && !(await filesIn(path)).some((name) => name.endsWith('.ldb'));
  // Only to learn whether another process has it: LevelDB looks at its lock first and then finds that the database exists.
  const probe = await openLevel(path, { createIfMissing: false, errorIfExists: true }).catch((error: unknown) => error);
  if (isLocked(probe)) throw probe;
  await checkTables(path);
  return openLevel(path, { createIfMissing: mayBegin });
}

async function openLevel(
  path: string,
  options: { readonly createIfMissing: boolean; readonly errorIfExists?: boolean },
): Promise<Database> {
  // Not compressed: what a log holds is short-lived, and hardly worth the time.
  const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view', compression: false, ...options });
  assert(isLevelDb(db), 'on Node level is LevelDB');
  await db.open();
  return db;
}

const isLocked = (error: unknown): error is Error => error instanceof Error && reasonOf(error).code === 'LEVEL_LOCKED';

const isLevelDb = (db: Level<Uint8Array, Uint8Array>): db is Database => 'compactRange' in db;

async function filesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

interface Found extends Recovered {
  /** The guard's slot for the last write is whole. */
  readonly isGuarded: boolean;
}

/** Everything that is there, checked; `undefined` in a new directory. Writes nothing but a last write that is only in the guard. */
async function recover(directory: string, db: Database, identity: StoreIdentity, logger: Logger | undefined): Promise<Found | undefined> {
  const records: Records = {
    get: (key) => db.get(key),
    all: () => db.iterator({ fillCache: false, highWaterMarkBytes: readAheadBytes }),
  };
  const isKnown = await checkIdentity(directory, db, identity);
  const standing = compare(await readHead(records), await readGuard(directory));
  if (standing.type === 'new') return undefined;
  if (standing.type === 'replay') {
    await db.batch([...standing.operations], { sync: true });
    logger?.info({ directory }, 'the last write was not whole in the database and was taken from the guard');
  }
  if (!isKnown && !(await checkIdentity(directory, db, identity))) throw new Damage('the identity record is missing');
  return { ...(await readAll(records)), isGuarded: standing.type === 'replay' || standing.isGuarded };
}

/** False when there is no identity yet. */
async function checkIdentity(directory: string, db: Database, identity: StoreIdentity): Promise<boolean> {
  const record = await db.get(identityKey);
  if (record === undefined) return false;
  const stored = decodeIdentity(record);
  if (stored === undefined) throw new Damage('the identity record is not as it was written');
  const { format, clusterId, nodeId } = stored;
  if (format !== formatVersion) {
    const found = `the data directory ${directory} has format ${format} and this program knows format ${formatVersion}`;
    throw new StorageError('foreign', `${found}: start it with the program that wrote it.`);
  }
  if (clusterId !== identity.clusterId || nodeId !== identity.nodeId) {
    const found = `this data directory belongs to node ${nodeId} of cluster ${clusterId}`;
    throw new StorageError(
      'foreign',
      `${found}, not to node ${identity.nodeId} of cluster ${identity.clusterId}: give this node its own instead of ${directory}.`,
    );
  }
  return true;
}

/** The first write of a new directory. */
async function begin(db: Database, guard: Guard, identity: StoreIdentity, rejoining: number): Promise<Recovered> {
  const start = { index: 0, term: 0, chain: 0 };
  const hardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining };
  const head: Head = { sequence: 1, previous: 0, boot: 1, hardState, base: start, last: start, snapshot: undefined };
  const operations: Operation[] = [{ type: 'put', key: identityKey, value: encodeIdentity(identity) }];
  const headChecksum = await writeHead(db, guard, head, operations);
  return { head, headChecksum, snapshot: undefined, entries: [], places: [], garbage: [] };
}

/** Counts the boot and deletes what is left over. */
async function resume(db: Database, guard: Guard, found: Found): Promise<Recovered> {
  const { sequence, boot } = found.head;
  const previous = found.headChecksum;
  // The boot's write goes over the other slot, the only whole one: when that write is torn, a whole one must be there.
  if (!found.isGuarded) await guard.write({ sequence, previous: found.head.previous, head: previous, operations: undefined });
  const head: Head = { ...found.head, sequence: sequence + 1, previous, boot: boot + 1 };
  const headChecksum = await writeHead(db, guard, head, []);
  for (let from = 0; from < found.garbage.length; from += keysPerDeletion) {
    const keys = found.garbage.slice(from, from + keysPerDeletion);
    await db.batch(
      keys.map((key) => ({ type: 'del' as const, key })),
      { sync: true },
    );
  }
  return { ...found, head, headChecksum };
}

async function writeHead(db: Database, guard: Guard, head: Head, before: readonly Operation[]): Promise<number> {
  const value = encodeHead(head);
  const checksum = checksumOf(value);
  const operations: Operation[] = [...before, { type: 'put', key: headKey, value }];
  await db.batch([...operations], { sync: true });
  await guard.write({ sequence: head.sequence, previous: head.previous, head: checksum, operations });
  return checksum;
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** LevelDB's reason is the cause of `level`'s "failed to open". */
function reasonOf(error: Error): { readonly code: string; readonly message: string } {
  const reason = error.cause instanceof Error ? error.cause : error;
  return { code: 'code' in reason && typeof reason.code === 'string' ? reason.code : '', message: reason.message };
}

/** LevelDB's words for files that are missing or that it can't read, where `level` gives no code. */
const isComplaint = /^(Invalid argument|Corruption|NotFound|Not implemented): /;

/** What an error at opening means for who runs the node. Our own faults pass through. */
function classify(directory: string, error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  if (error instanceof Damage) return damaged(directory, error.message, error);
  const { code, message } = reasonOf(error);
  if (code === 'LEVEL_LOCKED') {
    return new StorageError('in_use', `the data directory ${directory} is in use by another process: stop that first.`, { cause: error });
  }
  const isDamage = code === 'LEVEL_IO_ERROR' ? message.includes('No such file') : code === 'LEVEL_CORRUPTION' || isComplaint.test(message);
  if (isDamage) return damaged(directory, message, error);
  if (code === '') return error;
  const advice = 'see that the disk works, has room and may be written by this user, then start again';
  return new StorageError('io', `the data directory ${directory} can't be opened (${message}): ${advice}.`, { cause: error });
}
