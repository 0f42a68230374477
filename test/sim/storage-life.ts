import { SeededRandom } from '../../src/core/random.ts';
import type { Entry, HardState } from '../../src/raft/messages.ts';
import type { Engine } from '../../src/storage/engine.ts';
import { openStore } from '../../src/storage/opening.ts';
import { Damage } from '../../src/storage/recovery.ts';
import { call, type Routine, runRoutine } from '../../src/storage/routine.ts';
import type { RaftStore } from '../../src/storage/store.ts';
import { EventQueue } from '../../sim/event-queue.ts';
import { VirtualDisk } from '../../sim/storage/virtual-disk.ts';
import { VirtualEngine } from '../../sim/storage/virtual-engine.ts';
import { entry, identity, meta, n1 } from '../storage/support.ts';

/** What a store should hold. */
interface Model {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
  readonly compactedIndex: number;
  readonly compactedTerm: number;
  readonly snapshot: { readonly index: number; readonly chunks: readonly Uint8Array[] } | undefined;
}

const empty: Model = {
  hardState: { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 0 },
  entries: [],
  compactedIndex: 0,
  compactedTerm: 0,
  snapshot: undefined,
};

/** Something to do with a store, and what it then should hold. */
interface Deed {
  readonly begin: (store: RaftStore, done: (error: Error | undefined) => void) => void;
  readonly after: Model;
  /** Nothing else is done meanwhile. */
  readonly isAlone: boolean;
}

export interface Life {
  /** What was promised and not kept. */
  readonly broken: string | undefined;
  readonly crashes: number;
  /** Crashes that took back something that was not acknowledged, and those that left something of it. */
  readonly takenBack: number;
  readonly kept: number;
  /** Flipped bits that opening noticed, and those that made no difference. */
  readonly noticed: number;
  readonly harmless: number;
}

interface LifeOptions {
  readonly mayFlip: boolean;
  /** Lets a test break the engine. */
  readonly wrap?: (engine: Engine) => Engine;
}

/**
 * The production store on one virtual disk, through crashes and, `mayFlip`, damage: after each the store must hold what was acknowledged, or that and the beginning
 * of what was under way; a damaged one may refuse instead.
 */
export function live(seed: number, options: LifeOptions): Life {
  const lives = new Lives(seed, options);
  for (let round = 0; round < 12; round++) {
    const broken = lives.next();
    if (broken !== undefined) return { ...lives.counts, broken };
  }
  return { ...lives.counts, broken: undefined };
}

interface Opened {
  readonly store: RaftStore;
  readonly model: Model;
}

class Lives {
  readonly counts = { crashes: 0, takenBack: 0, kept: 0, noticed: 0, harmless: 0 };
  readonly #random: SeededRandom;
  readonly #options: LifeOptions;
  readonly #queue = new EventQueue();
  readonly #disk = new VirtualDisk();
  /** What the store may hold after a crash, from what was acknowledged last to everything that was begun. */
  #expected: readonly Model[] = [empty];
  /** Since the store was last opened. */
  #isFlipped = false;
  #number = 0;

  constructor(seed: number, options: LifeOptions) {
    this.#random = new SeededRandom(seed);
    this.#options = options;
  }

  /** Opens the store, looks at it, works with it for a while and crashes. Says what was promised and not kept. */
  next(): string | undefined {
    const life = ++this.#number;
    const after = (delayUs: () => number) => (job: () => void) =>
      this.#queue.after(delayUs(), () => {
        if (this.#number === life) job();
      });
    const engine = new VirtualEngine(this.#disk, { later: after(() => 1 + this.#random.below(1000)), soon: after(() => 1) });
    const { opened, refusal } = this.#open(engine);
    let broken: string | undefined;
    if (refusal !== undefined) broken = this.#onRefused(refusal);
    else if (opened !== undefined) broken = this.#onOpened(opened);
    engine.stop();
    this.#crash();
    return broken;
  }

