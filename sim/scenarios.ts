import { readdirSync, readFileSync } from 'node:fs';
import { drawPlan } from './draw-plan.ts';
import { parsePlan } from './plan-text.ts';
import type { Plan } from './plan.ts';

/** A world with a name: what is done in it may depend on the seed. */
export interface Scenario {
  readonly title: string;
  readonly plan: (seed: number, nodes: number | undefined, faultyMs: number | undefined) => Plan;
}

/** The texts stand beside the sources; what is compiled finds them from its own place. */
const directories = [new URL('./scenarios/', import.meta.url), new URL('../../sim/scenarios/', import.meta.url)];

/** `random`, which draws all its faults from the seed, and every text in `sim/scenarios`. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([
  [
    'random',
    {
      title: 'faults of every kind, drawn from the seed',
      plan: (seed: number, nodes: number | undefined, faultyMs: number | undefined) =>
        drawPlan(seed, nodes ?? (seed % 2 === 0 ? 3 : 5), faultyMs ?? 20_000),
    },
  ],
  ...texts(),
]);

/** A scenario from a text. More nodes than it says, or more time, is given on request; the steps stay. */
export function scenarioOf(text: string): Scenario {
  const plan = parsePlan(text);
  return {
    title: plan.title,
    plan: (_seed, nodes, faultyMs) =>
      nodes === undefined && faultyMs === undefined
        ? plan
        : parsePlan(
            `${text}\n`
              .replace(/^seconds .*$/m, faultyMs === undefined ? '$&' : `seconds ${faultyMs / 1000}`)
              .replace(/^nodes .*$/m, nodes === undefined ? '$&' : `nodes ${nodes}`),
          ),
  };
}

function texts(): [string, Scenario][] {
  for (const directory of directories) {
    try {
      const names = readdirSync(directory).filter((name) => name.endsWith('.txt'));
      return names.toSorted().map((name) => [name.slice(0, -'.txt'.length), scenarioOf(readFileSync(new URL(name, directory), 'utf8'))]);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return [];
}
