import type { MemberIndex } from './epoch.ts';
import type { GroupSizes } from './quorum.ts';
import { groupSizes } from './quorum.ts';
import { acceptedAbove, acceptedIn, askedAbove, decisions, isSafe, toPropose, toVote } from './rules.ts';
import type { Phase, Statement } from './statement.ts';
import { inView, withVote } from './statement.ts';
import type { Value } from './witness.ts';

/** What may be voted for, and what this member would propose: external validity. */
export interface Candidates {
  /** A verified witness for the value is at hand. */
  isValid(value: Value): boolean;
  /** The value that the ballots alone make. */
  readonly conclusive: Value | undefined;
  /** The value of ballots and expiries. */
  readonly afterExpiry: Value | undefined;
}

export interface AgreementParts {
  readonly n: number;
  readonly self: MemberIndex;
  /** The leader of view r is member (firstLeader + r) mod N; view 0 has none. */
  readonly firstLeader: number;
  /** Where this member was before it stopped, or its first statement. */
  readonly statement: Statement;
  readonly candidates: Candidates;
}

/**
 * One member's part in agreeing on one value: single-shot TetraBFT (Yu, Losa, Wang, PODC 2024), rules R1 to R7 of protocol design 1.5, over the newest
 * statement of every member. It votes once a view and phase, never below its view, and for nothing that it has no witness for in phase 1. It knows nothing of
 * ballots, time or messages.
 */
export class Agreement {
  readonly sizes: GroupSizes;
  readonly #self: MemberIndex;
  readonly #firstLeader: number;
  readonly #candidates: Candidates;
  readonly #statements: (Statement | undefined)[];
  #own: Statement;
  /** As it was when last settled: the one that others may have. */
  #settled: Statement;
  #breach: readonly Value[] | undefined;

  constructor({ n, self, firstLeader, statement, candidates }: AgreementParts) {
    this.sizes = groupSizes(n);
    this.#self = self;
    this.#firstLeader = firstLeader;
    this.#candidates = candidates;
    this.#statements = Array.from({ length: n }, () => undefined);
    this.#own = statement;
    this.#settled = statement;
    this.#statements[self] = statement;
  }

  /** This member's statement. */
  get own(): Statement {
    return this.#own;
  }

  /** Two values that both have what it takes to be decided: more than F members lie. From then on this member says nothing new. */
  get breach(): readonly Value[] | undefined {
    return this.#breach;
  }

  leaderOf(view: number): MemberIndex | undefined {
    return view === 0 ? undefined : (this.#firstLeader + view) % this.sizes.n;
  }

  statementOf(member: MemberIndex): Statement | undefined {
    return this.#statements[member];
  }

  /** Takes a newer statement of another member. Call `settle` then. */
  receive(from: MemberIndex, statement: Statement): void {
    this.#statements[from] = statement;
  }

  /** The time of this view is up. Call `settle` then. */
  timeOut(): void {
    if (this.#own.decided === undefined && this.#own.viewChange === this.#own.view) this.#change({ viewChange: this.#own.view + 1 });
  }

  /** Applies the rules until none does any more. Call it after every change, also of the candidates. */
  settle(): void {
    while (this.#breach === undefined && this.#step());
    if (this.#own === this.#settled) return;
    this.#change({ revision: this.#settled.revision + 1 });
    this.#settled = this.#own;
  }

  /** Applies the first rule that changes something. */
  #step(): boolean {
    return this.#follow() || this.#vote() || this.#decide() || this.#moveOn() || this.#propose() || this.#open();
  }

  /** R1: where a quorum has voted alike, this member must be too. */
  #follow(): boolean {
    const view = acceptedAbove(this.#statements, this.sizes, this.#own.view);
    return view !== undefined && this.#enter(view);
  }

  /** R2: what a quorum voted for in one phase is this member's vote in the next. */
  #vote(): boolean {
    const { view, current } = this.#own;
    for (const phase of [0, 1, 2] as const) {
      const next: Phase = phase === 0 ? 1 : phase === 1 ? 2 : 3;
      if (current[next] !== undefined) continue;
      const value = acceptedIn(this.#statements, this.sizes, view, phase);
      if (value !== undefined) return this.#cast(next, value);
    }
    return false;
  }

  /** R3. */
  #decide(): boolean {
    const before = this.#own.decided;
    const values = decisions(this.#statements, this.sizes, before);
    if (values.length > 1) this.#breach = values;
    const decided = values[0];
    return values.length === 1 && decided !== undefined && decided !== before && this.#change({ decided });
  }

  /** R4 and R5: F+1 that ask for a view make this member ask too; a quorum that asks moves it. F liars can do neither. */
  #moveOn(): boolean {
    const { view, viewChange } = this.#own;
    const amplified = askedAbove(this.#statements, this.sizes.honestPart, viewChange);
    if (amplified !== undefined) return this.#change({ viewChange: amplified });
    const agreed = askedAbove(this.#statements, this.sizes.quorum, view);
    return agreed !== undefined && this.#enter(agreed);
  }

  /** R6: the leader proposes what may have been decided already, if anything may, and else what it holds to be the outcome. */
  #propose(): boolean {
    const { view, proposed } = this.#own;
    if (proposed !== undefined || this.leaderOf(view) !== this.#self) return false;
    const value = this.wishes().find((candidate) => this.#candidates.isValid(candidate));
    return value !== undefined && this.#change({ proposed: value });
  }

  /** What this member could propose as the leader of its view, best first, whether or not it has a witness. */
  wishes(): Value[] {
    const wishes = new Set<Value>();
    const votes = this.#statements.flatMap((s) => s?.frozen[2] ?? []).toSorted((a, b) => b.view - a.view);
    for (const { value } of votes) wishes.add(value);
    if (this.#candidates.conclusive !== undefined) wishes.add(this.#candidates.conclusive);
    if (this.#candidates.afterExpiry !== undefined) wishes.add(this.#candidates.afterExpiry);
    return [...wishes].filter((value) => isSafe(this.#statements, this.sizes, this.#own.view, value, toPropose));
  }

  /** R7: the first vote of a view, for the ballots' outcome in view 0, and later for what the leader proposes. */
  #open(): boolean {
    const { view, current } = this.#own;
    if (current[0] !== undefined) return false;
    const value = view === 0 ? this.#candidates.conclusive : this.proposal;
    if (value === undefined || !this.#candidates.isValid(value)) return false;
    return isSafe(this.#statements, this.sizes, view, value, toVote) && this.#cast(0, value);
  }

  /** What the leader of this member's view proposes. */
  get proposal(): Value | undefined {
    const leader = this.leaderOf(this.#own.view);
    const statement = leader === undefined ? undefined : this.#statements[leader];
    return statement?.view === this.#own.view ? statement.proposed : undefined;
  }

  #enter(view: number): true {
    return this.#become(inView(this.#own, view));
  }

  #cast(phase: Phase, value: Value): true {
    return this.#become(withVote(this.#own, phase, value));
  }

  #change(fields: Partial<Statement>): true {
    return this.#become({ ...this.#own, ...fields });
  }

  #become(statement: Statement): true {
    this.#own = statement;
    this.#statements[this.#self] = statement;
    return true;
  }
}
