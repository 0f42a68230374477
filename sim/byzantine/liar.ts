import type { SignedBallot } from '../../src/byzantine/ballot.ts';
import { abstain } from '../../src/byzantine/ballot.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { ByzantineMessage, Outgoing, StatementMessage } from '../../src/byzantine/messages.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import { bitmapOf } from '../../src/byzantine/motion.ts';
import type { OfPhase, Statement, Vote } from '../../src/byzantine/statement.ts';
import { valuesOf } from '../../src/byzantine/statement.ts';
import { tallyOf } from '../../src/byzantine/tally.ts';
import type { Value, Witness } from '../../src/byzantine/witness.ts';
import type { Random } from '../../src/core/random.ts';
import type { Forge } from './seals.ts';

/** What a liar can see: everything. */
export interface Sight {
  /** Of honest members, by index. */
  readonly statements: readonly (Statement | undefined)[];
  readonly ballots: readonly SignedBallot[];
}

export interface LiarParts {
  readonly member: MemberIndex;
  readonly motion: Motion;
  readonly firstLeader: number;
  readonly random: Random;
  readonly seals: Forge;
  readonly sight: () => Sight;
}

const maxRemembered = 30;

/** Makes up what a liar says: statements that look right and are not, several ballots, witnesses for several outcomes, old and foreign words, and floods. */
export class Liar {
  readonly #parts: LiarParts;
  readonly #said: ByzantineMessage[] = [];
  /** It lies only where it may pay: whoever is caught early counts for nothing. */
  readonly #isSubtle: boolean;
  #witnesses: Witness[] = [];
  #revision = 0;

  constructor(parts: LiarParts) {
    this.#parts = parts;
    this.#isSubtle = parts.random.below(2) === 0;
  }

