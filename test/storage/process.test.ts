import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { SeededRandom } from '../../src/core/random.ts';
import { openLevelStore } from '../../src/storage/level-store.ts';
import type { StoredState } from '../../src/storage/store.ts';
import { identity, noise, withDirectory } from './support.ts';

const writer = fileURLToPath(new URL('./writer-process.js', import.meta.url));

/** Lines of the child until it ends or `stop` says to kill it. */
async function linesOf(child: ChildProcess, stop: (line: string) => boolean): Promise<readonly string[]> {
  const lines: string[] = [];
  const exit = once(child, 'close');
  if (child.stdout === null) throw new Error('the child has an output');
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => {
    lines.push(line);
    if (stop(line)) child.kill('SIGKILL');
  });
  const ended = once(reader, 'close');
  await exit;
  await ended;
  return lines;
}

const acknowledged = (lines: readonly string[]): number => Math.max(...lines.filter((line) => /^\d+$/.test(line)).map(Number));

async function reopened(directory: string): Promise<StoredState> {
  const { store, state } = await openLevelStore({ directory, identity });
  await store.close();
  return state;
}

function expectAll(state: StoredState, upTo: number): void {
  const last = state.entries.at(-1)?.index ?? state.compactedIndex;
  expect(last).to.be.at.least(upTo);
  // Of the writes that were not acknowledged at most the one in flight is there.
  expect(last).to.be.at.most(upTo + 1);
  expect(state.hardState.commitIndex).to.equal(last - 1);
}

describe('storage: a process that dies', () => {
  it('has kept everything it had acknowledged when it is killed in the middle of its writes', () =>
    withDirectory(async (directory) => {
      const random = new SeededRandom(4);
      let least = 0;

      for (let round = 0; round < 6; round++) {
        const enough = least + 20 + random.below(150);
        const lines = await linesOf(spawn(process.execPath, [writer, directory]), (line) => Number(line) >= enough);
        least = acknowledged(lines);

        const state = await reopened(directory);

        expect(lines.length).to.be.above(10);
        expectAll(state, least);
        for (const { index, data } of state.entries) expect(data).to.deep.equal(noise(500, index));
      }
    }));

  it('writes nothing more once the disk is full, and has kept what it had acknowledged', () =>
    withDirectory(async (directory) => {
      // No file may grow beyond 256 blocks of 512 or 1024 bytes: LevelDB's log comes to that in the middle of a record.
      const child = spawn('sh', ['-c', 'ulimit -f 256; exec "$@"', 'sh', process.execPath, writer, directory, '5000']);

      const lines = await linesOf(child, () => false);
      const state = await reopened(directory);

      const failures = lines.filter((line) => line.startsWith('failed'));
      expect(failures).to.have.length(2);
      expect(failures[0]).to.include(directory).and.to.include('File too large');
      expect(failures[1]).to.equal(failures[0]);
      expect(lines.slice(-2)).to.deep.equal(failures);
      expect(acknowledged(lines)).to.be.above(10);
      expectAll(state, acknowledged(lines));
    }));
});
