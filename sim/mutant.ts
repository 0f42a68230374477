/** A planted bug: a small change of the sources, for a copy of them. */
export interface Mutant {
  readonly name: string;
  /** What the bug does, in words. */
  readonly title: string;
  /** Where the bug is known from. */
  readonly source: string;
  /** The world that is to find it. */
  readonly scenario: string;
  readonly changes: readonly Change[];
}

export interface Change {
  /** Path of the source file from the project's root. */
  readonly file: string;
  /** Lines that stand in the file once, each without the space around it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** The text is not a planted bug, or it doesn't fit the sources; the message says where. */
export class MutantError extends Error {
  override readonly name = 'MutantError';
}

/**
 * Reads a planted bug: lines `title`, `source` and perhaps `scenario`, then changes: `in FILE`, lines to find (`- …`) and what takes their place (`+ …`).
 *
 * @throws MutantError
 */
export function parseMutant(name: string, text: string): Mutant {
  const fields = new Map<string, string>();
  const changes: { file: string; before: string[]; after: string[] }[] = [];
  let file: string | undefined;
  for (const [number, line] of text.split('\n').entries()) {
    const [, word = '', rest = ''] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    const last = changes.at(-1);
    if (word === '') continue;
    if (word === 'in') file = rest;
    else if (word === '-' && file !== undefined) {
      if (last?.after.length === 0 && last.file === file) last.before.push(rest.trim());
      else changes.push({ file, before: [rest.trim()], after: [] });
    } else if (word === '+' && last !== undefined) last.after.push(rest);
    else if (['title', 'source', 'scenario'].includes(word) && file === undefined) fields.set(word, rest);
    else throw new MutantError(`${name}: line ${number + 1} is not understood: ${line}`);
  }
  const title = fields.get('title');
  const source = fields.get('source');
  if (title === undefined || source === undefined || changes.length === 0)
    throw new MutantError(`${name}: needs title, source and a change`);
  return { name, title, source, scenario: fields.get('scenario') ?? 'random', changes };
}

/**
 * The file's text with the bug in it.
 *
 * @throws MutantError when what is to be changed does not stand in the text exactly once.
 */
export function plant(name: string, text: string, { file, before, after }: Change): string {
  const pattern = new RegExp(before.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s*\\n\\s*'), 'g');
  const found = [...text.matchAll(pattern)];
  if (found.length !== 1) throw new MutantError(`${name}: ${file} has ${found.length} places like this: ${before.join(' / ')}`);
  return text.replace(pattern, () => after.join('\n'));
}
