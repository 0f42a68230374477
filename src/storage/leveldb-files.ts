import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32c } from './crc32c.ts';
import { Damage } from './recovery.ts';

// LevelDB believes its tables: with a flipped byte in an index it reads outside of blocks and aborts the whole process. So the tables are checked
// before it opens them, with LevelDB's own checksums. Formats: LevelDB's doc/table_format.md, doc/log_format.md and db/version_edit.cc.

const footerBytes = 48;
const blockTrailerBytes = 5;
const compressedType = 1;
const tableMagic = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/**
 * Checks every block of every table that the database in `path` uses. Tables that a crash left half written are not in use, and LevelDB deletes them.
 * Where the list of tables can't be read this says nothing, because LevelDB itself checks that list.
 *
 * @throws Damage
 */
export async function checkTables(path: string): Promise<void> {
  for (const number of await tablesInUse(path)) {
    const name = `${String(number).padStart(6, '0')}.ldb`;
    const bytes = await readFile(join(path, name)).catch(() => undefined);
    if (bytes === undefined) throw new Damage(`the file db/${name} is missing`);
    const found = tableDamage(bytes);
    if (found !== undefined) throw new Damage(`the file db/${name} has ${found}`);
  }
}

/** What is wrong with the table file, in a few words. */
function tableDamage(bytes: Uint8Array): string | undefined {
  const footer = bytes.subarray(-footerBytes);
  if (footer.length < footerBytes || tableMagic.some((byte, i) => footer[footerBytes - 8 + i] !== byte)) return 'no end';
  try {
    const reader = new Varints(footer);
    const meta = handle(reader);
    const index = handle(reader);
    if (!isWhole(bytes, meta) || !isWhole(bytes, index)) return 'a damaged index';
    for (const block of indexed(content(bytes, index))) {
      if (!isWhole(bytes, block)) return `a damaged block at byte ${block.offset}`;
    }
  } catch (error) {
    if (error instanceof RangeError) return 'a damaged index';
    throw error;
  }
  return undefined;
}

interface BlockHandle {
  readonly offset: number;
  readonly size: number;
}

const handle = (r: Varints): BlockHandle => ({ offset: r.next(), size: r.next() });

/** A block is followed by its type and by the checksum of both, masked. */
function isWhole(bytes: Uint8Array, { offset, size }: BlockHandle): boolean {
  if (offset + size + blockTrailerBytes > bytes.length) return false;
  const checksum = new DataView(bytes.buffer, bytes.byteOffset + offset + size + 1, 4).getUint32(0, true);
  const crc = crc32c(bytes.subarray(offset, offset + size + 1));
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0 === checksum;
}

/** What a whole block holds. This store writes no compressed ones, but a program that only looked into the database may have. */
function content(bytes: Uint8Array, { offset, size }: BlockHandle): Uint8Array {
  const block = bytes.subarray(offset, offset + size);
  return bytes[offset + size] === compressedType ? unsnappy(block) : block;
}

/** Undoes Snappy's raw format: the length, then literals and copies of what came before. */
function unsnappy(bytes: Uint8Array): Uint8Array {
  const reader = new Varints(bytes);
  const plain = new Uint8Array(reader.next());
  for (let at = 0; !reader.isAtEnd; ) {
    const tag = reader.little(1);
    const high = tag >>> 2;
    let length = high + 1;
    let distance = 0;
    switch (tag & 3) {
      case 0: // a literal
        if (high >= 60) length = reader.little(high - 59) + 1;
        plain.set(reader.take(length), at);
        at += length;
        continue;
      case 1: // a near copy
        length = 4 + (high & 7);
        distance = ((high >>> 3) << 8) | reader.little(1);
        break;
      default: // a far copy
        distance = reader.little((tag & 3) === 2 ? 2 : 4);
    }
    // Byte by byte: a copy may reach into what it has just made.
    for (const end = at + length; at < end; at++) plain[at] = plain[at - distance] ?? 0;
  }
  return plain;
}

/** The blocks that an index block leads to: keys with shared beginnings, each with a handle as value, and then the list of restart points. */
function* indexed(index: Uint8Array): Generator<BlockHandle> {
  const restarts = new DataView(index.buffer, index.byteOffset, index.byteLength).getUint32(index.length - 4, true);
  const end = index.length - 4 * (restarts + 1);
  if (end < 0) throw new RangeError('an index of nothing but restart points');
  const reader = new Varints(index.subarray(0, end));
  while (!reader.isAtEnd) {
    reader.next();
    const keyBytes = reader.next();
    reader.next();
    reader.skip(keyBytes);
    yield handle(reader);
  }
}

/** Numbers of the tables that the newest list of files, the MANIFEST, names. Empty when it can't be read. */
async function tablesInUse(path: string): Promise<ReadonlySet<number>> {
  const live = new Set<number>();
  try {
    const current = (await readFile(join(path, 'CURRENT'), 'utf8')).trimEnd();
    if (!/^MANIFEST-\d+$/.test(current)) return live;
    for (const edit of logRecords(await readFile(join(path, current)))) applyEdit(edit, live);
    return live;
  } catch {
    return new Set();
  }
}

const logBlockBytes = 32 * 1024;
const logHeaderBytes = 7;

/** The records of a file in LevelDB's log format: fragments of at most one block, each with checksum, length and type: whole, first, middle, last. */
function* logRecords(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let fragments: Uint8Array[] = [];
  for (let at = 0; at + logHeaderBytes <= bytes.length; ) {
    const left = logBlockBytes - (at % logBlockBytes);
    if (left < logHeaderBytes) {
      at += left;
      continue;
    }
    const length = view.getUint16(at + 4, true);
    const type = view.getUint8(at + 6);
    at += logHeaderBytes;
    // Torn by a crash: LevelDB leaves it out too.
    if (at + length > bytes.length) return;
    fragments.push(bytes.subarray(at, at + length));
    at += length;
    if (type === 2 || type === 3) continue;
    yield Buffer.concat(fragments);
    fragments = [];
  }
}

/** A change of the list of files, as tagged fields. */
function applyEdit(edit: Uint8Array, live: Set<number>): void {
  const reader = new Varints(edit);
  while (!reader.isAtEnd) {
    const tag = reader.next();
    switch (tag) {
      case 1: // comparator
        reader.skip(reader.next());
        break;
      case 2: // log number
      case 3: // next file number
      case 4: // last sequence
      case 9: // previous log number
        reader.next();
        break;
      case 5: // compaction pointer: level, key
        reader.next();
        reader.skip(reader.next());
        break;
      case 6: // deleted file: level, number
        reader.next();
        live.delete(reader.next());
        break;
      case 7: // new file: level, number, size, smallest and largest key
        reader.next();
        live.add(reader.next());
        reader.next();
        reader.skip(reader.next());
        reader.skip(reader.next());
        break;
      default:
        throw new RangeError(`there is no field ${tag}`);
    }
  }
}

/** Reads LevelDB's numbers, seven bits a byte, lowest first, and what is between them. Throws RangeError on a number beyond the end. */
class Varints {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  next(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || factor > 2 ** 49) throw new RangeError('a number ends early');
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  /** A number of `width` bytes, lowest first. */
  little(width: number): number {
    return this.take(width).reduceRight((value, byte) => value * 256 + byte, 0);
  }

  take(length: number): Uint8Array {
    this.skip(length);
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  skip(length: number): void {
    this.#at += length;
  }
}
