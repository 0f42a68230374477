import { writeSync } from 'node:fs';
import { openLevelStore } from '../../src/storage/level-store.ts';
import { entry, identity, meta, n1, noise } from './support.ts';

// Writes until it is killed or the disk is full, and tells every acknowledged index on a line of its own: first the one it began with.

const [directory = '', entryBytes = '500'] = process.argv.slice(2);

const tell = (line: string): void => {
  writeSync(1, `${line}\n`);
};

const { store, state } = await openLevelStore({ directory, identity });
let index = state.entries.at(-1)?.index ?? state.compactedIndex;
let failures = 0;
tell(`${index}`);

function next(): void {
  const added = entry(index + 1, { data: noise(Number(entryBytes), index + 1) });
  store.save({ hardState: { currentTerm: 1, votedFor: n1, commitIndex: index, rejoining: 0 }, entries: [added] }, (error) => {
    if (error !== undefined) {
      tell(`failed ${error.message}`);
      // Once more: it must be refused with the same words.
      if (failures++ === 0) next();
      else process.exit(0);
      return;
    }
    index++;
    tell(`${index}`);
    if (index % 50 === 0) snapshot();
    next();
  });
}

function snapshot(): void {
  const at = index - 10;
  store.saveSnapshot(meta(at), [noise(100_000, 1), noise(100_000, 2)], (error) => {
    if (error === undefined) store.compact(at - 10, 1, () => undefined);
  });
}

next();
