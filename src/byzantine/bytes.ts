import { assert } from '../core/assert.ts';
import { concatBytes, emptyBytes, equalBytes } from '../core/bytes.ts';
import { hashBytes } from './crypto.ts';
import { type Digest, digest, digestOf } from './digest.ts';

export { digestOf, toHex } from './digest.ts';

// Little endian, fixed widths, lengths before contents: of any value there is exactly one encoding, so that a hash of it is a hash of the value.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of a label that keeps hashed and signed things of different meaning apart. */
export const label = (text: string): Uint8Array => encoder.encode(text);

/** A digest as 32 bytes. */
export function digestBytes(value: Digest): Uint8Array {
  const bytes = new Uint8Array(hashBytes);
  writeDigest(value, bytes, 0);
  return bytes;
}

function writeDigest(value: Digest, target: Uint8Array, at: number): void {
  for (let i = 0; i < hashBytes; i++) target[at + i] = (nibble(value.charCodeAt(2 * i)) << 4) | nibble(value.charCodeAt(2 * i + 1));
}

/** The value of a digit from 0 to 9 or a to f: '0' is 0x30, 'a' is 0x61. */
const nibble = (digit: number): number => (digit & 15) + 9 * (digit >> 6);

const isAscii = /^[\0-\x7f]*$/;

/** Small pieces share a slab, for a buffer of its own costs more than what is in it. A piece that is kept keeps its slab, so slabs are small too. */
const slabBytes = 8192;
const maxPieceBytes = 1024;
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

function allocate(length: number): Uint8Array {
  if (length > maxPieceBytes) return new Uint8Array(length);
  if (slabUsed + length > slabBytes) {
    slab = new Uint8Array(slabBytes);
    slabUsed = 0;
  }
  slabUsed += length;
  return slab.subarray(slabUsed - length, slabUsed);
}

