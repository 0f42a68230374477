import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { drawPlan } from '../../sim/draw-plan.ts';
import { calmPlan, type Plan, type Step } from '../../sim/plan.ts';
import { formatPlan, parsePlan, ScenarioError } from '../../sim/plan-text.ts';
import type { RunResult } from '../../sim/run.ts';
import { scenarioOf } from '../../sim/scenarios.ts';
import { scenarioFile, shrink } from '../../sim/shrink.ts';

const folder = fileURLToPath(new URL('../../../sim/scenarios/', import.meta.url));

describe('simulator: plans as text', () => {
  it('reads back what it wrote, for every kind of fault', () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= 300; seed++) {
      const plan = drawPlan(seed, 3 + 2 * (seed % 2), 20_000);

      expect(parsePlan(formatPlan(plan))).to.deep.equal(plan);
      for (const { action } of plan.steps) kinds.add(action.kind);
    }
    expect(kinds.size).to.be.greaterThan(15);
  });

  it('reads every scenario, each with a title', () => {
    for (const name of readdirSync(folder)) {
      const plan = parsePlan(readFileSync(join(folder, name), 'utf8'));

      expect(plan.title, name).not.to.equal('');
      expect(parsePlan(formatPlan(plan)), name).to.deep.equal(plan);
    }
  });

  it('repeats what happens every so often, until the faults end', () => {
    const { steps } = parsePlan('title t\nseconds 10\nevery 3s for 1s crash leader # not more\n');

    expect(steps).to.deep.equal([3000, 6000, 9000].map((atMs) => ({ atMs, forMs: 1000, action: { kind: 'crash', who: ['leader'] } })));
  });

  it('names the line and the word that it does not understand', () => {
    for (const [text, message] of [
      ['nodes 3\nat 1s crash n4', 'there is no n4 among 3 nodes'],
      ['nodes zero', 'line 1: zero is not a number'],
      ['nodes 3 4', 'line 1: 4 is too much'],
      ['\nat 1s explode n1', 'line 2: unknown action explode'],
      ['at 1s', 'line 1: the line ends too early'],
      ['at 1s split n1', 'line 1: expected 2 or more groups'],
      ['at 1s crash', 'line 1: expected n1, leader'],
      ['every 0s crash n1', 'line 1: every 0.01s at most'],
      ['network delay 5..1ms', 'line 1: 5..1ms is not a range'],
      ['mood bad', 'line 1: unknown word mood'],
    ] as const) {
      expect(() => parsePlan(text), text).to.throw(ScenarioError, message);
    }
  });

  it('gives a scenario more nodes or more time on request', () => {
    const scenario = scenarioOf('title t\nnodes 3\nseconds 10\nevery 4s crash n1');

    expect(scenario.plan(1, undefined, undefined)).to.include({ nodes: 3, faultyMs: 10_000 });
    expect(scenario.plan(1, 5, 20_000)).to.include({ nodes: 5, faultyMs: 20_000 });
    expect(scenario.plan(1, 5, 20_000).steps).to.have.length(4);
  });
});

describe('simulator: shrinking', () => {
  const crash = (atMs: number, node: number): Step => ({ atMs, forMs: 100, action: { kind: 'crash', who: [node] } });
  const plan: Plan = {
    ...calmPlan,
    network: { ...calmPlan.network, lossChance: 500 },
    steps: Array.from({ length: 60 }, (_, i) => crash(100 * i, i % 5)),
  };
  const verdictOf = (isBroken: boolean): RunResult => ({
    seed: 7,
    scenario: 'random',
    traceHash: '',
    simulatedMs: 9000,
    verdict: isBroken ? 'unsafe' : 'ok',
    invariant: isBroken ? 'log-matching' : undefined,
    violation: isBroken ? 'n1 wrote this' : undefined,
    counts: {} as RunResult['counts'],
    transitions: [],
  });
  /** Breaks when n2 crashes at 1.1 s and n3 at 4.2 s, with a writer, on four nodes or more. */
  const execute = ({ steps, clients, nodes, faultyMs }: Plan): RunResult =>
    verdictOf(
      [1100, 4200].every((atMs) => steps.some((step) => step.atMs === atMs)) && clients.writers > 0 && nodes > 3 && faultyMs >= 4200,
    );

  it('leaves only what the failure needs', () => {
    const { plan: small, result } = shrink(plan, execute(plan), execute, () => true);

    expect(small.steps.map(({ atMs }) => atMs)).to.deep.equal([1100, 4200]);
    expect(small).to.deep.include({
      nodes: 4,
      founders: 4,
      network: calmPlan.network,
      clients: { writers: 1, readers: 0, agents: 0, deciders: 0 },
    });
    expect(small.faultyMs).to.be.within(4200, 4400);
    expect(result.invariant).to.equal('log-matching');
  });

  it('stops when it may not go on, with the smallest so far', () => {
    let runs = 0;
    const { plan: small, runs: made } = shrink(plan, execute(plan), execute, () => ++runs <= 5);

    expect(made).to.equal(5);
    expect(execute(small).verdict).to.equal('unsafe');
  });

  it('is written as a scenario that says what broke', () => {
    const shrunk = shrink(plan, execute(plan), execute, () => true);

    expect(scenarioFile(shrunk)).to.contain('n1 wrote this').and.contain('seed 7');
    expect(parsePlan(scenarioFile(shrunk))).to.deep.equal(shrunk.plan);
  });
});
