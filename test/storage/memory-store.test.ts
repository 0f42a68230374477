import { expect } from 'chai';
import { type DiskImage, emptyDisk, MemoryStore } from '../../src/storage/memory-store.ts';
import { raftStoreConformance } from '../conformance/raft-store.ts';
import { entries, entry, meta, n1, noise } from './support.ts';

raftStoreConformance('memory', () => {
  let disk: DiskImage = emptyDisk;
  let last: MemoryStore | undefined;
  return {
    open: () => {
      disk = last?.crash() ?? disk;
      const store = new MemoryStore(disk, (job) => void setImmediate(job));
      last = store;
      return Promise.resolve({ store, state: store.state, boot: store.boot });
    },
    dispose: () => Promise.resolve(),
  };
});

/** A disk whose writes end when the test says so. */
function slowDisk(image: DiskImage = emptyDisk): { store: MemoryStore; run: (pick?: number) => void } {
  const jobs: (() => void)[] = [];
  const store = new MemoryStore(image, (job) => jobs.push(job));
  return { store, run: (pick = 0) => jobs.splice(pick, 1)[0]?.() };
}

describe('storage: the twin in memory', () => {
  it('loses in a crash what was not durable, and never calls back', () => {
    const { store, run } = slowDisk();
    const done: number[] = [];
    for (const i of [1, 2, 3]) store.save({ entries: [entry(i)] }, () => done.push(i));
    run();

    const image = store.crash();
    run();
    run();

    expect(done).to.deep.equal([1]);
    expect(image.entries).to.deep.equal(entries(1, 1));
    expect(new MemoryStore(image, () => undefined).state.entries).to.deep.equal(entries(1, 1));
  });

  it('lets writes in flight reach the disk in a crash, oldest first and each whole', () => {
    const images = [0, 1, 2, 9].map((reached) => {
      const { store } = slowDisk();
      store.save({ hardState: { currentTerm: 1, votedFor: n1, commitIndex: 0, rejoining: 0 }, entries: entries(1, 2) }, () => undefined);
      store.save(
        { hardState: { currentTerm: 2, votedFor: undefined, commitIndex: 0, rejoining: 0 }, entries: entries(2, 4, { term: 2 }) },
        () => undefined,
      );
      return store.crash(reached);
    });

    expect(images.map((image) => [image.hardState.currentTerm, image.entries.map((e) => e.term)])).to.deep.equal([
      [0, []],
      [1, [1, 1]],
      [2, [1, 2, 2, 2]],
      [2, [1, 2, 2, 2]],
    ]);
  });

  it('ends writes in the order they began, in whatever order the jobs run', () => {
    const { store, run } = slowDisk();
    const done: number[] = [];
    for (const i of [1, 2, 3]) store.save({ entries: [entry(i)] }, () => done.push(i));

    run(2);
    run(1);
    run(0);

    expect(done).to.deep.equal([1, 2, 3]);
  });

  it('writes nothing more after a failed write', () => {
    const { store, run } = slowDisk();
    const full = new Error('no space left');
    const answers: (Error | undefined)[] = [];
    for (const i of [1, 2]) store.save({ entries: [entry(i)] }, (error) => answers.push(error));
    run();

    store.failNextWrite(full);
    run();
    store.save({ entries: [entry(2)] }, (error) => answers.push(error));
    run();

    expect(answers).to.deep.equal([undefined, full, full]);
    expect(store.durable.entries).to.deep.equal(entries(1, 1));
    expect(store.crash(1).entries, 'nobody knows what a failed write left behind').to.deep.equal(entries(1, 2));
  });

  it('keeps the old snapshot when a crash comes before the new one is whole', () => {
    const { store, run } = slowDisk();
    store.save({ entries: entries(1, 5) }, () => undefined);
    store.saveSnapshot(meta(3), [noise(5, 1)], () => undefined);
    for (let i = 0; i < 4; i++) run();

    store.saveSnapshot(meta(5), [noise(5, 2), noise(5, 3)], () => undefined);
    run();
    run();
    const image = store.crash();

    expect(image.snapshot).to.deep.equal({ meta: meta(3), chunks: [noise(5, 1)] });
  });

  it('gives an image that later writes do not change', () => {
    const first = slowDisk();
    first.store.save({ entries: entries(1, 2) }, () => undefined);
    first.run();
    const image = first.store.crash();

    const second = slowDisk(image);
    second.store.save({ entries: entries(2, 9, { term: 2 }) }, () => undefined);
    second.run();

    expect(image.entries).to.deep.equal(entries(1, 2));
  });
});
