import type { SeededRandom } from '../../src/core/random.ts';
import type { Entry } from '../../src/raft/messages.ts';
import type { StoredState } from '../../src/storage/store.ts';

interface StoredLog extends Pick<StoredState, 'hardState' | 'entries'> {
  readonly snapshot: Pick<NonNullable<StoredState['snapshot']>, 'meta'> | undefined;
}

/**
 * The end of a stored log with one committed batch of commands in it that is not what was committed, so that a node which starts with it carries out something else
 * than the others did. Undefined when there is no such batch after the snapshot.
 */
export function rewriteOne({ hardState, snapshot, entries }: StoredLog, random: SeededRandom): readonly Entry[] | undefined {
  const from = snapshot?.meta.index ?? 0;
  const isApplied = ({ kind, index, data }: Entry): boolean =>
    kind === 'command' && index > from && index <= hardState.commitIndex && data.length > 0;
  const places = entries.flatMap((entry, place) => (isApplied(entry) ? [place] : []));
  const place = places[random.below(Math.max(1, places.length))];
  const entry = place === undefined ? undefined : entries[place];
  if (place === undefined || entry === undefined) return undefined;
  const at = random.below(entry.data.length);
  const data = entry.data.slice();
  data[at] = (data[at] ?? 0) ^ (1 << random.below(8));
  return [{ ...entry, data }, ...entries.slice(place + 1)];
}
