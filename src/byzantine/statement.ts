import type { Value } from './witness.ts';

export interface Vote {
  readonly view: number;
  readonly value: Value;
}

/** The four phases of a view, as indices; the paper counts from 1. */
export type Phase = 0 | 1 | 2 | 3;

/** Of the four phases, in order. */
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

const none = [undefined, undefined, undefined, undefined] as const;

export const firstStatement = (boot: number): Statement => ({
  boot,
  revision: 0,
  view: 0,
  viewChange: 0,
  frozen: none,
  previous: [undefined, undefined],
  current: none,
  proposed: undefined,
  decided: undefined,
});

/** True when `a` was made after `b` by the same sender. */
export const isNewer = (a: { boot: number; revision: number }, b: { boot: number; revision: number } | undefined): boolean =>
  b === undefined || a.boot > b.boot || (a.boot === b.boot && a.revision > b.revision);

/** The statement with a vote of this phase in its view. */
export const withVote = (statement: Statement, phase: Phase, value: Value): Statement => ({
  ...statement,
  current: replaced(statement.current, phase, value),
});

/** The statement in a later view: its votes so far are frozen. */
export function inView(statement: Statement, view: number): Statement {
  let { frozen, previous } = statement;
  for (const phase of phases) {
    const value = statement.current[phase];
    if (value === undefined) continue;
    const before = frozen[phase];
    if (phase < 2 && before !== undefined && before.value !== value) previous = phase === 0 ? [before, previous[1]] : [previous[0], before];
    frozen = replaced(frozen, phase, { view: statement.view, value });
  }
  return {
    ...statement,
    view,
    viewChange: Math.max(statement.viewChange, view),
    frozen,
    previous,
    current: none,
    proposed: undefined,
  };
}

/** The statement's last vote of the phase for another value than the frozen one's; remembered of the first two phases only. */
export const previousVote = ({ previous }: Statement, phase: Phase): Vote | undefined =>
  phase === 0 ? previous[0] : phase === 1 ? previous[1] : undefined;

export const phases: readonly Phase[] = [0, 1, 2, 3];

const replaced = <T>([a, b, c, d]: OfPhase<T>, phase: Phase, to: T): OfPhase<T> => [
  phase === 0 ? to : a,
  phase === 1 ? to : b,
  phase === 2 ? to : c,
  phase === 3 ? to : d,
];

/** Every value that the statement names: at most 12. */
export function valuesOf({ frozen, previous, current, proposed, decided }: Statement): Set<Value> {
  const values = new Set<Value>();
  for (const vote of [...frozen, ...previous]) if (vote !== undefined) values.add(vote.value);
  for (const value of [...current, proposed, decided]) if (value !== undefined) values.add(value);
  return values;
}

/** Why no honest member makes such a statement, in words; undefined when one may. */
export function contradictionIn(statement: Statement, mayPropose: boolean): string | undefined {
  const { view, viewChange, frozen, previous, proposed } = statement;
  if (viewChange < view) return 'it asks to move to a view below its own';
  if (frozen.some((vote) => vote !== undefined && vote.view >= view)) return 'a frozen vote is not below the view';
  for (const [phase, vote] of previous.entries()) {
    const last = frozen[phase];
    if (vote === undefined) continue;
    if (last === undefined || vote.view >= last.view) return 'a previous vote is not below the frozen one';
    if (vote.value === last.value) return 'a previous vote has the value of the frozen one';
  }
  if (proposed !== undefined && (view === 0 || !mayPropose)) return 'it proposes without being the leader';
  return undefined;
}

/** Why an honest member that made `before` does not make `after` later, in words; undefined when it may. */
export function regressionOf(before: Statement, after: Statement): string | undefined {
  if (after.view < before.view || after.viewChange < before.viewChange) return 'a view went back';
  if (before.decided !== undefined && after.decided !== before.decided) return 'a decision changed';
  const isSameView = after.view === before.view;
  if (isSameView && before.proposed !== undefined && after.proposed !== before.proposed) return 'a proposal changed';
  for (const phase of phases) {
    const value = before.current[phase];
    const last = after.frozen[phase];
    if (isSameView && value !== undefined && after.current[phase] !== value) return 'a vote changed';
    if (isSameView && !isSameVote(before.frozen[phase], last)) return 'a frozen vote changed';
    if (!isSameView && value !== undefined && !isKept({ view: before.view, value }, last)) return 'a vote was lost';
    if (!isSameView && !isKept(before.frozen[phase], last)) return 'a frozen vote was lost';
  }
  for (const phase of [0, 1] as const) {
    const [earlier, later] = [before.previous[phase], after.previous[phase]];
    if (isSameView ? !isSameVote(earlier, later) : !isKept(earlier, later)) return 'a previous vote was lost';
  }
  return undefined;
}

const isSameVote = (a: Vote | undefined, b: Vote | undefined): boolean => a?.view === b?.view && a?.value === b?.value;

/** The later of two memories of one vote is the same or of a higher view. */
const isKept = (before: Vote | undefined, after: Vote | undefined): boolean =>
  before === undefined || (after !== undefined && after.view > before.view) || isSameVote(before, after);
