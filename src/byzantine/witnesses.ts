import type { Candidates } from './agreement.ts';
import type { BallotBox, Verdict } from './ballot-box.ts';
import { ignored, rejected, taken } from './ballot-box.ts';
import type { MemberIndex } from './epoch.ts';
import type { Motion } from './motion.ts';
import type { Notary } from './notary.ts';
import type { Statement } from './statement.ts';
import { valuesOf } from './statement.ts';
import { faultOf } from './tally.ts';
import type { Value, Witness } from './witness.ts';

/**
 * Witnesses kept for what this member has voted for or said; the oldest that its statement doesn't name any more goes first. A statement names 12 values at
 * most, and each further one takes a lying leader and a lying voter.
 */
export const maxWitnesses = 32;

/** The verified witnesses of one instance: made here, kept for what this member has said, and the last one that each member offered. */
export class Witnesses implements Candidates {
  readonly #motion: Motion;
  readonly #notary: Notary;
  readonly #box: BallotBox;
  readonly #kept: Map<Value, Witness>;
  readonly #offered: (Witness | undefined)[];

  constructor(motion: Motion, notary: Notary, box: BallotBox, kept: readonly Witness[]) {
    this.#motion = motion;
    this.#notary = notary;
    this.#box = box;
    this.#kept = new Map(kept.map((witness) => [witness.value, witness]));
    this.#offered = Array.from({ length: motion.n }, () => undefined);
  }

  get conclusive(): Value | undefined {
    return this.#box.conclusive?.value;
  }

  get afterExpiry(): Value | undefined {
    return this.#box.afterExpiry?.value;
  }

  isValid(value: Value): boolean {
    return this.of(value) !== undefined;
  }

  of(value: Value | undefined): Witness | undefined {
    if (value === undefined) return undefined;
    const { conclusive, afterExpiry } = this.#box;
    if (conclusive?.value === value) return conclusive;
    if (afterExpiry?.value === value) return afterExpiry;
    return this.#kept.get(value) ?? this.#offered.find((witness) => witness?.value === value);
  }

  /** Takes a witness that another member sent, if it is good and not known. Its ballots go into the box. */
  offer(from: MemberIndex, witness: Witness): Verdict {
    if (this.isValid(witness.value)) return ignored;
    const recognised = this.#box.recognise(witness);
    const fault = faultOf(this.#motion, this.#notary, recognised, this.#box.has);
    if (fault !== undefined) return rejected(`bad witness: ${fault}`);
    this.#offered[from] = recognised;
    for (const ballot of recognised.ballots) this.#box.addBallot(ballot, 'checked');
    for (const expiry of recognised.expiries) this.#box.addExpiry(expiry, 'checked');
    return taken;
  }

  /** Keeps what the statement names. True if there was something new to keep. */
  keep(statement: Statement): boolean {
    const named = valuesOf(statement);
    let isNew = false;
    for (const value of named) {
      const witness = this.#kept.has(value) ? undefined : this.of(value);
      if (witness === undefined) continue;
      this.#kept.set(value, witness);
      isNew = true;
    }
    for (const value of this.#kept.keys()) {
      if (this.#kept.size <= maxWitnesses) break;
      if (!named.has(value)) this.#kept.delete(value);
    }
    return isNew;
  }

  get kept(): readonly Witness[] {
    return [...this.#kept.values()];
  }
}
