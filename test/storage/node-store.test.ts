import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openNodeStore } from '../../src/storage/node-store.ts';
import { StorageError } from '../../src/storage/storage-error.ts';
import { entry, identity, n1, save } from './support.ts';

describe('storage: the store of a node', function () {
  this.timeout(30_000);
  let dataDir: string;
  let drawn: number;
  beforeEach(async () => {
    drawn = 0;
    dataDir = await mkdtemp(join(tmpdir(), 'quorate-'));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  const openOnce = (isAlone = false) => openNodeStore({ dataDir, identity, isAlone, nonce: () => 100 + ++drawn });

  /** Opens it, votes, appends an entry and closes it. */
  async function live(isAlone = false): Promise<void> {
    const { store, state } = await openOnce(isAlone);
    const index = (state.entries.at(-1)?.index ?? 0) + 1;
    const { rejoining } = state.hardState;
    await save(store, { hardState: { currentTerm: 1, votedFor: n1, commitIndex: 0, rejoining }, entries: [entry(index)] });
    await store.close();
  }

  async function damage(): Promise<void> {
    for (const name of await readdir(join(dataDir, 'store', 'db')))
      if (name.startsWith('MANIFEST')) await truncate(join(dataDir, 'store', 'db', name), 3);
  }

  it('is whole on a new node, and when it is opened again', async () => {
    await live();

    const { store, state } = await openOnce();
    await store.close();

    expect(state.hardState).to.include({ votedFor: n1, rejoining: 0 });
    expect(state.entries).to.have.length(1);
    expect(await readdir(dataDir)).to.have.members(['started', 'store']);
  });

  it('is moved aside when it is damaged, and says ever after that it was lost', async () => {
    await live();
    await damage();

    const { store, state } = await openOnce();
    await store.close();
    const again = await openOnce();
    await again.store.close();

    expect(state.entries).to.deep.equal([]);
    expect(state.hardState.rejoining).to.be.greaterThan(100);
    expect(again.state.hardState.rejoining).to.equal(state.hardState.rejoining);
    expect(await readdir(dataDir)).to.have.members(['started', 'store', 'store.damaged-1']);
  });

  it('says that it was lost when it is gone', async () => {
    await live();
    await rm(join(dataDir, 'store'), { recursive: true });

    const { store, state } = await openOnce();
    await store.close();

    expect(state.hardState).to.deep.equal({ currentTerm: 0, votedFor: undefined, commitIndex: 0, rejoining: 101 });
  });

  it('keeps the three newest damaged ones, each loss under a number of its own', async () => {
    await live();
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) {
      await damage();
      const { store, state } = await openOnce();
      losses.push(state.hardState.rejoining);
      await store.close();
    }

    expect(new Set(losses).size).to.equal(5);
    expect((await readdir(dataDir)).filter((name) => name.startsWith('store.'))).to.have.members(
      [3, 4, 5].map((n) => `store.damaged-${n}`),
    );
  });

  it('is refused on the only voter, whether it is damaged or gone', async () => {
    const refusal = () =>
      openOnce(true).then(
        () => undefined,
        (error: unknown) => error,
      );
    await live(true);
    await damage();

    const damaged = await refusal();
    await rm(join(dataDir, 'store'), { recursive: true });
    const gone = [await refusal(), await refusal()];

    for (const error of [damaged, ...gone]) expect(error).to.be.instanceOf(StorageError).and.include({ code: 'damaged' });
    expect(String(gone[1])).to.match(/nobody to repair it from/);
    expect(await readdir(dataDir)).to.have.members(['started', 'store']);
  });
});
