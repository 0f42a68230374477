import type { Logger } from '../core/logger.ts';
import { DurableStore } from './durable-store.ts';
import type { Engine, Operation } from './engine.ts';
import { decodeSlots, encodeSlot, type GuardSlot, slotOf } from './guard.ts';
import { headKey, identityKey, snapshotKey } from './keys.ts';
import { checksumOf, decodeIdentity, encodeHead, encodeIdentity, formatVersion, type Head, type StoreIdentity } from './records.ts';
import { compare, Damage, readHead, Recovery, type Recovered } from './recovery.ts';
import { call, type Routine } from './routine.ts';
import { StorageError } from './storage-error.ts';
import type { RaftStore, StoredState } from './store.ts';
import type { VoteRecord, VoteStore } from './vote-store.ts';

export interface OpenOptions {
  /** What messages call the place. */
  readonly directory: string;
  readonly identity: StoreIdentity;
  readonly logger?: Logger | undefined;
  /** What a store that is begun here says of itself: 0, the default, for a new node; else that the node lost its disk (`HardState`). */
  readonly rejoining?: number;
}

export interface OpenedStore {
  readonly store: RaftStore & VoteStore;
  readonly state: StoredState;
  /** Everything the votes had saved. */
  readonly votes: readonly VoteRecord[];
  /** How often this store was opened, this time included; durable before anything else is written. */
  readonly boot: number;
}

/** Keys deleted in one write. */
const keysPerDeletion = 10_000;

/**
 * Opens the store on an engine: checks every record, makes up for a last write that is only in the guard, and counts the boot. Where there is nothing yet, a new
 * one begins. Throws Damage, or StorageError when the store is another node's.
 */
export function* openStore(engine: Engine, { directory, identity, logger, rejoining = 0 }: OpenOptions): Routine<OpenedStore> {
  const found = yield* recover(engine, directory, identity, logger);
  const recovered = found === undefined ? yield* begin(engine, identity, rejoining) : yield* resume(engine, found);
  const { head, snapshot, entries } = recovered;
  const state: StoredState = {
    hardState: head.hardState,
    snapshot: snapshot && { meta: snapshot.meta, chunks: snapshot.chunks },
    entries,
    compactedIndex: head.base.index,
    compactedTerm: head.base.term,
  };
  return { store: new DurableStore(directory, engine, recovered), state, votes: recovered.votes, boot: head.boot };
}

interface Found extends Recovered {
  /** The guard's slot for the last write is whole. */
  readonly isGuarded: boolean;
}

const get = (engine: Engine, key: Uint8Array): Routine<Uint8Array | undefined> => call((done) => engine.get(key, done));

const write = (engine: Engine, operations: readonly Operation[]): Routine<void> =>
  call((done) => engine.write(operations, { sync: true }, done));

const guard = (engine: Engine, slot: GuardSlot): Routine<void> =>
  call((done) => engine.writeSlot(slotOf(slot.sequence), encodeSlot(slot), done));

/** Everything that is there, checked; `undefined` in a new store. Writes nothing but a last write that is only in the guard. */
function* recover(engine: Engine, directory: string, identity: StoreIdentity, logger: Logger | undefined): Routine<Found | undefined> {
  const isKnown = checkIdentity(directory, yield* get(engine, identityKey), identity);
  const slots = decodeSlots(yield* call((done: Parameters<Engine['readSlots']>[0]) => engine.readSlots(done)));
  const standing = compare(readHead(yield* get(engine, headKey)), slots);
  if (standing.type === 'new') return undefined;
  if (standing.type === 'replay') {
    yield* write(engine, standing.operations);
    logger?.info({ directory }, 'the last write was not whole in the database and was taken from the guard');
  }
  if (!isKnown && !checkIdentity(directory, yield* get(engine, identityKey), identity)) throw new Damage('the identity record is missing');
  const stored = readHead(yield* get(engine, headKey));
  if (stored === undefined) throw new Damage('the head record is missing');
  const { snapshot } = stored.head;
  const recovery = new Recovery(stored, snapshot && (yield* get(engine, snapshotKey(snapshot.id))));
  yield* call<void>((done) => engine.scan((key, value) => recovery.take(key, value), done));
  return { ...recovery.finish(), isGuarded: standing.type === 'replay' || standing.isGuarded };
}

/** False when there is no identity yet. */
function checkIdentity(directory: string, record: Uint8Array | undefined, identity: StoreIdentity): boolean {
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
function* begin(engine: Engine, identity: StoreIdentity, rejoining: number): Routine<Recovered> {
  const start = { index: 0, term: 0, chain: 0 };
  const hardState = { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining };
  const head: Head = { sequence: 1, previous: 0, boot: 1, hardState, base: start, last: start, snapshot: undefined };
  const operations: Operation[] = [{ type: 'put', key: identityKey, value: encodeIdentity(identity) }];
  const headChecksum = yield* writeHead(engine, head, operations);
  return { head, headChecksum, snapshot: undefined, entries: [], places: [], votes: [], garbage: [] };
}

/** Counts the boot and deletes what is left over. */
function* resume(engine: Engine, found: Found): Routine<Recovered> {
  const { sequence, boot } = found.head;
  const previous = found.headChecksum;
  // The boot's write goes over the other slot, the only whole one: when that write is torn, a whole one must be there.
  if (!found.isGuarded) yield* guard(engine, { sequence, previous: found.head.previous, head: previous, operations: undefined });
  const head: Head = { ...found.head, sequence: sequence + 1, previous, boot: boot + 1 };
  const headChecksum = yield* writeHead(engine, head, []);
  for (let from = 0; from < found.garbage.length; from += keysPerDeletion) {
    const keys = found.garbage.slice(from, from + keysPerDeletion);
    yield* write(
      engine,
      keys.map((key) => ({ type: 'del', key })),
    );
  }
  return { ...found, head, headChecksum };
}

function* writeHead(engine: Engine, head: Head, before: readonly Operation[]): Routine<number> {
  const value = encodeHead(head);
  const checksum = checksumOf(value);
  const operations: Operation[] = [...before, { type: 'put', key: headKey, value }];
  yield* write(engine, operations);
  yield* guard(engine, { sequence: head.sequence, previous: head.previous, head: checksum, operations });
  return checksum;
}
