const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Appends fields to a record; grows as needed. Numbers up to 2^53 are stored as doubles, which hold them exactly. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    // First: growing makes another view.
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u32(value: number): this {
    // First: growing makes another view.
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }

  int(value: number): this {
    // First: growing makes another view.
    const at = this.#grow(8);
    this.#view.setFloat64(at, value);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  text(value: string): this {
    const bytes = encoder.encode(value);
    return this.u32(bytes.length).raw(bytes);
  }

  /** What was written; a view that the next write may move away from. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(by: number): number {
    const at = this.#length;
    this.#length += by;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** Reads fields in the order they were written. Throws RangeError or TypeError beyond the end or on bytes that are no text. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }

  int(): number {
    return this.#view.getFloat64(this.#skip(8));
  }

  /** A view, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#skip(length);
    if (this.#at > this.#bytes.length) throw new RangeError('a record ends early');
    return this.#bytes.subarray(at, this.#at);
  }

  text(): string {
    return decoder.decode(this.raw(this.u32()));
  }

  #skip(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
