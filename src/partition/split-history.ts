import type { LogIndex, NodeId, TaskId, Term } from '../core/ids.ts';
import type { SplitClass } from './classify.ts';
import type { HealReport } from './heal/heal-report.ts';
import type { PartitionState } from './partition-state.ts';

/** Splits that are remembered, and happenings of each: the first are kept, the rest counted. */
const maxSplits = 100;
const maxHappenings = 2000;

/** What happened in a split, as one node saw it. Times are Unix milliseconds by that node's clock. */
export type Happening =
  | { readonly kind: 'state'; readonly state: PartitionState; readonly class: SplitClass; readonly degraded: boolean }
  /** `node` lost or regained the frames of `peer`. */
  | { readonly kind: 'edge'; readonly node: NodeId; readonly peer: NodeId; readonly heard: boolean }
  | { readonly kind: 'leader'; readonly node: NodeId; readonly leader: NodeId | undefined; readonly term: Term }
  | { readonly kind: 'commit'; readonly node: NodeId; readonly index: LogIndex }
  | { readonly kind: 'requeue'; readonly task: TaskId; readonly reason: string }
  | { readonly kind: 'merge'; readonly peer: NodeId; readonly what: string };

export interface Split {
  /** Of this node: its boot and a count. */
  readonly id: string;
  readonly startMs: number;
  /** From the first lost link to a stable class. */
  detectedMs: number | undefined;
  class: SplitClass;
  sides: readonly (readonly NodeId[])[];
  endMs: number | undefined;
  report: HealReport | undefined;
  readonly happenings: (Happening & { readonly atMs: number })[];
  omitted: number;
}

/** The splits that a node has seen, the newest last. */
export class SplitHistory {
  readonly #boot: number;
  readonly #splits: Split[] = [];
  #count = 0;

  constructor(boot: number) {
    this.#boot = boot;
  }

  get splits(): readonly Split[] {
    return this.#splits;
  }

  /** The split that is not over. */
  get open(): Split | undefined {
    const last = this.#splits.at(-1);
    return last?.endMs === undefined ? last : undefined;
  }

  /** A link was lost while all was well. */
  begin(startMs: number): Split {
    const split: Split = {
      id: `${this.#boot}-${++this.#count}`,
      startMs,
      detectedMs: undefined,
      class: 'none',
      sides: [],
      endMs: undefined,
      report: undefined,
      happenings: [],
      omitted: 0,
    };
    this.#splits.push(split);
    if (this.#splits.length > maxSplits) this.#splits.shift();
    return split;
  }

  /** The class is stable. A second split before the first is healed is the same record, with the worst of its classes. */
  classified(kind: SplitClass, sides: Split['sides'], nowMs: number): void {
    const split = this.open;
    if (split === undefined) return;
    split.detectedMs ??= nowMs - split.startMs;
    if (rank[kind] < rank[split.class]) return;
    split.class = kind;
    split.sides = sides;
  }

  note(happening: Happening, atMs: number): void {
    const split = this.open;
    if (split === undefined) return;
    if (split.happenings.length < maxHappenings) split.happenings.push({ ...happening, atMs });
    else split.omitted++;
  }

  /** A suspicion that came to nothing leaves no record. */
  dismiss(): void {
    if (this.open?.detectedMs === undefined && this.open !== undefined) this.#splits.pop();
  }

  end(endMs: number, report: HealReport | undefined): void {
    const split = this.open;
    if (split === undefined) return;
    split.endMs = endMs;
    split.report = report;
  }
}

const rank: Readonly<Record<SplitClass, number>> = { none: 0, 'node-loss': 1, partial: 2, simplex: 3, complete: 4, flapping: 5 };
