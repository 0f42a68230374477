import type { Lie, VotePlan } from './vote-plan.ts';

/** Four members, the first of them twins: five processes, the last one its second copy. */
const lies: readonly (Lie | undefined)[] = ['twins', undefined, undefined, undefined];
const everybody = 0b11111;

/** Every way to put five processes into at most two groups, as who hears whom. */
const partitions: readonly (readonly number[])[] = Array.from({ length: 16 }, (_, group) =>
  [0, 1, 2, 3, 4].map((process) => {
    const isIn = ((group >> process) & 1) === 1;
    return isIn ? group : everybody & ~group;
  }),
);

/** What the honest three want, up to the names of the options; the twins want one each. */
const wishes = [
  [0, 0, 0],
  [0, 0, 1],
  [0, 1, 0],
  [1, 0, 0],
] as const;

/**
 * The votes of four members, one of them twins, through two views, each with every partition into at most two groups, every order of leaders and every way
 * to disagree (Bano et al., Twins: BFT systems made robust, 2021): 16 · 16 · 4 · 4 = 4,096. Then all hear each other.
 */
export function* twinRounds(): Generator<VotePlan> {
  for (const first of partitions) {
    for (const second of partitions) {
      for (let firstLeader = 0; firstLeader < 4; firstLeader++) {
        for (const [a, b, c] of wishes) {
          yield {
            n: 4,
            lies,
            items: 1,
            options: 2,
            minSupport: 3,
            timeoutMs: 100,
            firstLeader,
            opinions: [0, a, b, c, 1].map((choice) => ({ choices: Uint8Array.of(choice), later: Uint8Array.of(choice), atMs: 1 })),
            // View 0 is timed from its votes or from the deadline, at 100 ms at the latest, for 150 ms; view 1 for 225.
            rounds: [
              { untilMs: 255, reach: first },
              { untilMs: 500, reach: second },
            ],
            calmReach: [0, 1, 2, 3, 4].map(() => everybody),
            loss: 0,
            doubled: 0,
            maxDelayMs: 1,
            crashes: [],
          };
        }
      }
    }
  }
}
