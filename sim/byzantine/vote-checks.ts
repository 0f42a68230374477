import type { SignedExpiry } from '../../src/byzantine/ballot.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import type { Outgoing } from '../../src/byzantine/messages.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import { isWithin } from '../../src/byzantine/motion.ts';
import type { Notary } from '../../src/byzantine/notary.ts';
import type { Memory } from '../../src/byzantine/ready.ts';
import { faultOf } from '../../src/byzantine/tally.ts';
import type { Value, Witness } from '../../src/byzantine/witness.ts';
import { maxWitnesses } from '../../src/byzantine/witnesses.ts';
import { hold } from '../violation.ts';

/** What honest members may never do (protocol design 1.13), checked as they do it. Told only of honest ones. */
export class VoteChecks {
  readonly #motion: Motion;
  readonly #notary: Notary;
  readonly #liars: ReadonlySet<MemberIndex>;
  readonly #votes = new Map<string, Value>();
  #decided: Witness | undefined;
  #highestAsked = 0;

  constructor(motion: Motion, notary: Notary, liars: ReadonlySet<MemberIndex>) {
    this.#motion = motion;
    this.#notary = notary;
    this.#liars = liars;
  }

  get decided(): Witness | undefined {
    return this.#decided;
  }

  /** I4, I5, I8 and one ballot and expiry for ever. */
  saved(member: MemberIndex, before: Memory | undefined, after: Memory): void {
    const now = after.statement;
    for (const [phase, value] of now.current.entries()) {
      if (value !== undefined) this.#voted(member, now.view, phase, value);
    }
    for (const [phase, vote] of now.frozen.entries()) {
      if (vote !== undefined) this.#voted(member, vote.view, phase, vote.value);
    }
    for (const [phase, vote] of now.previous.entries()) {
      if (vote !== undefined) this.#voted(member, vote.view, phase, vote.value);
    }
    // An honest member asks for one view more when its time is up, and else for what an honest one asked for.
    hold(now.viewChange <= this.#highestAsked + 1, 'liars-move-nobody', () => `member ${member} asks for view ${now.viewChange}`);
    this.#highestAsked = Math.max(this.#highestAsked, now.viewChange);
    hold(after.witnesses.length <= maxWitnesses, 'bounded-memory', () => `member ${member} keeps ${after.witnesses.length} witnesses`);
    if (before === undefined) return;
    const then = before.statement;
    const goesOn = now.view >= then.view && now.viewChange >= then.viewChange && now.revision >= then.revision && now.boot >= then.boot;
    hold(goesOn, 'monotonic', () => `member ${member} went back from view ${then.view} to ${now.view}`);
    hold(then.decided === undefined || then.decided === now.decided, 'agreement', () => `member ${member} changed its decision`);
    hold(before.ballot === undefined || before.ballot === after.ballot, 'one-ballot', () => `member ${member} has two ballots`);
    hold(growsFrom(before.expiry, after.expiry), 'expiries-grow', () => `member ${member} takes an expiry back`);
  }

  #voted(member: MemberIndex, view: number, phase: number, value: Value): void {
    const key = `${member}/${view}/${phase}`;
    const before = this.#votes.get(key);
    this.#votes.set(key, value);
    hold(before === undefined || before === value, 'one-vote', () => `member ${member} voted twice in view ${view}, phase ${phase + 1}`);
  }

  /** I3: nothing is said that is not on disk. */
  sent(member: MemberIndex, disk: Memory | undefined, { message }: Outgoing): void {
    if (message.type === 'statement') {
      const { revision } = message.statement;
      const saved = disk?.statement.revision ?? 0;
      hold(revision <= saved, 'durable-before-sent', () => `member ${member} sent revision ${revision} and has saved ${saved}`);
    } else if (message.type === 'ballot' && message.ballot.ballot.voter === member) {
      hold(message.ballot === disk?.ballot, 'durable-before-sent', () => `member ${member} sent a ballot that it has not saved`);
    } else if (message.type === 'expiry' && message.expiry.expiry.voter === member) {
      hold(message.expiry === disk?.expiry, 'durable-before-sent', () => `member ${member} sent an expiry that it has not saved`);
    }
  }

  /** I1 and I2, and that a liar counts for one ballot at most. */
  decides(member: MemberIndex, witness: Witness): void {
    const other = this.#decided ?? witness;
    hold(
      other.value === witness.value,
      'agreement',
      () => `member ${member} decided ${witness.outcome.join()}, another ${other.outcome.join()}`,
    );
    this.#decided = other;
    const fault = faultOf(this.#motion, this.#notary, witness);
    hold(fault === undefined, 'valid-witness', () => `member ${member} decided on a bad witness: ${fault}`);
    for (const [item, option] of witness.outcome.entries()) {
      if (option >= this.#motion.options) continue;
      const honest = witness.ballots.filter(({ ballot }) => !this.#liars.has(ballot.voter) && ballot.choices[item] === option).length;
      const enough = this.#motion.minSupport - this.#liars.size;
      hold(honest >= enough, 'honest-support', () => `item ${item} was decided with ${honest} honest ballots, not ${enough}`);
    }
  }
}

const growsFrom = (before: SignedExpiry | undefined, after: SignedExpiry | undefined): boolean =>
  before === undefined || (after !== undefined && isWithin(before.expiry.items, after.expiry.items));
