import type { Action, Plan, Step, Target } from './plan.ts';
import type { World } from './world.ts';

/** Lays a plan's steps into a world's future. */
export function schedule(world: World, { steps }: Plan): void {
  for (const step of steps) world.queue.after(step.atMs * 1000, () => begin(world, step));
}

function begin(world: World, { forMs, action }: Step): void {
  if (world.isHealed) return;
  const end = act(world, action, forMs);
  if (end === undefined) return;
  world.queue.after(Math.max(1, forMs * 1000), () => {
    if (!world.isHealed) end();
  });
}

/** Does it, and returns what undoes it. */
function act(world: World, action: Action, forMs: number): (() => void) | undefined {
  switch (action.kind) {
    case 'split':
      return cutAll(world, between(world, action.groups));
    case 'shatter':
      return cutAll(
        world,
        between(
          world,
          world.indices.map((node) => [node]),
        ),
      );
    case 'ambush':
      world.onElected = (leader) => ambush(world, leader, action.frames);
      return () => {
        world.onElected = undefined;
      };
    case 'bridge': {
      const [left = [], , right = []] = resolveGroups(world, action.groups);
      return cutAll(world, pairs(left, right, true));
    }
    case 'cut': {
      const [from = [], to = []] = resolveGroups(world, action.groups);
      return cutAll(world, pairs(from, to, false));
    }
    case 'clog': {
      const [from = [], to = []] = resolveGroups(world, action.groups);
      const links = pairs(from, to, false);
      for (const [a, b] of links) world.clog(a, b, true);
      return () => {
        for (const [a, b] of links) world.clog(a, b, false);
      };
    }
    case 'members':
      world.wantMembers(resolve(world, action.who, []));
      return undefined;
    case 'transfer':
      world.transfer(resolve(world, action.who, []));
      return undefined;
    case 'lie': {
      const liars = resolve(world, action.who, []);
      for (const node of liars) world.lie(node, true);
      return () => {
        for (const node of liars) world.lie(node, false);
      };
    }
    case 'crash':
    case 'lose':
    case 'skew':
    case 'flip':
    case 'rewrite':
    case 'pause':
    case 'fail':
    case 'slow':
    case 'clock':
    case 'drift':
      return actOn(world, action, resolve(world, action.who, []), forMs);
  }
}

function actOn(
  world: World,
  action: Exclude<Extract<Action, { readonly who: unknown }>, { readonly kind: 'members' | 'transfer' | 'lie' }>,
  nodes: readonly number[],
  forMs: number,
): (() => void) | undefined {
  const each = (job: (node: number) => void) => (): void => {
    for (const node of nodes) job(node);
  };
  switch (action.kind) {
    case 'crash':
      // A single crash never takes the majority away: then nothing would be left to see. All at once is another matter: what is durable must survive it.
      if (nodes.length === 1 && !world.canSpare(nodes)) return undefined;
      each((node) => world.crash(node))();
      return each((node) => world.start(node));
    case 'lose':
    case 'flip':
      // The promises of a majority are beyond recovery.
      if (world.isChanging || !world.canSpare(nodes)) return undefined;
      each((node) => (action.kind === 'lose' ? world.loseDisk(node) : world.flipBit(node)))();
      return each((node) => world.start(node));
    case 'rewrite':
      // The others must be able to say that it is this one, and to take it in again.
      if (world.isChanging || !world.canSpare(nodes)) return undefined;
      each((node) => world.rewriteLog(node))();
      return each((node) => {
        world.checkLog(node);
        world.repairLog(node);
      });
    case 'pause':
      each((node) => world.pause(node))();
      return each((node) => world.resume(node));
    case 'fail':
      if (!world.canSpare(nodes)) return undefined;
      each((node) => world.failDisk(node))();
      return each((node) => world.start(node));
    case 'skew':
      if (!world.canSpare(nodes)) return undefined;
      each((node) => world.restartAs(node, 1))();
      return each((node) => world.restartAs(node, 0));
    case 'slow':
      each((node) => world.slowDisk(node, action.ms))();
      return each((node) => world.slowDisk(node, 0));
    case 'clock':
      each((node) => world.jumpClock(node, action.ms))();
      return undefined;
    case 'drift':
      each((node) => world.drift(node, action.percent))();
      return forMs === 0 ? undefined : each((node) => world.drift(node, 0));
  }
}

function ambush(world: World, leader: number, frames: number): void {
  const { ambushRandom: random } = world;
  // Cut off for long enough that it steps down; killed for a short time, so that it may lead again.
  const step: Step =
    random.below(3) > 0
      ? { atMs: 0, forMs: 1000 + random.below(2500), action: { kind: 'split', groups: [[leader], ['others']] } }
      : { atMs: 0, forMs: 50 + random.below(1500), action: { kind: 'crash', who: [leader] } };
  world.limitFrames(leader, random.below(frames + 1), () => begin(world, step));
}

type Link = readonly [from: number, to: number];

function cutAll(world: World, links: readonly Link[]): () => void {
  world.counts.partitions++;
  for (const [a, b] of links) world.cut(a, b);
  return () => {
    for (const [a, b] of links) world.join(a, b);
  };
}

const pairs = (from: readonly number[], to: readonly number[], bothWays: boolean): Link[] =>
  from.flatMap((a) =>
    to
      .filter((b) => b !== a)
      .flatMap((b): Link[] =>
        bothWays
          ? [
              [a, b],
              [b, a],
            ]
          : [[a, b]],
      ),
  );

function between(world: World, groups: readonly (readonly Target[])[]): Link[] {
  const resolved = resolveGroups(world, groups);
  return resolved.flatMap((group, i) => resolved.slice(i + 1).flatMap((other) => pairs(group, other, true)));
}

/** Each node is in the first group that names it. */
function resolveGroups(world: World, groups: readonly (readonly Target[])[]): number[][] {
  const taken = new Set<number>();
  const found = groups.map((group) => {
    const named = resolve(
      world,
      group.filter((target) => target !== 'others'),
      [...taken],
    ).filter((node) => !taken.has(node));
    for (const node of named) taken.add(node);
    return named;
  });
  const rest = world.indices.filter((node) => !taken.has(node));
  return found.map((nodes, i) => (groups[i]?.includes('others') === true ? [...nodes, ...rest] : nodes));
}

function resolve(world: World, targets: readonly Target[], taken: readonly number[]): number[] {
  const found = new Set<number>();
  for (const target of targets) {
    if (typeof target === 'number') found.add(target);
    else if (target === 'all') for (const node of world.indices) found.add(node);
    else if (target === 'leader') found.add(world.leader ?? 0);
    else if (target === 'follower') {
      const follower = world.indices.find((node) => node !== world.leader && !found.has(node) && !taken.includes(node) && world.isUp(node));
      if (follower !== undefined) found.add(follower);
    }
  }
  return [...found];
}
