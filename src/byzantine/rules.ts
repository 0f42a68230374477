import type { GroupSizes } from './quorum.ts';
import type { Phase, Statement, Vote } from './statement.ts';
import { previousVote } from './statement.ts';
import type { Value } from './witness.ts';

/** The newest statement of every member, by its index. */
export type Statements = readonly (Statement | undefined)[];

/**
 * What the sender has voted for in this view and phase, as far as its statement says so; one value at most, for its current, frozen and previous votes are
 * of different views.
 */
export function voteIn(s: Statement, view: number, phase: Phase): Value | undefined {
  if (s.view === view) return s.current[phase];
  const last = s.frozen[phase];
  if (last?.view === view) return last.value;
  const before = previousVote(s, phase);
  return before?.view === view ? before.value : undefined;
}

/** A quorum has voted so. What a statement says of votes below its view counts for ever, however old it is: they never change. */
export function isAccepted(statements: Statements, { quorum }: GroupSizes, view: number, phase: Phase, value: Value): boolean {
  let count = 0;
  for (const s of statements) if (s !== undefined && voteIn(s, view, phase) === value) count++;
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

/** Rules 4 and 5: the highest view that this many members ask to move to, if it is above `view`. */
export function askedAbove(statements: Statements, members: number, view: number): number | undefined {
  let count = 0;
  for (const s of statements) if (s !== undefined && s.viewChange > view) count++;
  if (count < members) return undefined;
  return nthHighest(
    statements.map((s) => s?.viewChange ?? 0),
    members,
  );
}

/** Rule 1: the highest view above `view` in which a quorum has voted alike in phase 1, 2 or 3. */
export function acceptedAbove(statements: Statements, sizes: GroupSizes, view: number): number | undefined {
  let highest: number | undefined;
  for (const s of statements) {
    // Its own view is above all that it has frozen.
    if (s === undefined || s.view <= (highest ?? view)) continue;
    for (const phase of [0, 1, 2] as const) {
      const votes = [atView(s.view, s.current[phase]), s.frozen[phase], previousVote(s, phase)];
      for (const vote of votes) {
        if (vote === undefined || vote.view <= (highest ?? view)) continue;
        if (isAccepted(statements, sizes, vote.view, phase, vote.value)) highest = vote.view;
      }
    }
  }
  return highest;
}

/** Rule 2: the value that a quorum has voted for in this view and phase; there is at most one. */
export function acceptedIn(statements: Statements, sizes: GroupSizes, view: number, phase: Phase): Value | undefined {
  let tried: Value | undefined;
  for (const s of statements) {
    const value = s === undefined ? undefined : voteIn(s, view, phase);
    // Mostly they all vote alike: one count will do.
    if (value === undefined || value === tried) continue;
    if (isAccepted(statements, sizes, view, phase, value)) return value;
    tried = value;
  }
  return undefined;
}

/**
 * Rule 3: what is decided, for a quorum has voted so in phase 4 of one view, or for F+1 members say so; `known` is already. More than one only if more than F
 * lie.
 */
export function decisions(statements: Statements, sizes: GroupSizes, known?: Value): Value[] {
  const values = known === undefined ? [] : [known];
  // Mostly they all say the same: it is counted once.
  let [tried, triedView, triedWord]: [Value | undefined, number, Value | undefined] = [undefined, 0, undefined];
  const tryVote = (view: number, value: Value | undefined): void => {
    if (value === undefined || values.includes(value) || (value === tried && view === triedView)) return;
    [tried, triedView] = [value, view];
    if (isAccepted(statements, sizes, view, 3, value)) values.push(value);
  };
  for (const s of statements) {
    if (s === undefined) continue;
    tryVote(s.view, s.current[3]);
    const last = s.frozen[3];
    if (last !== undefined) tryVote(last.view, last.value);
    const word = s.decided;
    if (word === undefined || word === triedWord || values.includes(word)) continue;
    triedWord = word;
    let count = 0;
    for (const other of statements) if (other?.decided === word) count++;
    if (count >= sizes.honestPart) values.push(word);
  }
  return values;
}

const atView = (view: number, value: Value | undefined): Vote | undefined => (value === undefined ? undefined : { view, value });
