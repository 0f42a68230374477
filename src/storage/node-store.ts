import { access, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../core/logger.ts';
import { openLevelStore, syncDirectory } from './level-store.ts';
import { lossOf, mayBeginAnew } from './lost-store.ts';
import type { OpenedStore } from './opening.ts';
import type { StoreIdentity } from './records.ts';
import { StorageError } from './storage-error.ts';

export interface NodeStoreOptions {
  /** Holds `store`, where the log is, `started`, which says that there was one, and `store.damaged-<n>`. Must exist. */
  readonly dataDir: string;
  readonly identity: StoreIdentity;
  /** The cluster's only voter: nobody could repair it. */
  readonly isAlone: boolean;
  /** Draws the number that names a loss of the disk: whole, above 0, never the same twice. */
  readonly nonce: () => number;
  readonly logger?: Logger | undefined;
}

/** Damaged stores that are kept for who wants to look at them; a further one takes the place of the oldest. */
const maxDamagedKept = 3;

/**
 * Opens a node's store. A damaged one is moved aside, and one that is gone is noticed by the marker beside it: in both cases the node begins anew as one that
 * lost its disk, and the others repair it.
 *
 * @throws StorageError also `damaged`, when the node is alone.
 */
export async function openNodeStore({ dataDir, identity, isAlone, nonce, logger }: NodeStoreOptions): Promise<OpenedStore> {
  const directory = join(dataDir, 'store');
  const openStore = async (): Promise<OpenedStore> =>
    openLevelStore({ directory, identity, logger, rejoining: lossOf(await isMarked(dataDir), nonce) });
  const opened = await openStore().catch(async (error: unknown) => {
    if (!mayBeginAnew(error, isAlone)) throw error;
    // First: when the power goes between the two, the next start finds no store and must know that there was one.
    await mark(dataDir);
    const aside = await moveAside(dataDir, directory, logger);
    logger?.error(
      { err: error, aside },
      'the store is damaged and was moved aside; this node does not vote until the others have repaired it',
    );
    return openStore();
  });
  if (opened.state.hardState.rejoining === 0) {
    await mark(dataDir);
    return opened;
  }
  if (isAlone) {
    await opened.store.close();
    const advice = `put ${directory} back from a copy, or remove it and ${join(dataDir, markerName)} to begin with nothing`;
    throw new StorageError('damaged', `the store ${directory} is lost, and a cluster of one node has nobody to repair it from: ${advice}.`);
  }
  logger?.warn({ directory, boot: opened.boot }, 'this node lost its store: it does not vote until the others have repaired it');
  return opened;
}

const markerName = 'started';

const isMarked = (dataDir: string): Promise<boolean> =>
  access(join(dataDir, markerName)).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    },
  );

/** Says for good that this directory had a store. */
async function mark(dataDir: string): Promise<void> {
  if (await isMarked(dataDir)) return;
  const handle = await open(join(dataDir, markerName), 'a', 0o600);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncDirectory(dataDir);
}

const damagedName = /^store\.damaged-(\d{1,9})$/;

async function moveAside(dataDir: string, directory: string, logger: Logger | undefined): Promise<string> {
  const numbers = (await readdir(dataDir)).flatMap((name) => damagedName.exec(name)?.slice(1).map(Number) ?? []).toSorted((a, b) => a - b);
  const pathOf = (number: number): string => join(dataDir, `store.damaged-${number}`);
  for (const number of numbers.slice(0, Math.max(0, numbers.length - maxDamagedKept + 1))) {
    logger?.warn({ path: pathOf(number) }, 'deleting the oldest damaged store, to make room');
    await rm(pathOf(number), { recursive: true });
  }
  const aside = pathOf((numbers.at(-1) ?? 0) + 1);
  await rename(directory, aside);
  await syncDirectory(dataDir);
  return aside;
}
