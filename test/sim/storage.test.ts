import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.ts';
import type { Engine, Operation } from '../../src/storage/engine.ts';
import { openStore } from '../../src/storage/opening.ts';
import { Damage } from '../../src/storage/recovery.ts';
import { runRoutine } from '../../src/storage/routine.ts';
import type { OpenedStore } from '../../src/storage/opening.ts';
import { VirtualDisk } from '../../sim/storage/virtual-disk.ts';
import { VirtualEngine } from '../../sim/storage/virtual-engine.ts';
import { raftStoreConformance } from '../conformance/raft-store.ts';
import { identity } from '../storage/support.ts';
import { live, type Life } from './storage-life.ts';

const atOnce = { later: (job: () => void) => void setImmediate(job), soon: (job: () => void) => void setImmediate(job) };

raftStoreConformance('production on a virtual disk', () => {
  const disk = new VirtualDisk();
  return {
    open: () =>
      new Promise<OpenedStore>((resolve, reject) => {
        disk.mount();
        runRoutine(openStore(new VirtualEngine(disk, atOnce), { directory: 'here', identity }), (outcome) =>
          'value' in outcome ? resolve(outcome.value) : reject(outcome.error),
        );
      }),
    dispose: () => Promise.resolve(),
  };
});

const key = (name: number): Uint8Array => Uint8Array.of(name);
const put = (name: number, value = name): Operation => ({ type: 'put', key: key(name), value: Uint8Array.of(value) });
const names = (disk: VirtualDisk): readonly (number | undefined)[] => disk.records().map(([name]) => name[0]);

/** What is seen with every one of many seeds. */
function seen<T>(look: (random: SeededRandom) => T): readonly T[] {
  const all = Array.from({ length: 100 }, (_, seed) => JSON.stringify(look(new SeededRandom(seed))));
  return [...new Set(all)].toSorted().map((text): T => JSON.parse(text));
}

describe('simulator: a virtual disk', () => {
  it('shows a batch at once, and a crash may take back the last ones that were not synced, and no others', () => {
    const left = seen((random) => {
      const disk = new VirtualDisk();
      disk.append([put(1)]);
      disk.sync(disk.append([put(2)]));
      disk.append([put(3), put(4)]);
      disk.append([put(5), { type: 'del', key: key(1) }]);
      expect(names(disk)).to.deep.equal([2, 3, 4, 5]);
      disk.crash(random);
      return names(disk);
    });

    expect(left).to.deep.equal([
      [1, 2, 3, 4],
      [1, 2],
      [2, 3, 4, 5],
    ]);
  });

  it('tells what is durable from what can be read', () => {
    const disk = new VirtualDisk();
    disk.sync(disk.append([put(1, 10)]));
    disk.append([put(1, 11)]);

    expect(disk.get(key(1))).to.deep.equal(Uint8Array.of(11));
    expect(disk.get(key(1), { isDurable: true })).to.deep.equal(Uint8Array.of(10));
  });

  it('may leave a slot old, new or torn when the power goes while it is written, and the other one whole', () => {
    const left = seen((random) => {
      const disk = new VirtualDisk();
      for (const slot of [0, 1] as const) {
        disk.beginSlot(slot, [Uint8Array.of(1, 1), Uint8Array.of(1)]);
        disk.syncSlot(slot);
      }
      disk.beginSlot(1, [Uint8Array.of(2, 2)]);
      disk.crash(random);
      expect(disk.slots[0]).to.deep.equal(Uint8Array.of(1, 1, 1));
      return [...(disk.slots[1] ?? [])];
    });

    expect(left).to.deep.equal([
      [1, 1, 1],
      [2, 1, 1],
      [2, 2, 1],
    ]);
  });

  it('drops records of its log without a word, refuses a damaged table, and changes one bit of a slot', () => {
    const outcomes = seen((random) => {
      const disk = new VirtualDisk();
      for (const name of [1, 2, 3, 4]) disk.sync(disk.append([put(name)]));
      disk.beginSlot(0, [Uint8Array.of(0)]);
      disk.syncSlot(0);
      const target = disk.flip(random);
      try {
        disk.mount();
      } catch (error) {
        expect(error).to.be.instanceOf(Damage);
        return [target, 'refused'];
      }
      const bits = [...(disk.slots[0] ?? [])].map((byte) => byte.toString(2).replaceAll('0', '').length);
      return [target, `${4 - names(disk).length} dropped`, ...bits];
    });

    expect(outcomes).to.deep.include.members([
      ['log', '1 dropped', 0],
      ['log', '2 dropped', 0],
      ['log', '3 dropped', 0],
      ['slot', '0 dropped', 1],
      ['table', 'refused'],
    ]);
  });

  it('has nothing left to lose of what became a table', () => {
    const disk = new VirtualDisk();
    disk.append([put(1)]);
    disk.mount();
    disk.append([put(2)]);

    expect(disk.get(key(1), { isDurable: true })).to.deep.equal(Uint8Array.of(1));
    expect(disk.get(key(2), { isDurable: true })).to.equal(undefined);
  });
});

