import { formatPlan } from './plan-text.ts';
import { calmDisk, calmNetwork, type Plan, type Step } from './plan.ts';
import type { RunResult } from './run.ts';

export interface Shrunk {
  readonly plan: Plan;
  readonly result: RunResult;
  /** Runs that it took. */
  readonly runs: number;
}

/**
 * Makes a failing plan smaller while the same invariant breaks: fewer faults (delta debugging, Zeller & Hildebrandt 2002), a calm network and disk, fewer clients,
 * fewer nodes, less time. Works on the list of decisions and not on the seed, so that dropping one leaves the others as they are. `execute` runs
 * a plan, with the same seed every time; `mayGoOn` bounds the work.
 */
export function shrink(plan: Plan, found: RunResult, execute: (plan: Plan) => RunResult, mayGoOn: () => boolean): Shrunk {
  let best = plan;
  let result = found;
  let runs = 0;
  const attempt = (smaller: Plan): boolean => {
    if (!mayGoOn()) return false;
    runs++;
    const again = execute(smaller);
    if (again.verdict !== found.verdict || again.invariant !== found.invariant) return false;
    best = smaller;
    result = again;
    return true;
  };
  // What happens after the violation can't have caused it: cut there first, and every run after this one is shorter.
  if (found.verdict !== 'stuck') attempt({ ...best, faultyMs: Math.min(best.faultyMs, result.simulatedMs + 1) });
  attempt({ ...best, steps: best.steps.filter(({ atMs }) => atMs <= best.faultyMs) });
  // Most kinds of faults have nothing to do with it.
  for (const kind of new Set(best.steps.map(({ action }) => action.kind)))
    attempt({ ...best, steps: best.steps.filter(({ action }) => action.kind !== kind) });
  dropSteps(() => best, attempt);
  attempt({ ...best, network: calmNetwork });
  attempt({ ...best, disk: calmDisk });
  for (const kind of ['agents', 'readers', 'writers'] as const) {
    while (best.clients[kind] > 0 && attempt({ ...best, clients: { ...best.clients, [kind]: best.clients[kind] - 1 } }));
  }
  while (
    best.nodes > 3 &&
    best.steps.every((step) => !names(step, best.nodes - 1)) &&
    attempt({ ...best, nodes: best.nodes - 1, founders: Math.min(best.founders, best.nodes - 1) })
  );
  if (found.verdict !== 'stuck') attempt({ ...best, faultyMs: Math.min(best.faultyMs, result.simulatedMs + 1) });
  for (let part = best.faultyMs / 2; part >= 100; part /= 2)
    while (best.faultyMs > part && attempt({ ...best, faultyMs: Math.round(best.faultyMs - part) }));
  dropSteps(() => best, attempt);
  return { plan: { ...best, title: `${found.invariant ?? found.verdict}, found with seed ${found.seed}` }, result, runs };
}

function dropSteps(best: () => Plan, attempt: (plan: Plan) => boolean): void {
  for (let size = Math.ceil(best().steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = best().steps.length - size; from > -size; from -= size) {
      const at = Math.max(0, from);
      attempt({ ...best(), steps: best().steps.toSpliced(at, size) });
    }
  }
}

function names({ action }: Step, node: number): boolean {
  if ('who' in action) return action.who.includes(node);
  return 'groups' in action && action.groups.some((group) => group.includes(node));
}

/** The file of a shrunk run: a scenario that fails as long as the bug is there. */
export const scenarioFile = ({ plan, result, runs }: Shrunk): string =>
  `# ${result.violation?.split('\n')[0] ?? result.verdict}\n# Shrunk in ${runs} runs; replay with: quorate sim replay ${result.seed} FILE\n${formatPlan(plan)}`;
