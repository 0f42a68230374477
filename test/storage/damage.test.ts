import { copyFile, cp, mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Level } from 'level';
import { headKey, kinds } from '../../src/storage/keys.ts';
import { openLevelStore } from '../../src/storage/level-store.ts';
import { StorageError } from '../../src/storage/storage-error.ts';
import type { RaftStore } from '../../src/storage/store.ts';
import { compact, entry, everything, identity, meta, n1, noise, save, saveSnapshot } from './support.ts';

const refused = 'refused';

/** What opening answers: everything, or that it was refused as damaged in clear words. Any other end is a failure of the test. */
async function answer(directory: string): Promise<unknown> {
  try {
    const { store, state } = await openLevelStore({ directory, identity });
    const answered = await everything(store, state);
    await store.close();
    return answered;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    expect(error.code, error.message).to.equal('damaged');
    expect(error.message).to.include(directory);
    return refused;
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

async function filesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  const isFile = await Promise.all(names.map(async (name) => (await stat(join(directory, name))).isFile()));
  // LOCK is empty, and LOG is LevelDB's diary, which nothing reads.
  return names.filter((name, i) => isFile[i] === true && !/\/(LOCK|LOG|LOG\.old)$/.test(name)).toSorted();
}

async function append(store: RaftStore, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index++) {
    const data = noise(50 + (index % 200), index);
    await save(store, {
      hardState: { currentTerm: 1, votedFor: n1, commitIndex: index - 1, rejoining: 0 },
      entries: [entry(index, { data })],
    });
  }
}

/** A store of several hundred entries, some of them in LevelDB's tables and some in its log, with a snapshot and a compacted beginning. */
async function fill(directory: string): Promise<void> {
  let { store } = await openLevelStore({ directory, identity });
  await append(store, 1, 150);
  await store.close();
  ({ store } = await openLevelStore({ directory, identity }));
  await append(store, 151, 300);
  await saveSnapshot(store, meta(120), [noise(3000, 1), noise(3000, 2)]);
  await compact(store, 100);
  await store.close();
  ({ store } = await openLevelStore({ directory, identity }));
  await append(store, 301, 450);
  await store.close();
}

/** The database as LevelDB's own tools see it. */
const raw = (directory: string): Level<Uint8Array, Uint8Array> =>
  new Level(join(directory, 'db'), { keyEncoding: 'view', valueEncoding: 'view' });

interface Damage {
  readonly what: string;
  readonly harm: (directory: string) => Promise<void>;
}

