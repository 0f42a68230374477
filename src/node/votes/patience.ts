import type { VerifySignature } from '../../byzantine/crypto.ts';
import type { MemberIndex } from '../../byzantine/epoch.ts';

/** Words of one member in a second that no honest one says, before the rest of what it says in that second is not looked at. */
const maxWrong = 20;
/** Signatures of one member's words that are checked in a second (protocol design 1.11), an eighth of a core. Right ones count as well: a liar signs three in the time of a check. */
const maxChecks = 2000;

/** Bounds what a lying member costs. An honest one never tries it. */
export class Patience {
  readonly #verify: VerifySignature;
  readonly #wrong = new Map<MemberIndex, number>();
  readonly #checks = new Map<MemberIndex, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;
  #heard: MemberIndex | undefined;

  constructor(verify: VerifySignature) {
    this.#verify = verify;
  }

  /** Checks a signature at the expense of the member that is heard. */
  readonly verify: VerifySignature = (...signed) => {
    if (this.#heard !== undefined) count(this.#checks, this.#heard);
    return this.#verify(...signed);
  };

  /** Takes in something that the member said, unless that was too much in this second. */
  hear(member: MemberIndex, nowMs: number, take: () => void): void {
    if (nowMs - this.#sinceMs >= 1000) {
      this.#sinceMs = nowMs;
      this.#wrong.clear();
      this.#checks.clear();
    }
    if ((this.#wrong.get(member) ?? 0) >= maxWrong || (this.#checks.get(member) ?? 0) >= maxChecks) return;
    const before = this.#heard;
    this.#heard = member;
    take();
    this.#heard = before;
  }

  /** The member said something that no honest one says. */
  spend(member: MemberIndex): void {
    count(this.#wrong, member);
  }
}

const count = (of: Map<MemberIndex, number>, member: MemberIndex): void => void of.set(member, (of.get(member) ?? 0) + 1);
