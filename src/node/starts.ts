import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/** Named by who needed it first. */
const fileName = 'gossip-boot';

/**
 * The count of this node's starts, one more than at the last; on disk before anything is said under it: gossip would name two writes alike, and rows of this start would
 * look older than those of the last. It lies beside the store and not in it: a node whose store was lost counts on.
 *
 * @throws Error when the file holds no count.
 */
export async function nextBoot(dataDir: string): Promise<number> {
  const path = join(dataDir, fileName);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '0\n';
    throw error;
  });
  if (!/^\d{1,7}\n$/.test(text)) throw new Error(`${path} holds no count of starts: put it back from a copy`);
  const boot = Number(text) + 1;
  await writeDurably(dataDir, path, `${boot}\n`);
  return boot;
}

async function writeDurably(directory: string, path: string, text: string): Promise<void> {
  const fresh = await open(`${path}.new`, 'w', 0o600);
  try {
    await fresh.writeFile(text);
    await fresh.sync();
  } finally {
    await fresh.close();
  }
  await rename(`${path}.new`, path);
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