  /** What becomes of an honest word: it is kept back, said to one and not to another, or changed on the way. */
  twist(outgoing: Outgoing): Outgoing[] {
    this.#remember(outgoing.message);
    const { to, message } = outgoing;
    const kind = this.#below(10);
    if (kind < 2) return [];
    if (kind < 3 && !this.#isSubtle) return [{ to, message: this.#make(to) }];
    if (message.type !== 'statement') return [outgoing];
    const statement = kind < 6 && !this.#isSubtle ? this.#lookalike(message.statement) : message.statement;
    return [{ to, message: { ...message, statement: { ...statement, ...this.#next() } } }];
  }

  /** Something unasked for, now and then a flood of it. */
  mischief(): Outgoing[] {
    const kind = this.#below(this.#isSubtle ? 2 : 6);
    if (kind === 0) return this.#help();
    if (kind === 1) return this.#scheme();
    const count = this.#below(20) === 0 ? 40 : 1 + this.#below(4);
    return Array.from({ length: count }, () => {
      const to = this.#below(this.#parts.motion.n);
      return { to, message: this.#make(to) };
    });
  }

  /** Votes with some others in all phases, as each of them does: so one of them may decide before the rest knows. */
  #help(): Outgoing[] {
    return this.#some().flatMap((to) => {
      const statement = this.#parts.sight().statements[to];
      const value = statement?.current.findLast((voted) => voted !== undefined);
      if (statement === undefined || value === undefined) return [];
      const { view, viewChange, frozen, previous } = statement;
      const current = [value, value, value, value] as const;
      const made = { ...this.#next(), view, viewChange, frozen, previous, current, proposed: undefined, decided: undefined };
      return [{ to, message: this.#statement(made) }];
    });
  }

  #some(): MemberIndex[] {
    const all = Array.from({ length: this.#parts.motion.n }, (_, to) => to);
    return this.#below(2) === 0 ? all : all.filter(() => this.#below(2) === 0);
  }

  /** Another outcome with all that honest members ask for: a witness, a leader's proposal, claims of votes just before, and votes of its own. */
  #scheme(): Outgoing[] {
    const witness = (this.#below(3) > 0 ? this.#pick(this.#witnesses) : undefined) ?? this.#witness();
    const { value } = witness;
    const view = this.#pick(this.#honest())?.view ?? 0;
    const claim = view > 0 ? { view: view - 1, value } : undefined;
    const statement: Statement = {
      ...this.#next(),
      view,
      viewChange: view,
      frozen: [claim, claim, undefined, undefined],
      previous: [undefined, undefined],
      current: [value, value, value, value],
      proposed: this.#leads(view) ? value : undefined,
      decided: undefined,
    };
    const message = this.#statement(statement);
    return this.#some().flatMap((to) => [
      { to, message: { type: 'witness', witness } },
      { to, message },
    ]);
  }

  #leads(view: number): boolean {
    return view > 0 && (this.#parts.firstLeader + view) % this.#parts.motion.n === this.#parts.member;
  }

  /** Newer than all that it has said. */
  #next(): { boot: number; revision: number } {
    return { boot: 1, revision: ++this.#revision };
  }

  #make(to: MemberIndex): ByzantineMessage {
    const { motion, seals, member } = this.#parts;
    const kind = this.#below(20);
    const { proposal } = motion;
    if (kind < 3) return { type: 'ballot', ballot: seals.ballot(member, { proposal, voter: member, choices: this.#choices() }) };
    // Forged: not signed by its voter.
    if (kind < 4) return { type: 'ballot', ballot: seals.ballot(member, { proposal, voter: to, choices: this.#choices() }) };
    if (kind < 5) {
      const items = bitmapOf(motion.items, () => this.#below(2) === 0);
      return { type: 'expiry', expiry: seals.expiry(member, { proposal, voter: member, items }) };
    }
    if (kind < 8) return { type: 'witness', witness: this.#witness() };
    if (kind < 9) return { type: 'want', value: this.#pick(this.#values()) };
    if (kind < 11) return this.#said[this.#below(this.#said.length)] ?? this.#statement(this.#made());
    if (kind < 12) return this.#statement(this.#pick(this.#honest()) ?? this.#made());
    return this.#statement(this.#made());
  }

  #remember(message: ByzantineMessage): void {
    if (this.#said.length >= maxRemembered) this.#said[this.#below(maxRemembered)] = message;
    else this.#said.push(message);
  }

  #statement(statement: Statement): StatementMessage {
    const { n } = this.#parts.motion;
    const message: StatementMessage = {
      type: 'statement',
      statement,
      seen: this.#below(2) === 0 ? undefined : { boot: this.#below(4), revision: this.#below(10) },
      ballots: bitmapOf(n, () => this.#below(2) === 0),
      expiries: bitmapOf(n, () => this.#below(2) === 0),
      asks: this.#below(2) === 0,
    };
    this.#remember(message);
    return message;
  }

  /** Of this or that value in the places of an honest statement. */
  #lookalike(statement: Statement): Statement {
    const value = this.#pick(this.#values());
    const swap = <T>(old: T | undefined, to: T): T | undefined => (old === undefined || this.#below(2) === 0 ? old : to);
    const [a, b, c, d] = statement.current;
    return {
      ...statement,
      current: [swap(a, value), swap(b, value), swap(c, value), swap(d, value)],
      proposed: swap(statement.proposed, value),
    };
  }

  /** Well formed, in a view near the others', with votes for values that matter. */
  #made(): Statement {
    const near = this.#pick(this.#honest())?.view ?? 0;
    const view = this.#below(30) === 0 ? this.#below(2 ** 32 - 2) : near + (this.#below(4) === 0 ? this.#below(3) : 0);
    const values = this.#values();
    const main = this.#pick(values);
    const value = (): Value => (this.#below(3) > 0 ? main : this.#pick(values));
    const maybe = (): Value | undefined => (this.#below(3) > 0 ? value() : undefined);
    const vote = (below: number): Vote | undefined =>
      below > 0 && this.#below(4) > 0
        ? { view: this.#below(2) === 0 ? below - 1 : this.#below(Math.min(below, 2 ** 31)), value: value() }
        : undefined;
    const frozen: OfPhase<Vote | undefined> = [vote(view), vote(view), vote(view), vote(view)];
    const before = (last: Vote | undefined): Vote | undefined => {
      const found = last === undefined ? undefined : vote(last.view);
      return found?.value === last?.value ? undefined : found;
    };
    return {
      ...this.#next(),
      view,
      viewChange: view + (this.#below(3) === 0 ? this.#below(3) : 0),
      frozen,
      previous: [before(frozen[0]), before(frozen[1])],
      current: [maybe(), maybe(), maybe(), maybe()],
      proposed: this.#leads(view) ? maybe() : undefined,
      decided: this.#below(6) === 0 ? value() : undefined,
    };
  }

  /** A good witness for one of the outcomes that its own ballots can tip, or one with forged or repeated ballots. */
  #witness(): Witness {
    const { motion, seals, sight, member } = this.#parts;
    const { proposal } = motion;
    const choices = this.#choices();
    const own = seals.ballot(member, { proposal, voter: member, choices });
    const others = sight().ballots.filter(({ ballot }) => ballot.voter !== member && this.#below(8) > 0);
    const kind = this.#below(8);
    const forged = Array.from({ length: motion.n }, (_, voter) => seals.ballot(member, { proposal, voter, choices }));
    const ballots = kind === 0 ? forged : kind === 1 ? forged.map(() => own) : [...others, own];
    const outcome = tallyOf(motion, ballots, []).conclusive ?? choices;
    const witness = { proposal, value: seals.valueOf(proposal, outcome), outcome, ballots, expiries: [] };
    this.#witnesses = [...this.#witnesses.filter(({ value }) => value !== witness.value), witness].slice(-4);
    return witness;
  }

  #choices(): Uint8Array {
    const { items, options } = this.#parts.motion;
    return Uint8Array.from({ length: items }, () => (this.#below(8) === 0 ? abstain : this.#below(options)));
  }

  #values(): readonly [Value, ...Value[]] {
    const { motion, seals } = this.#parts;
    const values = new Set(this.#witnesses.map(({ value }) => value));
    for (const statement of this.#honest()) for (const value of valuesOf(statement)) values.add(value);
    return [seals.valueOf(motion.proposal, this.#choices()), ...values];
  }

  #honest(): Statement[] {
    return this.#parts.sight().statements.filter((statement) => statement !== undefined);
  }

  #pick<T>(from: readonly [T, ...T[]]): T;
  #pick<T>(from: readonly T[]): T | undefined;
  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  #below(bound: number): number {
    return bound === 0 ? 0 : this.#parts.random.below(bound);
  }
}
