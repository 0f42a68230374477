import type { z } from 'zod';
import type { Http } from './http.ts';

const pageSize = 1000;

/** All items of a collection, a page at a time. `http` makes the client of each page: one that has a node fail starts with another. */
export async function* everyItem<T>(
  http: () => Http,
  path: string,
  page: z.ZodType<{ items: T[]; cursor?: string | null | undefined }>,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const { items, cursor: next } = page.parse(await http().request('GET', path, { query: { ...query, limit: pageSize, cursor } }));
    yield* items;
    cursor = next ?? undefined;
  } while (cursor !== undefined);
}