describe('storage: damage to the files', () => {
  let root: string;
  let sound: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'quorate-'));
    sound = join(root, 'sound');
    await fill(sound);
  });
  after(() => rm(root, { recursive: true }));

  let copies = 0;
  const copyOf = async (directory: string): Promise<string> => {
    const copy = join(root, `copy-${copies++}`);
    await cp(directory, copy, { recursive: true });
    return copy;
  };

  /** Opens a copy after each damage: it must answer as before or be refused. Says how many were refused. */
  const refusals = async (original: string, damages: readonly Damage[]): Promise<number> => {
    const whole = await answer(await copyOf(original));
    expect(whole).not.to.equal(refused);
    let count = 0;
    for (const { what, harm } of damages) {
      const directory = await copyOf(original);
      await harm(directory);
      const answered = await answer(directory);
      if (answered === refused) {
        count++;
        expect(await answer(directory), `${what}: answered the second time`).to.equal(refused);
      } else {
        expect(isSame(answered, whole), `${what}: less or other than before`).to.equal(true);
      }
      await rm(directory, { recursive: true });
    }
    return count;
  };

  it('is found, or changes nothing, wherever a byte is flipped', async () => {
    const damages: Damage[] = [];
    for (const name of await filesIn(sound)) {
      const { size } = await stat(join(sound, name));
      const samples = Math.min(size, 36);
      for (let i = 0; i < samples; i++) {
        // Spread over the file, and the last bytes, where tables keep their indices and logs their newest records.
        const position = i % 4 === 3 ? size - 1 - i : Math.floor((i * size) / samples);
        const mask = [0x01, 0x80, 0xff, 0x10][i % 4] ?? 1;
        const harm = async (directory: string): Promise<void> => {
          const bytes = await readFile(join(directory, name));
          bytes[position] = (bytes[position] ?? 0) ^ mask;
          await writeFile(join(directory, name), bytes);
        };
        damages.push({ what: `${name} at byte ${position}`, harm });
      }
    }

    const count = await refusals(sound, damages);

    expect(damages.length).to.be.at.least(200);
    expect(count).to.be.at.least(100);
  });

  it('is found, or changes nothing, wherever a file is cut short', async () => {
    const damages: Damage[] = [];
    for (const name of await filesIn(sound)) {
      const { size } = await stat(join(sound, name));
      const lengths = new Set([0, 1, ...Array.from({ length: 10 }, (_, i) => Math.floor((i * size) / 10)), size - 200, size - 7, size - 1]);
      for (const length of lengths) {
        if (length < 0) continue;
        damages.push({ what: `${name} cut to ${length} bytes`, harm: (directory: string) => truncate(join(directory, name), length) });
      }
    }

    expect(await refusals(sound, damages)).to.be.at.least(40);
  });

  it('is found, or changes nothing, whichever file is gone', async () => {
    const names = await filesIn(sound);

    const count = await refusals(
      sound,
      names.map((name) => ({ what: `without ${name}`, harm: (directory: string) => rm(join(directory, name)) })),
    );

    expect(count).to.be.at.least(names.length - 2);
  });

  it('is found when the database or the guard is gone whole, or is of another time', async () => {
    const older = await copyOf(sound);
    const newer = await copyOf(sound);
    const { store } = await openLevelStore({ directory: newer, identity });
    await append(store, 451, 455);
    await store.close();

    const count = await refusals(newer, [
      { what: 'no database', harm: (directory) => rm(join(directory, 'db'), { recursive: true }) },
      {
        what: 'an empty database',
        harm: async (directory) => {
          await rm(join(directory, 'db'), { recursive: true });
          await mkdir(join(directory, 'db'));
        },
      },
      {
        what: 'no guard',
        harm: (directory) => Promise.all([0, 1].map((slot) => rm(join(directory, `guard-${slot}`)))).then(() => undefined),
      },
      {
        what: 'an older database',
        harm: async (directory) => {
          await rm(join(directory, 'db'), { recursive: true });
          await cp(join(older, 'db'), join(directory, 'db'), { recursive: true });
        },
      },
      {
        what: 'an older guard',
        harm: (directory) =>
          Promise.all([0, 1].map((slot) => copyFile(join(older, `guard-${slot}`), join(directory, `guard-${slot}`)))).then(() => undefined),
      },
    ]);

    expect(count).to.equal(5);
  });

  it('is found whichever record is missing from the database', async () => {
    const records: Uint8Array[] = [];
    const db = raw(await copyOf(sound));
    for await (const key of db.keys()) records.push(key);
    await db.close();
    const isEntry = (key: Uint8Array | undefined): boolean => key?.[0] === kinds.entry;
    const sample = records.filter((key, i) => !isEntry(key) || i % 12 === 0 || !isEntry(records[i + 1]));

    const count = await refusals(
      sound,
      sample.map((key) => ({
        what: `without record ${key.toString()}`,
        harm: async (directory: string) => {
          const database = raw(directory);
          await database.del(key);
          await database.close();
        },
      })),
    );

    expect(records.some((key) => key.length === headKey.length && key[0] === headKey[0])).to.equal(true);
    expect(count).to.equal(sample.length);
  });
});

describe('storage: other programs', () => {
  it('may look into the database, even if LevelDB rewrites its files for them', async () => {
    const root = await mkdtemp(join(tmpdir(), 'quorate-'));
    const [used, copy] = [join(root, 'used'), join(root, 'copy')];
    await fill(used);
    await cp(used, copy, { recursive: true });
    const before = await answer(copy);

    // It turns the log into a table when it opens: here one of many blocks, so that the table's index is compressed as well.
    const database = new Level(join(used, 'db'), { blockSize: 64 });
    await database.open();
    await database.close();

    expect(isSame(await answer(used), before)).to.equal(true);
    await rm(root, { recursive: true });
  });
});

