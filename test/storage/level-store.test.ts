import { mkdtempSync } from 'node:fs';
import { cp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { nodeId } from '../../src/core/ids.ts';
import { openLevelStore } from '../../src/storage/level-store.ts';
import { StorageError } from '../../src/storage/storage-error.ts';
import { raftStoreConformance } from '../conformance/raft-store.ts';
import { compact, entries, entry, identity, meta, noise, save, saveSnapshot, withDirectory } from './support.ts';

raftStoreConformance('LevelDB', () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-'));
  let closeLast = (): Promise<void> => Promise.resolve();
  return {
    open: async () => {
      const opened = await openLevelStore({ directory, identity });
      closeLast = () => opened.store.close();
      return opened;
    },
    dispose: async () => {
      await closeLast();
      await rm(directory, { recursive: true });
    },
  };
});

async function refusal(opening: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StorageError)) throw new Error('opening was not refused', { cause: error });
  return error;
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory, { recursive: true }))
    bytes += await stat(join(directory, name)).then(
      ({ size }) => size,
      () => 0,
    );
  return bytes;
}

describe('storage: a data directory', () => {
  it('belongs to one node of one cluster', () =>
    withDirectory(async (directory) => {
      const { store } = await openLevelStore({ directory, identity });
      await store.close();

      const node = await refusal(openLevelStore({ directory, identity: { ...identity, nodeId: nodeId('n2') } }));
      const cluster = await refusal(openLevelStore({ directory, identity: { ...identity, clusterId: 'c2' } }));

      expect([node.code, cluster.code]).to.deep.equal(['foreign', 'foreign']);
      expect(node.message).to.include('this data directory belongs to node n1 of cluster c1');
      expect(cluster.message).to.include(directory);
    }));

  it('is open once at a time', () =>
    withDirectory(async (directory) => {
      const { store } = await openLevelStore({ directory, identity });
      await save(store, { entries: entries(1, 3) });

      const error = await refusal(openLevelStore({ directory, identity }));
      await save(store, { entries: entries(4, 4) });
      await store.close();
      const again = await openLevelStore({ directory, identity });
      await again.store.close();

      expect(error.code).to.equal('in_use');
      expect(error.message).to.include(directory).and.to.include('in use');
      expect(again.state.entries).to.deep.equal(entries(1, 4));
    }));

  it('says so when it cannot be used at all', () =>
    withDirectory(async (directory) => {
      await cp(import.meta.filename, join(directory, 'file'));

      const error = await refusal(openLevelStore({ directory: join(directory, 'file'), identity }));

      expect(error.code).to.equal('io');
      expect(error.message).to.include(join(directory, 'file'));
    }));

  it('stays small while snapshots and compactions follow each other', () =>
    withDirectory(async (directory) => {
      let { store } = await openLevelStore({ directory, identity });
      const data = noise(64 * 1024, 1);
      const sizes: number[] = [];
      let index = 0;

      for (let cycle = 0; cycle < 40; cycle++) {
        for (let i = 0; i < 16; i++) await save(store, { entries: [entry(++index, { data })] });
        await saveSnapshot(store, meta(index), [data, data, data, data]);
        await compact(store, index - 2);
        if (cycle % 10 !== 9) continue;
        await store.close();
        ({ store } = await openLevelStore({ directory, identity }));
        sizes.push(await bytesIn(directory));
      }
      await store.close();

      expect(Math.max(...sizes), `of ${40 * 20 * data.length} bytes written, ${sizes.join(', ')} were left`).to.be.below(12 * 1024 * 1024);
    }));

  it('gives up an unfinished snapshot when it is closed', () =>
    withDirectory(async (directory) => {
      const { store } = await openLevelStore({ directory, identity });
      await save(store, { entries: entries(1, 3) });
      const snapshot = saveSnapshot(
        store,
        meta(3),
        Array.from({ length: 40 }, (_, i) => noise(50_000, i)),
      ).catch((error: unknown) => error);

      await store.close();
      const again = await openLevelStore({ directory, identity });
      await again.store.close();

      expect(await snapshot).to.be.instanceOf(StorageError);
      expect(again.state.snapshot).to.equal(undefined);
    }));
});
