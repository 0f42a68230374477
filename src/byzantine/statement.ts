import type { Value } from './witness.ts';

export interface Vote {
  readonly view: number;
  readonly value: Value;
}

/** Of the four phases of a view, in order. */
export type OfPhase<T> = readonly [T, T, T, T];

/** All that a member has to say about an instance: the newest replaces all before, so to lose, repeat or reorder them does no harm (protocol design 1.5). */
export interface Statement {
  /** The sender's count of its starts, from 1. With `revision` it orders the statements of one sender. */
  readonly boot: number;
  /** Grows with every change, also across boots; from 0. */
  readonly revision: number;
  /** `view`: where the sender is, from 0. All votes below it are as they will ever be. */
  readonly view: number;
  /** `vc`: the highest view it asks to move to, at least `view`. */
  readonly viewChange: number;
  /** `fr`: its highest vote of each phase in views below `view`. */
  readonly frozen: OfPhase<Vote | undefined>;
  /** `pv`: its highest vote below `view` for another value than the frozen one's, of phases 1 and 2. */
  readonly previous: readonly [Vote | undefined, Vote | undefined];
  /** `cur`: its votes in `view`. */
  readonly current: OfPhase<Value | undefined>;
  /** `prop`: what it proposes as the leader of `view`. */
  readonly proposed: Value | undefined;
  /** `dec`: what it knows to be decided. */
  readonly decided: Value | undefined;
}

/** A view above this is malformed: views have 32 bits. */
export const maxView = 0xffff_ffff;