/** Writes what this node says. A value that does not fit its field is a fault of ours. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  u8(value: number): this {
    const at = this.#grow(1, value, 0xff);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2, value, 0xffff);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4, value, 0xffff_ffff);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** A whole number below 2^53 in eight bytes. */
  u64(value: number): this {
    const at = this.#grow(8, value, Number.MAX_SAFE_INTEGER);
    this.#view.setUint32(at, value % 2 ** 32, true);
    this.#view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
    return this;
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** Bytes whose number the reader knows. */
  fixed(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length, 0, 0);
    this.#bytes.set(bytes, at);
    return this;
  }

  digest(value: Digest): this {
    const at = this.#grow(hashBytes, 0, 0);
    writeDigest(value, this.#bytes, at);
    return this;
  }

  /** A length of one byte, then as many bytes. */
  bytes8(bytes: Uint8Array): this {
    return this.u8(bytes.length).fixed(bytes);
  }

  /** A length of two bytes, then as many bytes. */
  bytes16(bytes: Uint8Array): this {
    return this.u16(bytes.length).fixed(bytes);
  }

  /** A length of four bytes, then as many bytes. */
  bytes32(bytes: Uint8Array): this {
    return this.u32(bytes.length).fixed(bytes);
  }

  /** A length of two bytes, then UTF-8. */
  text(text: string): this {
    if (!isAscii.test(text)) return this.bytes16(encoder.encode(text));
    this.u16(text.length);
    const at = this.#grow(text.length, 0, 0);
    for (let i = 0; i < text.length; i++) this.#bytes[at + i] = text.charCodeAt(i);
    return this;
  }

  /** What was written, as a copy; the writer is empty then. */
  finish(): Uint8Array {
    const bytes = allocate(this.#length);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }

  /** Makes room; before the view is looked up, for it may be another afterwards. */
  #grow(count: number, value: number, max: number): number {
    assert(Number.isInteger(value) && value >= 0 && value <= max, 'what this node encodes fits its field');
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads what anyone sent. It never throws: after the first field that is missing or out of bounds it is not `ok`, and what it gives is worthless. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #ok = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** No field was missing or out of bounds so far. */
  get ok(): boolean {
    return this.#ok;
  }

  /** No field was missing or out of bounds, and nothing is left. */
  get done(): boolean {
    return this.#ok && this.#offset === this.#bytes.length;
  }

  /** How many bytes were read. */
  get offset(): number {
    return this.#offset;
  }

  /** Marks the input as malformed. */
  fail(): void {
    this.#ok = false;
  }

  u8(min = 0, max = 0xff): number {
    const at = this.#take(1);
    return this.#within(at === undefined ? 0 : this.#view.getUint8(at), min, max);
  }

  u16(min = 0, max = 0xffff): number {
    const at = this.#take(2);
    return this.#within(at === undefined ? 0 : this.#view.getUint16(at, true), min, max);
  }

  u32(min = 0, max = 0xffff_ffff): number {
    const at = this.#take(4);
    return this.#within(at === undefined ? 0 : this.#view.getUint32(at, true), min, max);
  }

  u64(min = 0): number {
    const at = this.#take(8);
    const value = at === undefined ? 0 : this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    return this.#within(value, min, Number.MAX_SAFE_INTEGER);
  }

  flag(): boolean {
    return this.u8(0, 1) === 1;
  }

  /** A copy: what is kept must not pin the frame it came in. */
  fixed(length: number): Uint8Array {
    const at = this.#take(length);
    return at === undefined ? emptyBytes : this.#bytes.slice(at, at + length);
  }

  digest(): Digest {
    const at = this.#take(hashBytes);
    return at === undefined ? noDigest : digestOf(this.#bytes, at);
  }

  bytes8(max = 0xff): Uint8Array {
    return this.fixed(this.u8(0, max));
  }

  bytes16(max: number): Uint8Array {
    return this.fixed(this.u16(0, max));
  }

  bytes32(max: number): Uint8Array {
    return this.fixed(this.u32(0, max));
  }

  /** UTF-8 of `min` to `max` bytes. */
  text(min: number, max: number): string {
    const bytes = this.fixed(this.u16(min, max));
    try {
      return decoder.decode(bytes);
    } catch {
      this.#ok = false;
      return '';
    }
  }

  /** `count` things, read until one is malformed. */
  list<T>(count: number, read: () => T): T[] {
    const items: T[] = [];
    for (let i = 0; i < count && this.#ok; i++) items.push(read());
    return items;
  }

  #take(count: number): number | undefined {
    const at = this.#offset;
    if (!this.#ok || at + count > this.#bytes.length) {
      this.#ok = false;
      return undefined;
    }
    this.#offset = at + count;
    return at;
  }

  #within(value: number, min: number, max: number): number {
    if (this.#ok && value >= min && value <= max) return value;
    this.#ok = false;
    // A count or length that is out of bounds must not be followed.
    return 0;
  }
}

const noDigest = digest('0'.repeat(2 * hashBytes));

/**
 * What `read` makes of all the bytes; `undefined` if they are malformed, if some are left, or if `write` would not have made these very bytes: so there is no
 * second encoding of a thing that a hash or a MAC is about.
 */
export function decodeStrictly<T>(
  bytes: Uint8Array,
  read: (reader: ByteReader) => T,
  write: (writer: ByteWriter, value: T) => void,
): T | undefined {
  const reader = new ByteReader(bytes);
  const value = read(reader);
  if (!reader.done) return undefined;
  return equalBytes(encode(value, write), bytes) ? value : undefined;
}

/** Writers that nobody writes with just now: a buffer costs more than what is written. As many as there are encodings within encodings. */
const idleWriters: ByteWriter[] = [];

export function encode<T>(value: T, write: (writer: ByteWriter, value: T) => void): Uint8Array {
  const writer = idleWriters.pop() ?? new ByteWriter();
  write(writer, value);
  idleWriters.push(writer);
  return writer.finish();
}

/** Bytes under a label, for a hash or a signature. */
export const labelled = (domain: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => concatBytes([domain, ...parts]);
