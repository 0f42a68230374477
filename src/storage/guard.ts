import { constants, fdatasync, writev } from 'node:fs';
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes-cursor.ts';

/** One step of a write to LevelDB. */
export type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

/** What a slot says: the write `sequence`, which turned the head with checksum `previous` into the one with checksum `head`. */
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

const writevAsync = promisify(writev);
const fdatasyncAsync = promisify(fdatasync);

/** Where write `sequence` goes: never over the one before it. */
const slotOf = (sequence: number): 0 | 1 => (sequence % 2 === 0 ? 0 : 1);

const slotPath = (directory: string, slot: 0 | 1): string => join(directory, `guard-${slot}`);

/**
 * A second copy of the last write, beside LevelDB and apart from it. LevelDB drops a damaged record of its own log without a word, and the last one is
 * then not told from a write that a power cut tore. So every write goes to LevelDB and to one of two files in turn, at the same time, and counts only
 * when both are synced: whatever single thing breaks, one copy is whole, and the other file still holds the write before.
 */
export class Guard {
  readonly #handles: readonly [FileHandle, FileHandle];

  private constructor(handles: readonly [FileHandle, FileHandle]) {
    this.#handles = handles;
  }

  static async open(directory: string): Promise<Guard> {
    const first = await open(slotPath(directory, 0), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      return new Guard([first, await open(slotPath(directory, 1), constants.O_RDWR | constants.O_CREAT, 0o600)]);
    } catch (error) {
      await first.close();
      throw error;
    }
  }

  /** Durable when it resolves. The slot is overwritten in place: once it has grown to the largest write, a sync moves data only, no metadata. */
  async write({ sequence, previous, head, operations }: GuardSlot): Promise<void> {
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
    const checksum = body.reduce((crc, part) => crc32(part, crc), 0);
    const front = new ByteWriter(frontBytes)
      .u32(magic)
      .u32(checksum)
      .u32(length)
      .u32(body[0]?.length ?? 0);
    const { fd } = this.#handles[slotOf(sequence)];
    const { bytesWritten } = await writevAsync(fd, [front.finish(), ...body], 0);
    if (bytesWritten !== frontBytes + length) throw new Error(`the disk took ${bytesWritten} of ${frontBytes + length} bytes`);
    await fdatasyncAsync(fd);
  }

  async close(): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()));
  }
}

/** The slots that are whole, newest first: at most two. A torn, damaged or missing one is left out. */
export async function readGuard(directory: string): Promise<readonly GuardSlot[]> {
  const slots = await Promise.all([readSlot(directory, 0), readSlot(directory, 1)]);
  return slots.filter((slot) => slot !== undefined).toSorted((a, b) => b.sequence - a.sequence);
}

async function readSlot(directory: string, slot: 0 | 1): Promise<GuardSlot | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(slotPath(directory, slot));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const decoded = decodeSlot(bytes);
  return decoded !== undefined && slotOf(decoded.sequence) === slot ? decoded : undefined;
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
  if (body.length !== length || tableLength > length || crc32(body) !== checksum) return undefined;
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