describe('simulator: the engine on a virtual disk', () => {
  const setUp = (): { disk: VirtualDisk; engine: VirtualEngine; run: () => void } => {
    const jobs: (() => void)[] = [];
    const disk = new VirtualDisk();
    const later = (job: () => void): void => void jobs.push(job);
    return { disk, engine: new VirtualEngine(disk, { later, soon: later }), run: () => jobs.splice(0).forEach((job) => job()) };
  };

  it('says that a synced batch is done when it is durable, with all that came before', () => {
    const { disk, engine, run } = setUp();
    const done: number[] = [];

    engine.write([put(1)], { sync: false }, () => done.push(1));
    engine.write([put(2)], { sync: true }, () => done.push(2));
    const before = disk.get(key(2), { isDurable: true });
    run();

    expect(before).to.equal(undefined);
    expect(done).to.deep.equal([1, 2]);
    for (const name of [1, 2]) expect(disk.get(key(name), { isDurable: true })).to.deep.equal(Uint8Array.of(name));
  });

  it('leaves a failed write undecided, and calls nobody back after a crash', () => {
    const { disk, engine, run } = setUp();
    const answers: unknown[] = [];
    const full = new Error('ENOSPC');
    engine.failNextWrite(full);
    engine.write([put(1)], { sync: true }, (error) => answers.push(error));
    run();
    engine.write([put(2)], { sync: true }, (error) => answers.push(error));
    engine.stop();
    run();

    expect(answers).to.deep.equal([full]);
    expect(names(disk)).to.deep.equal([1, 2]);
    expect(disk.get(key(1), { isDurable: true })).to.equal(undefined);
  });
});

/** An engine that takes a part of its promises lightly. */
const breaking =
  (change: (engine: Engine) => Partial<Engine>) =>
  (engine: Engine): Engine => {
    const { write, writeSlot } = change(engine);
    return {
      write: write ?? ((operations, options, done) => engine.write(operations, options, done)),
      writeSlot: writeSlot ?? ((slot, parts, done) => engine.writeSlot(slot, parts, done)),
      get: (name, done) => engine.get(name, done),
      scan: (take, done) => engine.scan(take, done),
      readSlots: (done) => engine.readSlots(done),
      reclaim: (first, last) => engine.reclaim(first, last),
      defer: (job) => engine.defer(job),
      close: () => engine.close(),
    };
  };

const seeds = Array.from({ length: 300 }, (_, i) => i + 1);
const sum = (lives: readonly Life[], name: 'crashes' | 'takenBack' | 'kept' | 'noticed' | 'harmless'): number =>
  lives.reduce((total, life) => total + life[name], 0);
const brokenBy = (wrap: (engine: Engine) => Engine, mayFlip: boolean): number =>
  seeds.filter((seed) => live(seed, { mayFlip, wrap }).broken !== undefined).length;

describe('simulator: the production store on a virtual disk', () => {
  it('has after any crash all that was acknowledged, and of the rest nothing by halves', () => {
    const lives = seeds.map((seed) => live(seed, { mayFlip: false }));

    expect(lives.flatMap(({ broken }, i) => (broken === undefined ? [] : `seed ${i + 1}: ${broken}`))).to.deep.equal([]);
    expect(sum(lives, 'crashes')).to.be.greaterThan(3000);
    expect(sum(lives, 'takenBack')).to.be.greaterThan(100);
    expect(sum(lives, 'kept')).to.be.greaterThan(300);
  });

  it('notices a flipped bit, or is as it was', () => {
    const lives = seeds.map((seed) => live(seed, { mayFlip: true }));

    expect(lives.flatMap(({ broken }, i) => (broken === undefined ? [] : `seed ${i + 1}: ${broken}`))).to.deep.equal([]);
    expect(sum(lives, 'noticed')).to.be.greaterThan(500);
    expect(sum(lives, 'harmless')).to.be.greaterThan(300);
  });

  it('would be caught if it forgot to sync', () => {
    const forgetful = breaking((engine) => ({ write: (operations, _options, done) => engine.write(operations, { sync: false }, done) }));

    expect(brokenBy(forgetful, false)).to.be.greaterThan(100);
  });

  it('would be caught if it answered before the disk has', () => {
    const hasty = breaking((engine) => ({
      write: (operations, options, done) => {
        engine.write(operations, options, () => undefined);
        engine.defer(() => done(undefined));
      },
      writeSlot: (slot, parts, done) => {
        engine.writeSlot(slot, parts, () => undefined);
        engine.defer(() => done(undefined));
      },
    }));

    expect(brokenBy(hasty, false)).to.be.greaterThan(100);
  });

  it('would be caught if it left out the guard, when bits flip', () => {
    const unguarded = breaking((engine) => ({ writeSlot: (_slot, _parts, done) => engine.defer(() => done(undefined)) }));

    expect(brokenBy(unguarded, true)).to.be.greaterThan(100);
  });
});
