import { expect } from 'chai';
import { Engine } from '../../src/byzantine/engine.ts';
import type { Motion } from '../../src/byzantine/motion.ts';
import type { Witness } from '../../src/byzantine/witness.ts';
import { expired } from '../../src/byzantine/witness.ts';
import { proposalNumber } from '../../sim/byzantine/seals.ts';
import { Signing } from './support.ts';

/** Five members, so that one may lie and four are a quorum; two items, four ballots for an option. */
const bundle: Motion = { proposal: proposalNumber(0), n: 5, items: 2, options: 2, minSupport: 4 };
const deadlineMs = 1000;
/** Member 3 lies, and has no engine. */
const honest = [0, 1, 2, 4];

/** Honest members whose messages arrive at once and in order. */
class Members {
  readonly sign = new Signing();
  readonly engines = new Map(honest.map((self) => [self, this.#engine(self)]));
  readonly decided = new Map<number, Witness>();
  nowMs = 0;

  #engine(self: number): Engine {
    return new Engine({ motion: bundle, self, boot: 1, notary: this.sign, timeoutMs: deadlineMs, viewMs: () => 150 }, 0);
  }

  at(member: number): Engine {
    const engine = this.engines.get(member);
    if (engine === undefined) throw new RangeError(`member ${member} lies`);
    return engine;
  }

  /** The liar gives this ballot to some. */
  lie(choices: readonly number[], to: readonly number[]): void {
    for (const member of to) this.at(member).step(3, { type: 'ballot', ballot: this.sign.by(3, ...choices) }, this.nowMs);
  }

  /** Until nobody has anything to say. */
  deliver(): void {
    let isQuiet = false;
    while (!isQuiet) {
      isQuiet = true;
      for (const [self, engine] of this.engines) {
        const ready = engine.takeReady();
        if (ready === undefined) continue;
        isQuiet = false;
        for (const unsigned of ready.toSign)
          engine.signed('choices' in unsigned ? this.sign.ballot(self, unsigned) : this.sign.expiry(self, unsigned), this.nowMs);
        for (const { to, message } of ready.messages) this.engines.get(to)?.step(self, message, this.nowMs);
        if (ready.decided !== undefined) this.decided.set(self, ready.decided);
      }
    }
  }

  tick(members: readonly number[]): void {
    for (const member of members) this.at(member).tick(this.nowMs);
  }
}

describe('byzantine: a bundle with a double ballot and a silent voter', () => {
  it('is decided, though one member held conclusive ballots for an item that the others let expire', () => {
    const members = new Members();
    for (const [member, second] of [0, 0, 1].entries()) members.at(member).cast(Uint8Array.of(0, second));
    // With member 0 the first item has its four ballots; with the others three, and member 4 never votes.
    members.lie([0, 0], [0]);
    members.lie([1, 0], [1, 2, 4]);
    members.deliver();

    // Its time is up first, so it lets only the second item expire; then it learns of the other ballot, and then of the others' expiries.
    members.nowMs = deadlineMs;
    members.tick([0]);
    members.deliver();
    members.lie([1, 0], [0]);
    members.tick([1, 2, 4]);
    for (; members.decided.size < honest.length && members.nowMs < 20_000; members.nowMs += 10) {
      members.tick(honest);
      members.deliver();
    }

    const outcomes = honest.map((member) => members.decided.get(member)?.outcome);
    expect(outcomes).to.deep.equal(honest.map(() => Uint8Array.of(expired, expired)));
  });
});
