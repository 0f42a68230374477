import type { LogIndex } from '../core/ids.ts';

/**
 * The keys in LevelDB: a letter for the kind, then numbers, big-endian and of fixed width, so that the order of keys is the order of the log.
 *
 *   `c` id chunk    a chunk of a snapshot, current or still arriving
 *   `e` index       an entry, under the index of its last command
 *   `h`             the head: hard state, ends of the log, which snapshot is current
 *   `i`             the identity: format, cluster, node
 *   `s` id          the current snapshot: what it is of and how many chunks it has
 *   `v` …           a record of the Byzantine votes, under a key that their driver chooses
 */
export const kinds = { chunk: 0x63, entry: 0x65, head: 0x68, identity: 0x69, snapshot: 0x73, vote: 0x76 } as const;

/** Names the chunks of one snapshot. Never used again: the boot counter rises durably with every opening, `number` with every snapshot of a boot. */
export interface SnapshotId {
  readonly boot: number;
  readonly number: number;
}

export const headKey = Uint8Array.of(kinds.head);
export const identityKey = Uint8Array.of(kinds.identity);

export function entryKey(index: LogIndex): Uint8Array {
  return key(kinds.entry, [Math.floor(index / 2 ** 32), index]);
}

export function snapshotKey(id: SnapshotId): Uint8Array {
  return key(kinds.snapshot, [id.boot, id.number]);
}

export function chunkKey(id: SnapshotId, chunk: number): Uint8Array {
  return key(kinds.chunk, [id.boot, id.number, chunk]);
}

export function voteKey(name: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + name.length);
  bytes[0] = kinds.vote;
  bytes.set(name, 1);
  return bytes;
}

/** The numbers in a key, 32 bits each; `undefined` when it isn't made of any. */
export function keyNumbers(bytes: Uint8Array): readonly number[] | undefined {
  if (bytes.length % 4 !== 1) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers: number[] = [];
  for (let at = 1; at < bytes.length; at += 4) numbers.push(view.getUint32(at));
  return numbers;
}

/** The index in the key of an entry. */
export function entryIndex(bytes: Uint8Array): LogIndex | undefined {
  const [high, low, ...rest] = keyNumbers(bytes) ?? [];
  return high === undefined || low === undefined || rest.length > 0 ? undefined : high * 2 ** 32 + low;
}

function key(kind: number, numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1 + 4 * numbers.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = kind;
  numbers.forEach((number, i) => view.setUint32(1 + 4 * i, number));
  return bytes;
}
