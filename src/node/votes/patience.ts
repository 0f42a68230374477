import type { MemberIndex } from '../../byzantine/epoch.ts';

/** Words of one member in a second that no honest one says, before the rest of what it says in that second is not looked at: each may cost a signature check. */
const maxPerSecond = 20;

/** Bounds what a lying member costs. An honest one never tries it. */
export class Patience {
  readonly #spent = new Map<MemberIndex, number>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  isOverWith(member: MemberIndex, nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= 1000) {
      this.#sinceMs = nowMs;
      this.#spent.clear();
    }
    return (this.#spent.get(member) ?? 0) >= maxPerSecond;
  }

  spend(member: MemberIndex): void {
    this.#spent.set(member, (this.#spent.get(member) ?? 0) + 1);
  }
}
