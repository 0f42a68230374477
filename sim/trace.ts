import { sha256 } from '@noble/hashes/sha2.js';
import type { Mark } from './picture/recording.ts';

/** Who is told every event, as text or as it is. */
export interface Listeners {
  readonly onLine?: ((line: string) => void) | undefined;
  readonly onMark?: ((mark: Mark) => void) | undefined;
  /** Told every step of a node's Raft, as a line of JSON (tla-trace.ts). */
  readonly onTla?: ((line: string) => void) | undefined;
}

/**
 * Everything that happens in a run, folded into one hash: two runs of a seed are the same run exactly when their hashes are. Events go through a cheap
 * rolling hash of 64 bits; SHA-256 only over its final value and the count.
 */
export class Trace {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;
  #count = 0;
  readonly #listeners: Listeners;
  readonly #nowUs: () => number;

  constructor(nowUs: () => number, listeners: Listeners = {}) {
    this.#nowUs = nowUs;
    this.#listeners = listeners;
  }

  get count(): number {
    return this.#count;
  }

  event(kind: string, node: number, x = 0, y = 0): void {
    this.#count++;
    this.#mix(this.#nowUs());
    for (let i = 0; i < kind.length; i++) this.#mix(kind.charCodeAt(i));
    this.#mix(node);
    this.#mix(x);
    this.#mix(y);
    this.#listeners.onMark?.({ atUs: this.#nowUs(), node, kind, x, y });
    this.#listeners.onLine?.(`${(this.#nowUs() / 1000).toFixed(3).padStart(10)} ms  n${node + 1}  ${kind} ${x} ${y}`);
  }

  bytes(bytes: Uint8Array): void {
    this.#mix(bytes.length);
    for (let i = 0; i < bytes.length; i += 7) this.#mix(bytes[i] ?? 0);
  }

  hash(): string {
    const final = new Uint8Array(12);
    const view = new DataView(final.buffer);
    view.setUint32(0, this.#a >>> 0);
    view.setUint32(4, this.#b >>> 0);
    view.setUint32(8, this.#count >>> 0);
    return Array.from(sha256(final).subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  #mix(value: number): void {
    const low = value | 0;
    const high = Math.floor(value / 2 ** 32) | 0;
    this.#a = Math.imul(this.#a ^ low, 0x01000193) ^ high;
    this.#b = (Math.imul(this.#b ^ low, 0x85ebca6b) + (this.#a >>> 13)) | 0;
  }
}
