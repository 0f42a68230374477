import { drawFaults, FaultInjector } from './faults.ts';
import type { World } from './world.ts';

export interface Scenario {
  readonly title: string;
  /** Sets the scene and returns what ends it. */
  begin(world: World): () => void;
}

const beginRandomFaults = (world: World): (() => void) => {
  const injector = new FaultInjector(world, drawFaults(world.random));
  return () => injector.stop();
};

const split = (world: World, sides: readonly (readonly number[])[]): void => {
  const sideOf = (node: number): number => sides.findIndex((side) => side.includes(node));
  world.counts.partitions++;
  for (let a = 0; a < world.size; a++) {
    for (let b = 0; b < world.size; b++) {
      if (sideOf(a) === sideOf(b)) continue;
      world.trace.event('cut', a, b);
      world.network.cut(a, b);
    }
  }
};

const leaderOf = (world: World): number => [...Array(world.size).keys()].find((i) => world.replica(i)?.isServing === true) ?? 0;

const repeat = (world: World, everyMs: number, job: () => void): (() => void) => {
  let isActive = true;
  const next = (): void => {
    world.queue.after(everyMs * 1000, () => {
      if (!isActive) return;
      job();
      next();
    });
  };
  next();
  return () => {
    isActive = false;
  };
};

const all = (world: World): number[] => [...Array(world.size).keys()];

/** Named worlds, and `random`, which draws its faults from the seed. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map<string, Scenario>([
  ['random', { title: 'faults of every kind, drawn from the seed', begin: (world) => beginRandomFaults(world) }],
  [
    'split-brain',
    {
      title: 'the cluster splits into a minority with the old leader and a majority, and heals, again and again',
      begin: (world) =>
        repeat(world, 6000, () => {
          const leader = leaderOf(world);
          const others = all(world).filter((node) => node !== leader);
          const minority = [leader, ...others.slice(0, Math.floor((world.size - 1) / 2) - 1)];
          split(world, [minority, all(world).filter((node) => !minority.includes(node))]);
          world.queue.after(3_000_000, () => world.healNetwork());
        }),
    },
  ],
  [
    'isolate-leader',
    {
      title: 'the leader is cut off from everybody, again and again',
      begin: (world) =>
        repeat(world, 5000, () => {
          const leader = leaderOf(world);
          split(world, [[leader], all(world).filter((node) => node !== leader)]);
          world.queue.after(2_500_000, () => world.healNetwork());
        }),
    },
  ],
  [
    'kill-leader',
    {
      title: 'the leader is killed and comes back, again and again',
      begin: (world) =>
        repeat(world, 4000, () => {
          const leader = leaderOf(world);
          world.crash(leader);
          world.queue.after(2_000_000, () => world.start(leader));
        }),
    },
  ],
  [
    'flapping',
    {
      title: 'one link goes up and down every few hundred milliseconds',
      begin: (world) => {
        let isCut = false;
        return repeat(world, 400, () => {
          isCut = !isCut;
          if (isCut) split(world, [[0], all(world).slice(1)]);
          else world.healNetwork();
        });
      },
    },
  ],
  [
    'power-loss',
    {
      title: 'all nodes lose power at one moment, with writes in flight',
      begin: (world) =>
        repeat(world, 8000, () => {
          for (const node of all(world)) world.crash(node);
          for (const node of all(world)) world.queue.after(500_000 + world.random.below(1_000_000), () => world.start(node));
        }),
    },
  ],
]);