  #open(engine: Engine): { readonly opened: Opened | undefined; readonly refusal: Error | undefined } {
    const { wrap = (same) => same } = this.#options;
    const end: { opened: Opened | undefined; refusal: Error | undefined } = { opened: undefined, refusal: undefined };
    runRoutine(open(this.#disk, wrap(engine)), (outcome) => {
      if ('value' in outcome) end.opened = outcome.value;
      else if (outcome.error instanceof Damage) end.refusal = outcome.error;
      else throw outcome.error;
    });
    // A store may also die while it is being opened.
    const untilUs = this.#random.below(8) === 0 ? this.#queue.nowUs + this.#random.below(2000) : Number.MAX_SAFE_INTEGER;
    while (end.opened === undefined && end.refusal === undefined && this.#queue.step(untilUs));
    return end;
  }

  #onRefused({ message }: Error): string | undefined {
    if (!this.#isFlipped) return `refused, and nobody damaged it: ${message}`;
    this.counts.noticed++;
    this.#isFlipped = false;
    this.#disk.erase();
    this.#expected = [empty];
    return undefined;
  }

  #onOpened({ store, model }: Opened): string | undefined {
    const found = this.#expected.findIndex((candidate) => isSame(candidate, model));
    if (found < 0) return `holds ${JSON.stringify(summary(model))} instead of ${JSON.stringify(this.#expected.map(summary))}`;
    if (this.#isFlipped) this.counts.harmless++;
    else if (this.#expected.length > 1) this.counts[found === 0 ? 'takenBack' : 'kept']++;
    this.#isFlipped = false;
    this.#expected = work(store, model, this.#random, this.#queue);
    return undefined;
  }

  #crash(): void {
    this.counts.crashes++;
    this.#disk.crash(this.#random);
    if (!this.#options.mayFlip || this.#isFlipped || this.#random.below(2) === 0) return;
    this.#disk.flip(this.#random);
    this.#isFlipped = true;
  }
}

function* open(disk: VirtualDisk, engine: Engine): Routine<Opened> {
  disk.mount();
  const { store, state } = yield* openStore(engine, { directory: 'here', identity });
  const { snapshot, ...rest } = state;
  const chunks: Uint8Array[] = [];
  for (let chunk = 0; chunk < (snapshot?.chunks ?? 0); chunk++) {
    const data = yield* call<Uint8Array | undefined>((done) => store.readChunk(snapshot?.meta.index ?? 0, chunk, done));
    chunks.push(data ?? new Uint8Array(0));
  }
  return { store, model: { ...rest, snapshot: snapshot && { index: snapshot.meta.index, chunks } } };
}

/** Does things with a store for a while. Gives what it may hold when it dies there and then. */
function work(store: RaftStore, start: Model, random: SeededRandom, queue: EventQueue): readonly Model[] {
  let expected: readonly Model[] = [start];
  let isAlone = false;
  const deeds = random.below(40);
  for (let i = 0; i < deeds; i++) {
    const last = expected.at(-1) ?? start;
    const deed = drawDeed(last, random);
    // A snapshot and a compaction have the store to themselves, so that what comes after what is certain.
    const mayWait = isAlone || deed.isAlone ? 0 : 2;
    while (expected.length - 1 > mayWait && queue.step(Number.MAX_SAFE_INTEGER));
    ({ isAlone } = deed);
    expected = [...expected, deed.after];
    deed.begin(store, (error) => {
      if (error !== undefined) throw error;
      expected = expected.slice(1);
    });
    for (let steps = random.below(5); steps > 0; steps--) queue.step(Number.MAX_SAFE_INTEGER);
  }
  for (let steps = random.below(6); steps > 0; steps--) queue.step(Number.MAX_SAFE_INTEGER);
  return expected;
}

function drawDeed(model: Model, random: SeededRandom): Deed {
  const ends = model.entries.map(({ index }) => index);
  const [first = 0] = ends;
  const lastIndex = ends.at(-1) ?? model.compactedIndex;
  const newSnapshot = ends.findLast((index) => index > (model.snapshot?.index ?? 0));
  const covered = ends.filter((index) => index <= (model.snapshot?.index ?? 0));
  switch (random.below(12)) {
    case 0:
      if (newSnapshot !== undefined) return snapshotDeed(model, newSnapshot, random);
      break;
    case 1:
      if (covered.length > 0) return compactDeed(model, covered[random.below(covered.length)] ?? first);
      break;
    case 2:
      return installDeed(model, lastIndex + 1 + random.below(5), random);
  }
  return saveDeed(model, random);
}

function saveDeed(model: Model, random: SeededRandom): Deed {
  const cut = random.below(4) === 0 ? random.below(model.entries.length + 1) : model.entries.length;
  const kept = model.entries.slice(0, cut);
  const currentTerm = model.hardState.currentTerm + random.below(2);
  let index = kept.at(-1)?.index ?? model.compactedIndex;
  const entries = Array.from({ length: random.below(4) }, () => {
    const count = 1 + random.below(3);
    index += count;
    const length = random.below(20) === 0 ? 20_000 : random.below(200);
    return entry(index, { term: currentTerm, count, data: new Uint8Array(length).fill(random.below(256)) });
  });
  const votedFor = random.below(2) === 0 ? n1 : undefined;
  const hardState = currentTerm > model.hardState.currentTerm ? { ...model.hardState, currentTerm, votedFor } : model.hardState;
  const isLogSame = entries.length === 0;
  return {
    begin: (store, done) => store.save({ hardState, entries }, done),
    after: { ...model, hardState, entries: isLogSame ? model.entries : [...kept, ...entries] },
    isAlone: false,
  };
}

const termAt = (model: Model, index: number): number => model.entries.find((e) => e.index === index)?.term ?? model.compactedTerm;

const drawChunks = (random: SeededRandom): readonly Uint8Array[] =>
  Array.from({ length: 1 + random.below(3) }, () => new Uint8Array(random.below(500)).fill(random.below(256)));

function snapshotDeed(model: Model, index: number, random: SeededRandom): Deed {
  const chunks = drawChunks(random);
  return {
    begin: (store, done) => store.saveSnapshot(meta(index, termAt(model, index)), chunks, done),
    after: { ...model, snapshot: { index, chunks } },
    isAlone: true,
  };
}

function compactDeed(model: Model, index: number): Deed {
  const term = termAt(model, index);
  return {
    begin: (store, done) => store.compact(index, term, done),
    after: { ...model, entries: model.entries.filter((e) => e.index > index), compactedIndex: index, compactedTerm: term },
    isAlone: true,
  };
}

function installDeed(model: Model, index: number, random: SeededRandom): Deed {
  const chunks = drawChunks(random);
  const term = model.hardState.currentTerm;
  const snapshot = meta(index, term);
  return {
    begin: (store, done) => {
      const step = (chunk: number) => (error: Error | undefined) => {
        const data = chunks[chunk];
        if (error !== undefined || data === undefined) return done(error);
        store.save({ snapshotChunk: { snapshot, chunk, chunks: chunks.length, data } }, step(chunk + 1));
      };
      step(0)(undefined);
    },
    after: { ...model, entries: [], compactedIndex: index, compactedTerm: term, snapshot: { index, chunks } },
    isAlone: true,
  };
}

const isSame = (a: Model, b: Model): boolean => text(a) === text(b);

const text = ({ hardState: h, entries, compactedIndex, compactedTerm, snapshot }: Model): string =>
  JSON.stringify([
    [h.currentTerm, h.votedFor, h.commitIndex, h.rejoining],
    entries.map(({ index, term, count, kind, data }) => [index, term, count, kind, base64(data)]),
    [compactedIndex, compactedTerm],
    snapshot && [snapshot.index, snapshot.chunks.map(base64)],
  ]);

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const summary = ({ hardState, entries, compactedIndex, snapshot }: Model): unknown => ({
  term: hardState.currentTerm,
  from: compactedIndex,
  to: entries.at(-1)?.index,
  snapshot: snapshot?.index,
});
