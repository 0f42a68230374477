#!/usr/bin/env node
// The work of one task: reads {"file": …} on standard input, prints the file's word count, its most frequent words and its SHA-256.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { createHash } from 'node:crypto';

export function countWords(bytes) {
  const words =
    bytes
      .toString('utf8')
      .toLowerCase()
      .match(/\p{L}+/gu) ?? [];
  const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const frequent = [...counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 5);
  return { words: words.length, distinct: counts.size, frequent, sha256: createHash('sha256').update(bytes).digest('hex') };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { file } = JSON.parse(readFileSync(0, 'utf8'));
  process.stdout.write(JSON.stringify(countWords(readFileSync(file))));
}