describe('storage: a crash in the middle of a write', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'quorate-'));
  });
  after(() => rm(root, { recursive: true }));

  /** The directory before and after one more write, what each answers, and the file of LevelDB's log. */
  async function aroundOneWrite(): Promise<{ before: string; after: string; log: string; answers: readonly [unknown, unknown] }> {
    const live = join(root, 'live');
    const [before, after] = [join(root, 'before'), join(root, 'after')];
    const { store } = await openLevelStore({ directory: live, identity });
    await append(store, 1, 20);
    await cp(live, before, { recursive: true });
    await append(store, 21, 21);
    await cp(live, after, { recursive: true });
    await store.close();
    const log = (await filesIn(after)).find((name) => name.endsWith('.log')) ?? '';
    const answers = [];
    for (const directory of [before, after]) {
      const copy = `${directory}-copy`;
      await cp(directory, copy, { recursive: true });
      answers.push(await answer(copy));
    }
    return { before, after, log, answers: [answers[0], answers[1]] };
  }

  it('leaves the state before or after it, whatever part of it has reached the disk, and after it once it was acknowledged', async () => {
    const { before, after, log, answers } = await aroundOneWrite();
    const [old, fresh] = answers;
    const start = (await stat(join(before, log))).size;
    const end = (await stat(join(after, log))).size;
    const guards = await Promise.all([0, 1].map((slot) => readFile(join(after, `guard-${slot}`))));
    const written = (await readFile(join(before, 'guard-0'))).equals(guards[0] ?? Buffer.of()) ? 1 : 0;
    const guardBytes = guards[written]?.length ?? 0;
    const seen = { old: 0, fresh: 0 };

    const cuts = Array.from({ length: end - start + 1 }, (_, i) => start + i).filter(
      (cut) => cut % 11 === 0 || cut <= start + 1 || cut >= end - 1,
    );
    for (const cut of cuts) {
      for (const guardCut of [-1, 0, 10, guardBytes - 20, guardBytes]) {
        const directory = join(root, 'torn');
        await cp(after, directory, { recursive: true });
        await truncate(join(directory, log), cut);
        const guard = join(directory, `guard-${written}`);
        // -1: nothing of the new slot was written over the old one; else its first bytes were.
        await copyFile(join(before, `guard-${written}`), guard);
        if (guardCut >= 0) {
          const handle = await open(guard, 'r+');
          await handle.write(guards[written] ?? Buffer.of(), 0, guardCut, 0);
          await handle.close();
        }

        const answered = await answer(directory);

        const where = `log cut to ${cut} of ${end}, guard to ${guardCut} of ${guardBytes}`;
        const isWhole = cut === end || guardCut === guardBytes;
        expect(isSame(answered, isWhole ? fresh : old), where).to.equal(true);
        seen[isWhole ? 'fresh' : 'old']++;
        await rm(directory, { recursive: true });
      }
    }

    expect(isSame(old, fresh)).to.equal(false);
    expect(seen.old).to.be.at.least(20);
    expect(seen.fresh).to.be.at.least(20);
  });

  it('does no harm when it comes again and again while the store is being opened', async () => {
    const directory = join(root, 'again');
    const { store } = await openLevelStore({ directory, identity });
    await append(store, 1, 5);
    await store.close();
    const good = await answer(directory);

    // Every opening writes once. Its slot is torn each time, as if the power went in that write, after LevelDB had it.
    for (let round = 0; round < 4; round++) {
      const slots = await Promise.all([0, 1].map(async (slot) => ({ slot, at: (await stat(join(directory, `guard-${slot}`))).mtimeMs })));
      const newest = slots.toSorted((a, b) => b.at - a.at)[0]?.slot ?? 0;
      await truncate(join(directory, `guard-${newest}`), 30);

      expect(isSame(await answer(directory), good), `round ${round}`).to.equal(true);
    }
  });
});
