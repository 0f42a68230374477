import { expect } from 'chai';
import type { Logger } from '../../src/core/logger.ts';
import { Applier } from '../../src/node/applier.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { StateEvent } from '../../src/tasks/events.ts';
import { ClusterState } from '../../src/tasks/state.ts';
import { encodeEntry, encodeSessionCommand } from '../../src/wire/commands.ts';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const command = (key: string): Uint8Array =>
  encodeSessionCommand({
    session: 0,
    seq: 0,
    acked: 0,
    idempotencyKey: undefined,
    command: { op: 'PutKey', key, value: '', ifVersion: undefined },
  });

/** An applier and what it says. Jobs that it defers wait until `runNext`. */
class Bench {
  readonly jobs: (() => void)[] = [];
  readonly inForce: number[] = [];
  readonly reached: number[] = [];
  readonly entries: number[] = [];
  readonly events: StateEvent[] = [];
  readonly applier = new Applier(
    {
      raft: {
        applyConfigChange: ({ index }) => {
          this.inForce.push(index);
          return { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
        },
      },
      counters: {
        turns: 0,
        framesDropped: 0,
        commandsApplied: 0,
        leaderChanges: 0,
        snapshotsTaken: 0,
        snapshotsInstalled: 0,
        lateResults: 0,
        badGuards: 0,
      },
      logger: silent,
      defer: (job) => this.jobs.push(job),
      onCommand: () => {},
      applyGuarded: () => {},
      onConfiguration: (index) => this.reached.push(index),
      onEntry: ({ index }) => this.entries.push(index),
      onApplied: (events) => this.events.push(...events),
    },
    new ClusterState(),
    { index: 0, term: 0 },
  );
  #index = 0;

  /** The next entry of the log. */
  entry(kind: Entry['kind'], count: number): Entry {
    const data =
      kind === 'command'
        ? encodeEntry(
            1,
            Array.from({ length: count }, (_, i) => command(`${this.#index}.${i}`)),
          )
        : new Uint8Array();
    this.#index += count;
    return { term: 1, index: this.#index, count, kind, data };
  }

  runNext(): void {
    this.jobs.shift()?.();
  }
}

describe('node: applier', () => {
  it('applies what is committed at once, and a great deal of it in slices', () => {
    const bench = new Bench();

    bench.applier.take([bench.entry('command', 10)]);
    expect([bench.applier.index, bench.applier.isUpToDate, bench.jobs.length]).to.deep.equal([10, true, 0]);
    bench.applier.take(Array.from({ length: 10 }, () => bench.entry('command', 400)));

    expect([bench.applier.index, bench.applier.isUpToDate]).to.deep.equal([1210, false]);
    bench.runNext();
    expect(bench.applier.index).to.equal(2410);
    while (bench.jobs.length > 0) bench.runNext();
    expect([bench.applier.index, bench.applier.isUpToDate]).to.deep.equal([4010, true]);
    expect(bench.events.length).to.equal(4010);
    expect(bench.applier.state.keys.size).to.equal(4010);
  });

  it('keeps the order when more is committed while some waits', () => {
    const bench = new Bench();

    bench.applier.take([bench.entry('command', 1000), bench.entry('command', 1000)]);
    bench.applier.take([bench.entry('command', 1)]);
    while (bench.jobs.length > 0) bench.runNext();

    expect(bench.entries).to.deep.equal([1000, 2000, 2001]);
  });

  it('puts a configuration in force at once, though the entries before it wait: an election must not use an older one', () => {
    const bench = new Bench();

    bench.applier.take([bench.entry('command', 1000), bench.entry('command', 1000), bench.entry('configuration', 1)]);

    expect([bench.inForce, bench.reached]).to.deep.equal([[2001], []]);
    while (bench.jobs.length > 0) bench.runNext();
    expect([bench.inForce, bench.reached]).to.deep.equal([[2001], [2001]]);
  });

  it('waits for a snapshot that takes the place of the state, then goes on after it', () => {
    const bench = new Bench();
    bench.applier.take([bench.entry('command', 1000), bench.entry('command', 1000)]);
    const covered = bench.entry('command', 500);

    bench.applier.hold();
    bench.applier.take([bench.entry('command', 5)]);
    while (bench.jobs.length > 0) bench.runNext();
    expect(bench.applier.index).to.equal(1000);
    const installed = new ClusterState();
    bench.applier.replace(installed, { index: covered.index, term: 1 });

    expect(bench.applier.index).to.equal(2505);
    expect(bench.applier.state).to.equal(installed);
    expect(installed.keys.size).to.equal(5);
  });
});
