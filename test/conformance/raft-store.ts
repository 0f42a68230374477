import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { RaftStore, StoredState } from '../../src/storage/store.ts';
import { compact, entries, entry, everything, meta, n1, n2, noise, readChunk, save, saveSnapshot } from '../storage/support.ts';

export interface ConformingStore {
  readonly store: RaftStore;
  readonly state: StoredState;
  readonly boot: number;
}

/** What the suite needs of a kind of store. */
export interface StoreHarness {
  /** Opens a store on a disk of its own: the first time a new one, then what the last one left. */
  open(): Promise<ConformingStore>;
  dispose(): Promise<void>;
}

/** What every store promises, wherever it keeps its bytes. */
export function raftStoreConformance(name: string, makeHarness: () => StoreHarness): void {
  describe(`storage: what every store promises (${name})`, () => {
    let harness: StoreHarness;
    beforeEach(() => {
      harness = makeHarness();
    });
    afterEach(() => harness.dispose());

    const reopen = async (store: RaftStore): Promise<ConformingStore> => {
      await store.close();
      return harness.open();
    };

    it('is empty at first and counts how often it was opened', async () => {
      const first = await harness.open();
      const second = await reopen(first.store);

      expect(first.state).to.deep.equal({
        hardState: { currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 0 },
        snapshot: undefined,
        entries: [],
        compactedIndex: 0,
        compactedTerm: 0,
      });
      expect(second.state).to.deep.equal(first.state);
      expect([first.boot, second.boot]).to.deep.equal([1, 2]);
    });

    it('gives back what was saved', async () => {
      const { store } = await harness.open();
      const log: readonly Entry[] = [
        entry(1, { kind: 'noop', data: new Uint8Array(0) }),
        entry(65, { count: 64, data: noise(5000, 1) }),
        entry(66, { kind: 'configuration', term: 2 }),
        entry(70, { count: 4, term: 2, data: noise(1024 * 1024, 2) }),
      ];

      await save(store, { hardState: { currentTerm: 1, votedFor: n1, commitIndex: 0, rejoining: 0 }, entries: log.slice(0, 2) });
      await save(store, { entries: log.slice(2) });
      await save(store, { hardState: { currentTerm: 3, votedFor: n2, commitIndex: 66, rejoining: 0 } });
      const { state, store: again } = await reopen(store);

      expect(state.hardState).to.deep.equal({ currentTerm: 3, votedFor: n2, commitIndex: 66, rejoining: 0 });
      expect(state.entries).to.deep.equal(log);
      expect(again.logBytes).to.equal(0 + 5000 + 40 + 1024 * 1024);
    });

    it('calls back later, once and in order', async () => {
      const { store } = await harness.open();
      const order: string[] = [];

      await new Promise<void>((resolve) => {
        for (let i = 1; i <= 5; i++) store.save({ entries: [entry(i)] }, () => order.push(`saved ${i}`));
        store.save({}, () => resolve());
        order.push('asked');
      });

      expect(order).to.deep.equal(['asked', 'saved 1', 'saved 2', 'saved 3', 'saved 4', 'saved 5']);
    });

    it('replaces the suffix from the first new entry on, however the two are cut', async () => {
      const { store } = await harness.open();
      await save(store, { entries: [entry(4, { count: 4 }), entry(6, { count: 2 }), entry(7), entry(12, { count: 5 })] });

      await save(store, { entries: [entry(9, { term: 2, count: 5 })] });
      const { state, store: again } = await reopen(store);

      expect(state.entries).to.deep.equal([entry(4, { count: 4 }), entry(9, { term: 2, count: 5 })]);
      expect(again.logBytes).to.equal(80);
    });

    it('keeps the order of the log beyond 32 bits', async () => {
      const { store } = await harness.open();
      const far = 2 ** 32 - 3;
      await save(store, { snapshotChunk: { snapshot: meta(far), chunk: 0, chunks: 1, data: noise(10, 1) } });

      await save(store, { entries: entries(far + 1, far + 10) });
      const { state } = await reopen(store);

      expect(state.entries).to.deep.equal(entries(far + 1, far + 10));
    });

    it('writes a snapshot of its own while saves go on', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 10) });
      const chunks = Array.from({ length: 12 }, (_, i) => noise(200_000, i));
      const order: string[] = [];

      const snapshot = saveSnapshot(store, meta(8), chunks).then(() => order.push('snapshot'));
      const saves = save(store, { entries: entries(11, 12) }).then(() => order.push('save'));
      await Promise.all([snapshot, saves]);
      const { state, store: again } = await reopen(store);

      expect(order).to.deep.equal(['save', 'snapshot']);
      expect(state.snapshot).to.deep.equal({ meta: meta(8), chunks: 12 });
      expect(state.entries).to.deep.equal(entries(1, 12));
      for (const [i, chunk] of chunks.entries()) expect(await readChunk(again, 8, i)).to.deep.equal({ data: chunk, chunks: 12 });
    });

    it('has one current snapshot, and the newer one takes its place', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 10) });
      await saveSnapshot(store, meta(4), [noise(10, 1), noise(10, 2)]);

      await saveSnapshot(store, meta(9), [noise(10, 3)]);

      expect(await readChunk(store, 9, 0)).to.deep.equal({ data: noise(10, 3), chunks: 1 });
      for (const [index, chunk] of [
        [4, 0],
        [4, 1],
        [9, 1],
        [5, 0],
      ] as const) {
        expect(await readChunk(store, index, chunk)).to.deep.equal({ data: undefined, chunks: undefined });
      }
      const { state } = await reopen(store);
      expect(state.snapshot).to.deep.equal({ meta: meta(9), chunks: 1 });
    });

    it('forgets what is compacted and remembers where the log now begins', async () => {
      const { store } = await harness.open();
      await save(store, { entries: [...entries(1, 3), entry(6, { count: 3, term: 2 }), ...entries(7, 9, { term: 2 })] });
      await saveSnapshot(store, meta(8, 2), [noise(10, 1)]);

      await compact(store, 6, 2);
      const bytes = store.logBytes;
      await save(store, { entries: entries(8, 8, { term: 3 }) });
      const { state, store: again } = await reopen(store);

      expect(bytes).to.equal(120);
      expect(state.entries).to.deep.equal([...entries(7, 7, { term: 2 }), ...entries(8, 8, { term: 3 })]);
      expect([state.compactedIndex, state.compactedTerm]).to.deep.equal([6, 2]);
      expect(again.logBytes).to.equal(80);
    });

    it('can forget the whole log', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 5) });
      await saveSnapshot(store, meta(5), [noise(10, 1)]);

      await compact(store, 5);
      const second = await reopen(store);
      await save(second.store, { entries: entries(6, 7) });
      const { state } = await reopen(second.store);

      expect([second.state.compactedIndex, second.state.entries.length, second.store.logBytes]).to.deep.equal([5, 0, 80]);
      expect(state.entries).to.deep.equal(entries(6, 7));
    });

    it('makes an arriving snapshot current with its last chunk, in the place of the log', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 20) });
      await saveSnapshot(store, meta(3), [noise(10, 9)]);
      const chunks = [noise(1000, 1), noise(1000, 2), noise(10, 3)];

      for (const [chunk, data] of chunks.entries()) {
        await save(store, {
          hardState: { currentTerm: 5, votedFor: undefined, commitIndex: chunk === 2 ? 15 : 3, rejoining: 0 },
          snapshotChunk: { snapshot: meta(15, 4), chunk, chunks: 3, data },
        });
      }
      const bytes = store.logBytes;
      await save(store, { entries: entries(16, 17, { term: 5 }) });
      const { store: again, state } = await reopen(store);

      expect(bytes).to.equal(0);
      expect(state).to.deep.equal({
        hardState: { currentTerm: 5, votedFor: undefined, commitIndex: 15, rejoining: 0 },
        snapshot: { meta: meta(15, 4), chunks: 3 },
        entries: entries(16, 17, { term: 5 }),
        compactedIndex: 15,
        compactedTerm: 4,
      });
      for (const [i, chunk] of chunks.entries()) expect(await readChunk(again, 15, i)).to.deep.equal({ data: chunk, chunks: 3 });
    });

    it('drops a snapshot that has not wholly arrived when it is opened again', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 4) });
      await saveSnapshot(store, meta(3), [noise(10, 9)]);

      for (const chunk of [0, 1]) await save(store, { snapshotChunk: { snapshot: meta(15, 4), chunk, chunks: 3, data: noise(10, chunk) } });
      const { store: again, state } = await reopen(store);

      expect(state.snapshot).to.deep.equal({ meta: meta(3), chunks: 1 });
      expect(state.entries).to.deep.equal(entries(1, 4));
      expect((await readChunk(again, 3, 0)).data).to.deep.equal(noise(10, 9));
    });

    it('begins an arriving snapshot anew with chunk 0', async () => {
      const { store } = await harness.open();
      const chunk = (snapshot: number, n: number): Promise<void> =>
        save(store, { snapshotChunk: { snapshot: meta(snapshot, 4), chunk: n, chunks: 2, data: noise(10, snapshot + n) } });

      await chunk(15, 0);
      await chunk(30, 0);
      await chunk(30, 1);
      const { store: again, state } = await reopen(store);

      expect(state.snapshot).to.deep.equal({ meta: meta(30, 4), chunks: 2 });
      expect((await readChunk(again, 30, 0)).data).to.deep.equal(noise(10, 30));
      expect((await readChunk(again, 30, 1)).data).to.deep.equal(noise(10, 31));
    });

    it('keeps the newer of two snapshots when its own is finished after one that arrived', async () => {
      const { store } = await harness.open();
      await save(store, { entries: entries(1, 10) });
      const own = saveSnapshot(
        store,
        meta(9),
        Array.from({ length: 8 }, (_, i) => noise(600_000, i)),
      );

      await save(store, { snapshotChunk: { snapshot: meta(20, 2), chunk: 0, chunks: 1, data: noise(10, 1) } });
      await own;
      await compact(store, 9);
      const { state } = await reopen(store);

      expect(state.snapshot).to.deep.equal({ meta: meta(20, 2), chunks: 1 });
      expect([state.compactedIndex, state.compactedTerm, state.entries.length]).to.deep.equal([20, 2, 0]);
    });

    it('agrees with a plain model over random histories', async () => {
      for (const seed of [1, 2, 3]) {
        const random = new SeededRandom(seed);
        let { store, state } = await harness.open();
        let log = [...state.entries];
        let base = { index: state.compactedIndex, term: state.compactedTerm };
        let snapshot = state.snapshot?.meta.index ?? 0;
        let term = Math.max(state.hardState.currentTerm, 1);
        for (let step = 0; step < 60; step++) {
          const last = log.at(-1) ?? base;
          switch (random.below(8)) {
            case 0: {
              // A new term overwrites part of the suffix after the snapshot.
              const kept = log.filter((e) => e.index <= snapshot || random.below(3) > 0);
              const gap = kept.findIndex((e, i) => e !== log[i]);
              log = log.slice(0, gap === -1 ? log.length : gap);
              term++;
              const start = (log.at(-1) ?? base).index;
              const count = 1 + random.below(5);
              const added = entry(start + count, { count, term, data: noise(random.below(300), step) });
              log.push(added);
              await save(store, { hardState: { currentTerm: term, votedFor: n1, commitIndex: snapshot, rejoining: 0 }, entries: [added] });
              break;
            }
            case 1:
              if (last.index > snapshot) {
                await saveSnapshot(store, meta(last.index, last.term), [noise(100, step)]);
                snapshot = last.index;
              }
              break;
            case 2: {
              const end = log.findLast((e) => e.index <= snapshot && random.below(2) === 0);
              if (end !== undefined) {
                await compact(store, end.index, end.term);
                log = log.filter((e) => e.index > end.index);
                base = end;
              }
              break;
            }
            case 3: {
              const before = await everything(store, { ...state, entries: [], snapshot: undefined });
              ({ store, state } = await reopen(store));
              expect(state.entries).to.deep.equal(log);
              expect({ index: state.compactedIndex, term: state.compactedTerm }).to.deep.equal({ index: base.index, term: base.term });
              expect(state.snapshot?.meta.index ?? 0).to.equal(snapshot);
              expect((before as { logBytes: number }).logBytes).to.equal(store.logBytes);
              break;
            }
            default: {
              const added = entry(last.index + 1, { term, data: noise(random.below(300), step) });
              log.push(added);
              await save(store, { hardState: { currentTerm: term, votedFor: n1, commitIndex: snapshot, rejoining: 0 }, entries: [added] });
            }
          }
        }
        await store.close();
      }
    });
  });
}
