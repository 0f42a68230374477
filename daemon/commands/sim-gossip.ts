import type { Command } from 'commander';
import type { GossipResult } from '../../sim/gossip/run-gossip.ts';
import { wholeNumber } from '../arguments.ts';
import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { type SeedFlags, withSeeds } from '../simulate/seed-runs.ts';
import { wantsJson } from '../session.ts';
import { failWith, worstOf } from '../simulate/verdicts.ts';

interface GossipFlags extends SeedFlags {
  readonly nodes?: number;
  readonly spread?: boolean;
  readonly loss: number;
  readonly updates: number;
}

/** `sim gossip`: the core of the gossip among nodes that crash, are cut off and lie, or how fast it spreads. */
export function addGossipCommand(sim: Command, context: Context): void {
  withSeeds(sim.command('gossip'), 'world', 'worlds', 1000)
    .description('gossip under loss, cuts, crashes, wrong clocks and a liar; exit 8 unsafe, 9 stuck, 10 crash')
    .option('--nodes <n>', 'nodes of each, from 2 to 64; by default 2 to 7, by the seed; with --spread up to 2000', wholeNumber(2, 2000))
    .option('--spread', 'instead: how fast updates spread over links of a millisecond')
    .option('--loss <percent>', 'with --spread: messages that are lost', wholeNumber(0, 90), 5)
    .option('--updates <n>', 'with --spread: how many updates', wholeNumber(1, 1000), 20)
    .action((flags: GossipFlags, command: Command) => {
      const json = wantsJson(command, context);
      return flags.spread === true ? spread(context, flags, json) : runWorlds(context, flags, json);
    });
}

async function spread(context: Context, { seed, nodes = 60, loss, updates }: GossipFlags, json: boolean): Promise<void> {
  const { runSpread } = await import('../../sim/gossip/spread-run.ts');
  const f = runSpread({ seed, n: nodes, loss, updates });
  if (json) return context.out(`${JSON.stringify(f)}\n`);
  context.out(
    [
      `${f.updates} updates among ${f.nodes} nodes, ${loss} % of messages lost, ${f.messagesPerUpdate} messages an update`,
      `another node has it after ${f.reachedP50Ms} ms at the median, ${f.reachedP99Ms} ms at p99; 99 % of the nodes after ${f.mostP50Ms} ms at the median`,
      `all nodes have it after ${f.allP50Ms} ms at the median, ${f.allMaxMs} ms at worst; ${f.inTwoRounds} of ${f.updates} within two rounds of anti-entropy`,
      '',
    ].join('\n'),
  );
}

async function runWorlds(context: Context, flags: GossipFlags, json: boolean): Promise<void> {
  const { seeds, seed, nodes } = flags;
  if (nodes !== undefined && nodes > 64) throw usageError(`--nodes is ${nodes}`, 'these worlds have 2 to 64 nodes');
  const { runGossip } = await import('../../sim/gossip/run-gossip.ts');
  const onLine = flags.trace === true ? (line: string) => context.out(`${line}\n`) : undefined;
  const startedMs = performance.now();
  const results: GossipResult[] = [];
  for (let one = seed; one < seed + seeds && !context.interrupt.aborted; one++) {
    const result = runGossip(one, nodes, onLine);
    results.push(result);
    if (json) context.out(`${JSON.stringify(result)}\n`);
    else if (result.verdict !== 'ok')
      context.out(`seed ${one}, ${result.n} nodes: ${result.verdict}: ${result.violation ?? ''}\n  again: ${again(result, flags)}\n`);
    if (flags.firstFailure === true && result.verdict !== 'ok') break;
    // Lets a Ctrl-C be heard.
    if (results.length % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!json) context.out(`${summary(results, performance.now() - startedMs)}\n`);
  const bad = results.filter(({ verdict }) => verdict !== 'ok');
  failWith(worstOf(results), `${bad.length} of ${results.length} worlds failed`, (worst) => again(worst, flags));
}

const again = ({ seed }: GossipResult, { nodes }: GossipFlags): string =>
  `quorate sim gossip --seeds 1 --seed ${seed}${nodes === undefined ? '' : ` --nodes ${nodes}`} --trace`;

function summary(results: readonly GossipResult[], wallMs: number): string {
  const sum = (of: (result: GossipResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const calm = results.map(({ calmMs }) => calmMs).toSorted((a, b) => a - b);
  const at = (part: number): string => (calm[Math.floor((calm.length - 1) * part)] ?? 0).toFixed(0);
  return [
    `${sum(({ verdict }) => Number(verdict === 'ok'))} of ${results.length} worlds ok`,
    `${sum((r) => r.counts.writes)} writes, ${sum((r) => r.counts.messages)} messages, ${sum((r) => r.counts.lost)} lost, ${sum((r) => r.counts.crashes)} crashes, ${sum((r) => r.counts.lies)} lies, ${sum((r) => r.counts.suspected)} liars made mute`,
    `all nodes agreed ${at(0.5)} ms after the faults at the median, ${at(0.99)} ms at p99, ${at(1)} ms at worst`,
    `${(results.length / (wallMs / 1000)).toFixed(0)} worlds a second`,
  ].join('\n');
}
