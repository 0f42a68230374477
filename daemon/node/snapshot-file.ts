import { createReadStream } from 'node:fs';
import { access, link, open, rm } from 'node:fs/promises';
import { inspectSnapshot, loadSnapshot, SnapshotFileError, type SnapshotContents } from '../../src/index.ts';
import { CliError, messageOf } from '../cli-error.ts';
import { exitCodes } from '../exit-codes.ts';

export const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * Writes what a node sends to a file, reads it back, checks it, and only then gives it its name.
 *
 * @throws CliError when the file exists or what arrived is not whole.
 */
export async function saveSnapshot(path: string, body: AsyncIterable<Uint8Array>): Promise<SnapshotContents> {
  const partial = `${path}.partial`;
  try {
    const file = await open(partial, 'w', 0o600);
    try {
      for await (const piece of body) await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    const contents = await inspectSnapshot(createReadStream(partial));
    // A link, unlike a renaming, never takes the place of another file.
    await link(partial, path);
    return contents;
  } catch (error) {
    if (error instanceof SnapshotFileError)
      throw new CliError(exitCodes.error, `what the node sent is not whole: ${error.message}`, 'try again, or ask another node', {
        cause: error,
      });
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw exists(path);
    if (error instanceof CliError) throw error;
    throw new CliError(exitCodes.error, `the snapshot could not be saved: ${messageOf(error)}`, 'try again, or ask another node', {
      cause: error,
    });
  } finally {
    await rm(partial, { force: true });
  }
}

export const exists = (path: string): CliError =>
  new CliError(exitCodes.error, `${path} is already there`, 'choose another name, or remove it if it is not needed');

/** @throws CliError when the file can't be read or is damaged. */
export const inspectFile = (path: string): Promise<SnapshotContents> => reading(path, inspectSnapshot);

/** @throws CliError when the file can't be read or is damaged. */
export const loadFile = (path: string): ReturnType<typeof loadSnapshot> => reading(path, loadSnapshot);

async function reading<T>(path: string, read: (source: AsyncIterable<Uint8Array>) => Promise<T>): Promise<T> {
  try {
    return await read(createReadStream(path, { highWaterMark: 1024 * 1024 }));
  } catch (error) {
    if (error instanceof SnapshotFileError)
      throw new CliError(exitCodes.error, `the snapshot ${path} can't be used: ${error.message}`, 'use another copy', { cause: error });
    throw new CliError(exitCodes.error, `the snapshot ${path} can't be read: ${messageOf(error)}`, undefined, { cause: error });
  }
}
