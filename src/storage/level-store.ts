import { constants } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { assert } from '../core/assert.ts';
import { decodeSlots } from './guard.ts';
import { GuardFiles, readGuardFiles } from './guard-files.ts';
import { type Database, LevelEngine } from './level-engine.ts';
import { checkTables } from './leveldb-files.ts';
import { openStore, type OpenedStore, type OpenOptions } from './opening.ts';
import { Damage } from './recovery.ts';
import { runRoutine, type Routine } from './routine.ts';
import { damaged, StorageError } from './storage-error.ts';

/**
 * Opens a data directory, checks every record in it, makes up for a last write that is only in the guard, and counts the boot. A directory that holds
 * nothing yet becomes a new one.
 *
 * @throws StorageError
 */
export async function openLevelStore(options: OpenOptions): Promise<OpenedStore> {
  const { directory, logger } = options;
  let db: Database | undefined;
  let guard: GuardFiles | undefined;
  try {
    // Nothing else may be put into it.
    await mkdir(directory, { recursive: true, mode: 0o700 });
    db = await openDatabase(directory);
    guard = await GuardFiles.open(directory);
    await syncDirectory(directory);
    await syncDirectory(dirname(directory));
    return await promised(openStore(new LevelEngine(directory, db, guard, logger), options));
  } catch (error) {
    await guard?.close();
    await db?.close();
    throw classify(directory, error);
  }
}

const promised = <T>(routine: Routine<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    runRoutine(routine, (outcome) => ('value' in outcome ? resolve(outcome.value) : reject(outcome.error)));
  });

async function openDatabase(directory: string): Promise<Database> {
  const path = join(directory, 'db');
  const [newest] = decodeSlots(await readGuardFiles(directory));
  // An empty database is right only where nothing was ever written. LevelDB would make one, and delete the tables, when only CURRENT is missing.
  const mayBegin = (newest?.sequence ?? 0) <= 1 && !(await filesIn(path)).some((name) => name.endsWith('.ldb'));
  // Only to learn whether another process has it: LevelDB looks at its lock first and then finds that the database exists.
  const probe = await openLevel(path, { createIfMissing: false, errorIfExists: true }).catch((error: unknown) => error);
  if (isLocked(probe)) throw probe;
  await checkTables(path);
  return openLevel(path, { createIfMissing: mayBegin });
}

async function openLevel(
  path: string,
  options: { readonly createIfMissing: boolean; readonly errorIfExists?: boolean },
): Promise<Database> {
  // Not compressed: what a log holds is short-lived, and hardly worth the time.
  const db = new Level<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view', compression: false, ...options });
  assert(isLevelDb(db), 'on Node level is LevelDB');
  await db.open();
  return db;
}

const isLocked = (error: unknown): error is Error => error instanceof Error && reasonOf(error).code === 'LEVEL_LOCKED';

const isLevelDb = (db: Level<Uint8Array, Uint8Array>): db is Database => 'compactRange' in db;

async function filesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** LevelDB's reason is the cause of `level`'s "failed to open". */
function reasonOf(error: Error): { readonly code: string; readonly message: string } {
  const reason = error.cause instanceof Error ? error.cause : error;
  return { code: 'code' in reason && typeof reason.code === 'string' ? reason.code : '', message: reason.message };
}

/** LevelDB's words for files that are missing or that it can't read, where `level` gives no code. */
const isComplaint = /^(Invalid argument|Corruption|NotFound|Not implemented): /;

/** What an error at opening means for who runs the node. Our own faults pass through. */
function classify(directory: string, error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  if (error instanceof Damage) return damaged(directory, error.message, error);
  const { code, message } = reasonOf(error);
  if (code === 'LEVEL_LOCKED') {
    return new StorageError('in_use', `the data directory ${directory} is in use by another process: stop that first.`, { cause: error });
  }
  const isDamage = code === 'LEVEL_IO_ERROR' ? message.includes('No such file') : code === 'LEVEL_CORRUPTION' || isComplaint.test(message);
  if (isDamage) return damaged(directory, message, error);
  if (code === '') return error;
  const advice = 'see that the disk works, has room and may be written by this user, then start again';
  return new StorageError('io', `the data directory ${directory} can't be opened (${message}): ${advice}.`, { cause: error });
}
