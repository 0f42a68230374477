import type { Random } from '../src/core/random.ts';
import type { NetworkFaults } from './network.ts';
import type { DiskFaults, World } from './world.ts';

/** Which faults a seed has, and how often: drawn once (swarm testing), so that each run tries a mixture of its own. */
export interface FaultPlan {
  readonly network: NetworkFaults;
  readonly disk: DiskFaults;
  /** Mean time between two faults of the kind; 0: never. */
  readonly crashEveryMs: number;
  readonly partitionEveryMs: number;
  readonly pauseEveryMs: number;
  readonly clockJumpEveryMs: number;
  /** Partitions cut both directions of a link, or only one. */
  readonly oneWay: boolean;
}

export function drawFaults(random: Random): FaultPlan {
  const sometimes = <T>(value: T, otherwise: T): T => (random.below(2) === 0 ? value : otherwise);
  return {
    network: {
      minDelayUs: 100 + random.below(1000),
      maxDelayUs: 2000 + random.below(sometimes(3000, 40_000)),
      lossChance: sometimes(0, random.below(1000)),
      duplicateChance: sometimes(0, random.below(500)),
      tailChance: sometimes(0, random.below(100)),
    },
    disk: { minWriteUs: 50, maxWriteUs: 200 + random.below(sometimes(1000, 50_000)) },
    crashEveryMs: sometimes(0, 1000 + random.below(10_000)),
    partitionEveryMs: sometimes(0, 1000 + random.below(10_000)),
    pauseEveryMs: sometimes(0, 2000 + random.below(10_000)),
    clockJumpEveryMs: sometimes(0, 3000 + random.below(10_000)),
    oneWay: random.below(3) === 0,
  };
}

/** Does faults to a world until it is told to stop. Never more than a minority of nodes is down for long, so that there is something to see. */
export class FaultInjector {
  readonly #world: World;
  readonly #plan: FaultPlan;
  #isActive = true;

  constructor(world: World, plan: FaultPlan) {
    this.#world = world;
    this.#plan = plan;
    world.network.faults = plan.network;
    world.disks = plan.disk;
    this.#every(plan.crashEveryMs, () => this.#crash());
    this.#every(plan.partitionEveryMs, () => this.#partition());
    this.#every(plan.pauseEveryMs, () => this.#pause());
    this.#every(plan.clockJumpEveryMs, () => world.jumpClock(world.random.below(world.size), world.random.below(20_000) - 10_000));
  }

  stop(): void {
    this.#isActive = false;
  }

  #every(meanMs: number, fault: () => void): void {
    if (meanMs === 0) return;
    const { queue, random } = this.#world;
    queue.after((meanMs / 2 + random.below(meanMs)) * 1000, () => {
      if (!this.#isActive) return;
      fault();
      this.#every(meanMs, fault);
    });
  }

  #crash(): void {
    const world = this.#world;
    const down = [...Array(world.size).keys()].filter((node) => !world.isUp(node)).length;
    // Now and then all at once: what is acknowledged must survive that too.
    const nodes = world.random.below(8) === 0 ? [...Array(world.size).keys()] : [world.random.below(world.size)];
    if (nodes.length === 1 && (down + 1) * 2 > world.size) return;
    for (const node of nodes) {
      world.crash(node);
      world.queue.after(10_000 + world.random.below(3_000_000), () => {
        world.counts.restarts++;
        world.start(node);
      });
    }
  }

  #partition(): void {
    const { network, random, size, queue, counts, trace } = this.#world;
    counts.partitions++;
    const side = Array.from({ length: size }, () => random.below(2));
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        if (side[a] === side[b] || (this.#plan.oneWay && side[a] === 1)) continue;
        trace.event('cut', a, b);
        network.cut(a, b);
      }
    }
    queue.after(200_000 + random.below(4_000_000), () => this.#world.healNetwork());
  }

  #pause(): void {
    const world = this.#world;
    const node = world.random.below(world.size);
    world.pause(node);
    world.queue.after(100_000 + world.random.below(5_000_000), () => world.resume(node));
  }
}
