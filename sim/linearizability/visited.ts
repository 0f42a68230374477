/**
 * The configurations that a search has reached: which operations are linearised, and the state. A configuration that needed more unanswered operations
 * than a known one, and is else the same, is not new: the known one may still use them.
 */
export class Visited {
  readonly #answered: Uint32Array;
  readonly #unknown: Uint32Array;
  /** By answered operations and state: the sets of unanswered ones. */
  readonly #seen = new Map<string, Uint32Array[]>();
  #size = 0;

  constructor(answered: number, unknown: number) {
    this.#answered = new Uint32Array(Math.ceil(answered / 32));
    this.#unknown = new Uint32Array(Math.ceil(unknown / 32));
  }

  get size(): number {
    return this.#size;
  }

  /** Moves an operation into the set of linearised ones, or out of it. */
  flip({ isAnswered, number }: { readonly isAnswered: boolean; readonly number: number }): void {
    const bits = isAnswered ? this.#answered : this.#unknown;
    bits[number >>> 5] = (bits[number >>> 5] ?? 0) ^ (1 << (number & 31));
  }

  /** True if this unanswered operation is linearised. */
  hasUnknown(number: number): boolean {
    return (((this.#unknown[number >>> 5] ?? 0) >>> (number & 31)) & 1) === 1;
  }

  /** False if this configuration is not new. */
  add(state: string): boolean {
    const key = `${nameOf(this.#answered)} ${state}`;
    const known = this.#seen.get(key);
    if (known?.some((each) => isSubset(each, this.#unknown)) === true) return false;
    this.#size++;
    if (known === undefined) this.#seen.set(key, [this.#unknown.slice()]);
    else known.push(this.#unknown.slice());
    return true;
  }
}

const isSubset = (part: Uint32Array, whole: Uint32Array): boolean => part.every((word, at) => (word & ~(whole[at] ?? 0)) === 0);

/** The set as text. All but a few words in its middle are full or empty, and it is as long as those few. */
function nameOf(bits: Uint32Array): string {
  let from = 0;
  while (from < bits.length && bits[from] === 0xffffffff) from++;
  let to = bits.length;
  while (to > from && bits[to - 1] === 0) to--;
  return `${from}:${bits.subarray(from, to).join()}`;
}
