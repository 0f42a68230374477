import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes-cursor.ts';
import type { Operation, SlotNumber } from './engine.ts';

/**
 * What a slot of the guard says: the write `sequence`, which turned the head with checksum `previous` into the one with checksum `head`. The guard is a second
 * copy of the last write, beside LevelDB and apart from it. LevelDB drops a damaged record of its own log without a word, and the last one is then not told from
 * a write that a power cut tore. So every write goes to LevelDB and to one of two slots in turn, at the same time, and counts only when both are synced: whatever
 * single thing breaks, one copy is whole, and the other slot still holds the write before.
 */
export interface GuardSlot {
  readonly sequence: number;
  readonly previous: number;
  readonly head: number;
  /** The write itself; `undefined` when the slot only says that LevelDB has it. */
  readonly operations: readonly Operation[] | undefined;
}

const magic = 0x5147_5244;
const frontBytes = 16;
const kinds = { mark: 0, copy: 1 } as const;

/** Where write `sequence` goes: never over the one before it. */
export const slotOf = (sequence: number): SlotNumber => (sequence % 2 === 0 ? 0 : 1);

/** The bytes of a slot, in parts that are written one after the other. */
export function encodeSlot({ sequence, previous, head, operations }: GuardSlot): readonly Uint8Array[] {
  const table = new ByteWriter().int(sequence).u32(previous).u32(head);
  const values: Uint8Array[] = [];
  table.u8(operations === undefined ? kinds.mark : kinds.copy).u32(operations?.length ?? 0);
  for (const operation of operations ?? []) {
    const isPut = operation.type === 'put';
    table
      .u8(isPut ? 1 : 0)
      .u8(operation.key.length)
      .u32(isPut ? operation.value.length : 0)
      .raw(operation.key);
    if (isPut) values.push(operation.value);
  }
  const body = [table.finish(), ...values];
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const lengths = new ByteWriter()
    .u32(length)
    .u32(body[0]?.length ?? 0)
    .finish();
  // Over the lengths too: a flip in one of them must not make the reader run into the wrong bytes.
  const checksum = [lengths, ...body].reduce((crc, part) => crc32(part, crc), 0);
  const front = new ByteWriter(frontBytes).u32(magic).u32(checksum).raw(lengths);
  return [front.finish(), ...body];
}

/** The slots that are whole, newest first: at most two. A torn, damaged or missing one is left out. */
export function decodeSlots(slots: readonly [Uint8Array | undefined, Uint8Array | undefined]): readonly GuardSlot[] {
  return slots
    .map((bytes, place) => {
      const slot = bytes === undefined ? undefined : decodeSlot(bytes);
      return slot !== undefined && slotOf(slot.sequence) === place ? slot : undefined;
    })
    .filter((slot) => slot !== undefined)
    .toSorted((a, b) => b.sequence - a.sequence);
}

function decodeSlot(bytes: Uint8Array): GuardSlot | undefined {
  if (bytes.length < frontBytes) return undefined;
  const front = new ByteReader(bytes);
  if (front.u32() !== magic) return undefined;
  const checksum = front.u32();
  const length = front.u32();
  const tableLength = front.u32();
  // What an earlier, longer write left behind comes after `length`.
  const body = bytes.subarray(frontBytes, frontBytes + length);
  if (body.length !== length || tableLength > length) return undefined;
  if (crc32(body, crc32(bytes.subarray(8, frontBytes))) !== checksum) return undefined;
  const table = new ByteReader(body.subarray(0, tableLength));
  const values = new ByteReader(body.subarray(tableLength));
  const sequence = table.int();
  const previous = table.u32();
  const head = table.u32();
  if (table.u8() === kinds.mark) return { sequence, previous, head, operations: undefined };
  const operations: Operation[] = [];
  for (let left = table.u32(); left > 0; left--) {
    const isPut = table.u8() === 1;
    const keyLength = table.u8();
    const valueLength = table.u32();
    const key = table.raw(keyLength);
    operations.push(isPut ? { type: 'put', key, value: values.raw(valueLength) } : { type: 'del', key });
  }
  return { sequence, previous, head, operations };
}
