import type { GroupSizes } from './quorum.ts';
import type { Phase, Statement } from './statement.ts';
import { phases, previousVote } from './statement.ts';
import type { Value } from './witness.ts';

/** The newest statement of every member, by its index. */
export type Statements = readonly (Statement | undefined)[];

/** What a statement says of votes long cast counts for ever: it says where its sender was, and votes below that never change. */
export const hasVoted = (s: Statement, view: number, phase: Phase, value: Value): boolean =>
  (s.view === view && s.current[phase] === value) || isVote(s.frozen[phase], view, value) || isVote(previousVote(s, phase), view, value);

const isVote = (vote: { view: number; value: Value } | undefined, view: number, value: Value): boolean =>
  vote !== undefined && vote.view === view && vote.value === value;

/** A quorum has voted so. */
export function isAccepted(statements: Statements, { quorum }: GroupSizes, view: number, phase: Phase, value: Value): boolean {
  let count = 0;
  for (const s of statements) if (s !== undefined && hasVoted(s, view, phase, value)) count++;
  return count >= quorum;
}

/**
 * The statement speaks for `value` in views up to this one: it claims `value` at r2 when r2 = 0, or when it has voted in r2 or later, and either last for
 * `value` or for two different values since r2. All r2 from 0 up to here, and none above.
 */
export function claimsUpTo({ frozen, previous }: Statement, value: Value, phase: 0 | 1): number {
  const last = frozen[phase];
  return (last?.value === value ? last.view : previous[phase]?.view) ?? 0;
}

/** Which votes rule 1 of `isSafe` looks at, and which its claims. A proposal needs (3, 2), a vote for it (4, 1); as indices one less. */
export interface Level {
  readonly decisive: 2 | 3;
  readonly claims: 0 | 1;
}

export const toPropose: Level = { decisive: 2, claims: 1 };
export const toVote: Level = { decisive: 3, claims: 0 };

/**
 * True when no other value than `value` can have been decided below `view`. The design says: of a quorum of statements made in exactly this view, there is
 * a view r2 below it such that a quorum of them has no decisive vote at or after r2 but for `value` at r2, and F+1 claim `value` at r2.
 *
 * Claims only become fewer as r2 grows and the votes below it only more, so the highest r2 that F+1 claim is the only one to try. That the sender cast no
 * decisive vote at all is the case r2 = 0. The cost does not depend on how high the views are.
 */
export function isSafe(statements: Statements, { quorum, honestPart }: GroupSizes, view: number, value: Value, level: Level): boolean {
  if (view === 0) return true;
  const here: Statement[] = [];
  for (const s of statements) if (s?.view === view) here.push(s);
  if (here.length < quorum) return false;
  const claimed = nthHighest(
    here.map((s) => claimsUpTo(s, value, level.claims)),
    honestPart,
  );
  let count = 0;
  for (const { frozen } of here) {
    const last = frozen[level.decisive];
    if (last === undefined || last.view < claimed || (last.view === claimed && last.value === value)) count++;
  }
  return count >= quorum;
}

/** The `n`-th highest number, n from 1; 0 when there are fewer. */
export const nthHighest = (numbers: readonly number[], n: number): number => numbers.toSorted((a, b) => b - a)[n - 1] ?? 0;

/** Rule 1: a view above `view` in which a quorum has voted alike in phase 1, 2 or 3. */
export function acceptedAbove(statements: Statements, sizes: GroupSizes, view: number): number | undefined {
  let highest: number | undefined;
  for (const s of statements) {
    if (s === undefined) continue;
    for (const phase of phases) {
      if (phase === 3) continue;
      for (const { view: at, value } of votesOf(s, phase)) {
        if (at > (highest ?? view) && isAccepted(statements, sizes, at, phase, value)) highest = at;
      }
    }
  }
  return highest;
}

/** Rule 2: the value that a quorum has voted for in this view and phase; there is at most one. */
export function acceptedIn(statements: Statements, sizes: GroupSizes, view: number, phase: Phase): Value | undefined {
  const tried: Value[] = [];
  for (const s of statements) {
    if (s === undefined) continue;
    for (const { view: at, value } of votesOf(s, phase)) {
      if (at !== view || tried.includes(value)) continue;
      if (isAccepted(statements, sizes, view, phase, value)) return value;
      tried.push(value);
    }
  }
  return undefined;
}

/** Rule 3: what is decided, for a quorum has voted so in phase 4 of one view, or for F+1 members say so. More than one only if more than F lie. */
export function decisions(statements: Statements, sizes: GroupSizes): Set<Value> {
  const values = new Set<Value>();
  for (const s of statements) {
    if (s === undefined) continue;
    for (const { view, value } of votesOf(s, 3)) {
      if (!values.has(value) && isAccepted(statements, sizes, view, 3, value)) values.add(value);
    }
    if (s.decided === undefined || values.has(s.decided)) continue;
    let count = 0;
    for (const other of statements) if (other?.decided === s.decided) count++;
    if (count >= sizes.honestPart) values.add(s.decided);
  }
  return values;
}

function* votesOf(s: Statement, phase: Phase): Generator<{ view: number; value: Value }> {
  const current = s.current[phase];
  const previous = previousVote(s, phase);
  const frozen = s.frozen[phase];
  if (current !== undefined) yield { view: s.view, value: current };
  if (frozen !== undefined) yield frozen;
  if (previous !== undefined) yield previous;
}
