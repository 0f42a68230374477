import type { NodeId } from '../../src/core/ids.ts';
import type { SeededRandom } from '../../src/core/random.ts';
import { decodeSlots } from '../../src/storage/guard.ts';
import { entryKey, headKey } from '../../src/storage/keys.ts';
import { lossOf, mayBeginAnew } from '../../src/storage/lost-store.ts';
import { emptyDisk } from '../../src/storage/memory-store.ts';
import { openStore, type OpenedStore } from '../../src/storage/opening.ts';
import { decodeHead, type Head, termOf } from '../../src/storage/records.ts';
import { Damage } from '../../src/storage/recovery.ts';
import { call, type Routine, runRoutine } from '../../src/storage/routine.ts';
import { damaged } from '../../src/storage/storage-error.ts';
import { hold } from '../violation.ts';
import { rewriteOne } from './rewriting.ts';
import type { Durable, OpenedDisk, SimulatedDisk } from './simulated-disk.ts';
import { VirtualDisk } from './virtual-disk.ts';
import { type Timing, VirtualEngine } from './virtual-engine.ts';

/** A damage that no opening has looked at yet. */
interface UnseenDamage {
  /** What the disk held before. */
  readonly durable: Durable;
  /** The last write that both copies of the disk had: no damage of one of them may take it away unnoticed. */
  readonly sequence: number;
}

/** A disk with the production store: its records, guard, recovery, and what a node makes of a damaged one. */
export class LevelDisk implements SimulatedDisk {
  readonly #node: NodeId;
  readonly #random: SeededRandom;
  readonly #disk = new VirtualDisk();
  #engine: VirtualEngine | undefined;
  /** There was a store here: the file `started` of a data directory. */
  #isMarked = false;
  #damage: UnseenDamage | undefined;
  #decoded: { readonly record: Uint8Array; readonly head: Head | undefined } | undefined;

  constructor(node: NodeId, random: SeededRandom) {
    this.#node = node;
    this.#random = random;
  }

  get durable(): Durable {
    if (this.#damage !== undefined) return this.#damage.durable;
    const head = this.#head();
    if (head !== undefined) return { hardState: head.hardState, lastIndex: head.last.index, isWhole: head.hardState.rejoining === 0 };
    return { hardState: emptyDisk.hardState, lastIndex: 0, isWhole: !this.#isMarked };
  }

  termAt(index: number): number | undefined {
    const head = this.#head();
    if (head === undefined || index === 0) return index === 0 ? 0 : undefined;
    const point = [head.last, head.base].find((end) => end.index === index);
    if (point !== undefined) return point.term;
    const record = this.#disk.get(entryKey(index), { isDurable: true });
    return record === undefined ? undefined : termOf(record);
  }

  open(timing: Timing, ready: (opened: OpenedDisk) => void, failed: (error: unknown) => void): void {
    const engine = new VirtualEngine(this.#disk, timing);
    this.#engine = engine;
    runRoutine(this.#open(engine), (outcome) => {
      if ('value' in outcome) ready(outcome.value);
      else failed(outcome.error);
    });
  }

  failNextWrite(error: Error): void {
    this.#engine?.failNextWrite(error);
  }

  crash(): void {
    this.#engine?.stop();
    this.#engine = undefined;
    this.#disk.crash(this.#random);
  }

  lose(): void {
    this.#isMarked = true;
    this.#damage = undefined;
    this.#disk.erase();
  }

  /** A disk that is damaged already stays as it is: against two faults at once nothing is promised. */
  flip(random: SeededRandom): void {
    if (this.#damage !== undefined) return;
    const [slot] = decodeSlots(this.#disk.slots);
    const sequence = Math.min(slot?.sequence ?? 0, this.#head()?.sequence ?? 0);
    this.#damage = { durable: { ...this.durable, isWhole: false }, sequence };
    this.#disk.flip(random);
  }

  rewrite(random: SeededRandom): boolean {
    if (this.#damage !== undefined || this.#head()?.hardState.rejoining !== 0) return false;
    const atOnce = (job: () => void): void => job();
    let isRewritten = false;
    runRoutine(this.#openStore(new VirtualEngine(this.#disk, { later: atOnce, soon: atOnce })), (outcome) => {
      if (!('value' in outcome)) throw outcome.error;
      const { store, state } = outcome.value;
      const entries = rewriteOne(state, random);
      if (entries === undefined) return;
      store.save({ entries }, (error) => {
        isRewritten = error === undefined;
      });
    });
    return isRewritten;
  }

  *#open(engine: VirtualEngine): Routine<OpenedDisk> {
    const { store, state } = yield* this.#openOrBeginAnew(engine);
    if (state.hardState.rejoining === 0) this.#isMarked = true;
    const chunks: Uint8Array[] = [];
    while (state.snapshot !== undefined && chunks.length < state.snapshot.chunks) {
      const { index } = state.snapshot.meta;
      const data = yield* call<Uint8Array | undefined>((done) => store.readChunk(index, chunks.length, done));
      hold(data !== undefined, 'snapshot-is-there', () => `${this.#node}: chunk ${chunks.length} of the snapshot at ${index} is missing`);
      chunks.push(data);
    }
    this.#damage = undefined;
    return { store, state, chunks };
  }

  /** As `openNodeStore` does with a directory. */
  *#openOrBeginAnew(engine: VirtualEngine): Routine<OpenedStore> {
    try {
      const opened = yield* this.#openStore(engine);
      const { sequence = 0 } = this.#damage ?? {};
      // The opening itself was one more write.
      const found = (this.#head()?.sequence ?? 0) - 1;
      hold(
        found >= sequence,
        'damage-is-noticed',
        () => `${this.#node} opened a damaged store at write ${found}, and write ${sequence} had been made`,
      );
      return opened;
    } catch (error) {
      const refusal = error instanceof Damage ? damaged(`of ${this.#node}`, error.message, error) : error;
      // Alone it could not be repaired, but then no plan damages it.
      if (!mayBeginAnew(refusal, false)) throw refusal;
      hold(this.#damage !== undefined, 'no-damage-by-itself', () => String(refusal));
      this.#isMarked = true;
      this.#disk.erase();
      this.#damage = { ...this.#damage, sequence: 0 };
      return yield* this.#openStore(engine);
    }
  }

  *#openStore(engine: VirtualEngine): Routine<OpenedStore> {
    this.#disk.mount();
    const nonce = (): number => 1 + this.#random.below(2 ** 31);
    return yield* openStore(engine, {
      directory: `of ${this.#node}`,
      identity: { clusterId: 'simulated', nodeId: this.#node },
      rejoining: lossOf(this.#isMarked, nonce),
    });
  }

  /** The durable head; decoded once. */
  #head(): Head | undefined {
    const record = this.#disk.get(headKey, { isDurable: true });
    if (record === undefined) return undefined;
    if (this.#decoded?.record !== record) this.#decoded = { record, head: decodeHead(record) };
    return this.#decoded.head;
  }
}
