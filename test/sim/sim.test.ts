import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { run, type RunResult } from '../../sim/run.ts';
import { drawPlan } from '../../sim/draw-plan.ts';
import { calmPlan } from '../../sim/plan.ts';
import { scenarios } from '../../sim/scenarios.ts';
import { World } from '../../sim/world.ts';

const random = (seed: number, nodes: number, faultyMs: number): RunResult =>
  run({ seed, scenario: 'random', plan: drawPlan(seed, nodes, faultyMs) });

const summary = ({ seed, scenario, verdict, violation }: RunResult): string => `seed ${seed} ${scenario}: ${verdict} ${violation ?? ''}`;

describe('simulator', () => {
  for (const [scenario, { plan }] of scenarios) {
    it(`keeps every invariant in the scenario ${scenario}`, () => {
      const result = run({ seed: 7, scenario, plan: plan(7, undefined, undefined) });

      expect(result.verdict, summary(result)).to.equal('ok');
    });
  }

  it('replays a seed event by event, also in another process under other circumstances', () => {
    const here = random(42, 3, 5_000);
    const module = (name: string): string => new URL(`../../sim/${name}.js`, import.meta.url).href;
    const program = [
      `const { run } = await import(${JSON.stringify(module('run'))});`,
      `const { drawPlan } = await import(${JSON.stringify(module('draw-plan'))});`,
      "console.log(run({ seed: 42, scenario: 'random', plan: drawPlan(42, 3, 5000) }).traceHash);",
    ].join('\n');
    const circumstances = [
      { flags: ['--stack-size=2000', '--max-lazy'], cwd: tmpdir(), env: { TZ: 'Asia/Tokyo', LC_ALL: 'C', QUORATE_LOG_LEVEL: 'debug' } },
      {
        flags: ['--no-opt', '--random-seed=7'],
        cwd: '/',
        env: { TZ: 'America/St_Johns', LC_ALL: 'tr_TR.UTF-8', QUORATE_LOG_LEVEL: 'error' },
      },
    ];

    const there = circumstances.map(({ flags, cwd, env }) =>
      execFileSync(process.execPath, [...flags, '--input-type=module', '-e', program], {
        cwd,
        env: { ...process.env, ...env },
        encoding: 'utf8',
      }).trim(),
    );

    expect(there).to.deep.equal(circumstances.map(() => here.traceHash));
  });

  it('tells different seeds apart', () => {
    const one = random(1, 3, 2_000);
    const two = random(2, 3, 2_000);

    expect(one.traceHash).not.to.equal(two.traceHash);
  });

  it('elects within two election timeouts after the leader is killed', () => {
    const world = new World({
      seed: 3,
      plan: { ...calmPlan, nodes: 3, founders: 3, snapshotBytes: 1_000_000 },
    });
    for (let i = 0; i < 3; i++) world.start(i);
    world.runUntil(5_000_000);
    const leader = [0, 1, 2].find((i) => world.replica(i)?.isServing === true);
    expect(leader).not.to.equal(undefined);

    world.crash(leader ?? 0);
    world.runUntil(7_000_000);

    expect([0, 1, 2].some((i) => world.replica(i)?.isServing === true)).to.equal(true);
  });

  it('has another leader within a second when the leader hears nobody and everybody hears it', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const world = new World({ seed, plan: { ...calmPlan, nodes: 5, founders: 5, snapshotBytes: 1_000_000 } });
      for (const node of world.indices) world.start(node);
      world.runUntil(5_000_000 + 77_000 * seed);
      const deaf = world.leader ?? 0;

      for (const node of world.indices) if (node !== deaf) world.cut(node, deaf);
      world.runUntil(6_000_000 + 77_000 * seed);

      expect(world.leader, `seed ${seed}`).to.not.be.oneOf([deaf, undefined]);
    }
  }).timeout(30_000);

  it('leaves leadership to the best connected voter that is left, when links are lost and then the leader is', () => {
    const [near, far] = [
      [0, 3, 4],
      [5, 6],
    ];
    for (let seed = 1; seed <= 4; seed++) {
      const world = new World({ seed, plan: { ...calmPlan, nodes: 7, founders: 7, snapshotBytes: 1_000_000 } });
      for (const node of world.indices) world.start(node);
      world.runUntil(5_000_000);
      // Only 1 and 2 hear everyone; the near ones still hear a majority without one of them.
      for (const a of near) for (const b of far) for (const [from, to] of [[a, b] as const, [b, a] as const]) world.cut(from, to);
      world.runUntil(15_000_000);
      const first = world.leader ?? -1;
      expect([1, 2], `seed ${seed}`).to.include(first);

      const elected: number[] = [];
      world.onElected = (node) => elected.push(node);
      world.crash(first);
      world.runUntil(20_000_000);

      expect(elected, `seed ${seed}`).to.deep.equal([first === 1 ? 2 : 1]);
    }
  }).timeout(30_000);

  it("tells the steps of every node's Raft for validation against a specification, and is the same run", () => {
    const lines: string[] = [];
    const options = { seed: 3, scenario: 'random', plan: drawPlan(3, 3, 3000) };

    const told = run({ ...options, onTla: (line) => lines.push(line) });

    const events = lines.map((line) => (JSON.parse(line) as { event: { name: string; nid: string; state: { term: number } } }).event);
    expect(told.traceHash).to.equal(run(options).traceHash);
    expect(new Set(events.map(({ name }) => name))).to.include.members([
      'InitState',
      'BecomeLeader',
      'ReceiveAppendEntries',
      'Replicate',
      'Commit',
    ]);
    for (const { name, state } of events) if (name !== 'InitState') expect(state.term).to.be.greaterThan(-1);
  });
});
