/**
 * A map's entries in order as they are now, whatever is put and deleted later. Keys and values are copied as two plain arrays: a millisecond for the
 * hundred thousand that such a map may hold, where an array of pairs would be ten. The values must be immutable.
 */
export function frozenEntries<K, V>(map: ReadonlyMap<K, V>): Iterable<[K, V]> {
  return pairs([...map.keys()], [...map.values()]);
}

function* pairs<K, V>(keys: readonly K[], values: readonly V[]): Generator<[K, V], void, undefined> {
  let i = 0;
  for (const value of values) {
    const key = keys[i++];
    if (key !== undefined) yield [key, value];
  }
}
