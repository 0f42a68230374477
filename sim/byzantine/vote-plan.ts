import { abstain } from '../../src/byzantine/ballot.ts';
import type { MemberIndex } from '../../src/byzantine/epoch.ts';
import { byzantineQuorum, faultTolerance } from '../../src/byzantine/quorum.ts';
import type { Random } from '../../src/core/random.ts';

/**
 * How a faulty member lies. `twins`: two honest copies of one identity. `liar`: whatever can be made up with its keys and all that is going on in sight.
 * `amnesiac`: honest, but it starts again from older memories.
 */
export type Lie = 'silent' | 'twins' | 'liar' | 'amnesiac';

/** Who hears whom for a while: a bit for each process that hears this one. */
export interface Round {
  readonly untilMs: number;
  readonly reach: readonly number[];
}

export interface Opinion {
  readonly choices: Uint8Array;
  /** What it thinks after a restart, if it has given no ballot before. */
  readonly later: Uint8Array;
  readonly atMs: number;
}

/** One vote in one world. Processes are the members in order, a twin's second copy after all of them, in order of identities. */
export interface VotePlan {
  readonly n: number;
  /** By member; undefined is honest. */
  readonly lies: readonly (Lie | undefined)[];
  readonly items: number;
  readonly options: number;
  readonly minSupport: number;
  readonly timeoutMs: number;
  readonly firstLeader: number;
  /** By process; undefined: it never has one. */
  readonly opinions: readonly (Opinion | undefined)[];
  /** Until the last one ends, messages get lost, doubled and late, and members crash; afterwards honest members are well and hear each other. */
  readonly rounds: readonly Round[];
  /** Afterwards. */
  readonly calmReach: readonly number[];
  /** In 100. */
  readonly loss: number;
  readonly doubled: number;
  readonly maxDelayMs: number;
  readonly crashes: readonly { readonly member: number; readonly atMs: number; readonly downMs: number }[];
}

/** The member that each process is. */
export const membersOf = (lies: readonly (Lie | undefined)[]): number[] => [
  ...lies.keys(),
  ...[...lies.entries()].flatMap(([member, lie]) => (lie === 'twins' ? [member] : [])),
];

const lieKinds: readonly Lie[] = ['silent', 'twins', 'twins', 'liar', 'liar', 'liar', 'amnesiac'];

export interface VoteSettings {
  readonly n: number;
  /** How many lie; by default as many as may, or sometimes fewer. */
  readonly faulty?: number | undefined;
  /** All of them like this. */
  readonly lie?: Lie | undefined;
}

export function drawVotePlan(random: Random, { n, faulty, lie: only }: VoteSettings): VotePlan {
  const chance = (percent: number): boolean => random.below(100) < percent;
  const f = faulty ?? (chance(80) ? faultTolerance(n) : random.below(faultTolerance(n) + 1));
  const lies = drawLies(random, n, f, only);
  const members = membersOf(lies);
  const quorum = byzantineQuorum(n);
  const options = 2 + (chance(20) ? random.below(2) : 0);
  const chaosMs = chance(20) ? 1 : 200 + random.below(2500);
  const agreed = random.below(options);
  const castsWithin = 1 + random.below(chance(50) ? 20 : 600);
  const agreement = [50, 70, 90, 100][random.below(4)] ?? 0;
  const camps = only === 'twins' || chance(30) ? campsOf(members, lies) : undefined;
  const items = chance(85) ? 1 : 2 + random.below(2);
  const minSupport = chance(70) ? quorum : quorum + random.below(n - quorum + 1);
  // Honest members that fall just short of giving an option enough, so that liars may tip it either way.
  const pivotal = chance(40) ? minSupport - 1 - random.below(Math.max(1, f)) : n;
  const isAgainst = (process: number): boolean => lies.slice(0, process).filter((lie) => lie === undefined).length >= pivotal;
  const opinions = members.map((member, process) => {
    const other = camps?.[process] ?? Number(pivotal < n && lies[member] === undefined && isAgainst(process));
    const liked = (agreed + other) % options;
    const choice = (): number => (chance(agreement) ? liked : chance(10) ? abstain : random.below(options));
    const [choices, later] = [Uint8Array.from({ length: items }, choice), Uint8Array.from({ length: items }, choice)];
    return chance(4) ? undefined : { choices, later, atMs: random.below(castsWithin) };
  });
  const liars = members.map((member) => lies[member] !== undefined);
  const crashRate = chance(50) ? 0 : 1 + random.below(3);
  return {
    n,
    lies,
    items,
    options,
    minSupport,
    timeoutMs: 100 + random.below(1500),
    firstLeader: random.below(n),
    opinions,
    rounds: drawRounds(random, members, camps, chaosMs),
    calmReach: drawCalm(random, liars),
    loss: chance(50) ? 0 : random.below(30),
    doubled: chance(50) ? 0 : random.below(20),
    maxDelayMs: 1 + random.below(chance(30) ? 300 : 10),
    crashes: Array.from({ length: crashRate * n }, () => ({
      member: random.below(n),
      atMs: random.below(chaosMs),
      downMs: random.below(300),
    })),
  };
}

function drawLies(random: Random, n: number, f: number, lie: Lie | undefined): (Lie | undefined)[] {
  const lies = Array.from({ length: n }, (): Lie | undefined => undefined);
  for (let left = f; left > 0; ) {
    const member = random.below(n);
    if (lies[member] !== undefined) continue;
    lies[member] = lie ?? lieKinds[random.below(lieKinds.length)];
    left--;
  }
  return lies;
}

/** Two camps of like size that want different things, with a copy of every twin in each. */
const campsOf = (members: readonly MemberIndex[], lies: readonly (Lie | undefined)[]): number[] => {
  let honest = 0;
  return members.map((member, process) => (lies[member] === 'twins' ? Number(member < process) : honest++ % 2));
};

/** Whole networks, partitions into two or three groups, and one-way cuts. If there are camps, they are the two groups. */
function drawRounds(random: Random, members: readonly MemberIndex[], camps: readonly number[] | undefined, chaosMs: number): Round[] {
  const all = 2 ** members.length - 1;
  const rounds: Round[] = [];
  for (let atMs = 0; atMs < chaosMs; ) {
    atMs = Math.min(chaosMs, atMs + 20 + random.below(600));
    const kind = camps !== undefined && random.below(2) === 0 ? 1 : random.below(4);
    const groups = (kind === 1 && camps) || members.map(() => random.below(kind === 1 ? 2 : 3));
    const reach = members.map((_, from) => {
      if (kind === 0) return all;
      if (kind === 3) return all & ~random.below(all + 1) & ~random.below(all + 1);
      return groups.reduce((bits, group, to) => (group === groups[from] ? bits | (1 << to) : bits), 0);
    });
    rounds.push({ untilMs: atMs, reach });
  }
  return rounds;
}

/** Honest processes hear each other; who lies chooses who hears it, and whom it hears. */
function drawCalm(random: Random, liars: readonly boolean[]): number[] {
  const all = 2 ** liars.length - 1;
  const isSelective = random.below(2) === 0;
  const honest = liars.reduce((bits, isLiar, process) => (isLiar ? bits : bits | (1 << process)), 0);
  return liars.map((isLiar) => {
    if (!isSelective) return all;
    return isLiar ? random.below(all + 1) : honest | random.below(all + 1);
  });
}
