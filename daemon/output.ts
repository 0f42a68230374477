import Table from 'cli-table3';
import pc from 'picocolors';
import type { Format } from './node/config.ts';
import type { Context } from './context.ts';

type Colors = ReturnType<typeof pc.createColors>;

/** Colours only for people at a terminal who did not decline them (no-color.org). */
export const colorsFor = ({ env, stdoutIsTerminal }: Pick<Context, 'env' | 'stdoutIsTerminal'>): Colors =>
  pc.createColors(stdoutIsTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb');

/** Columns under their heads, without frames: easy to read and to cut. */
export function tableText(head: readonly string[], rows: readonly (readonly string[])[], colors: Colors): string {
  const chars = Object.fromEntries(
    [
      'top',
      'top-mid',
      'top-left',
      'top-right',
      'bottom',
      'bottom-mid',
      'bottom-left',
      'bottom-right',
      'left',
      'left-mid',
      'mid',
      'mid-mid',
      'right',
      'right-mid',
    ].map((part) => [part, '']),
  );
  const table = new Table({ chars: { ...chars, middle: '  ' }, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 } });
  table.push(
    head.map((title) => colors.bold(title)),
    ...rows.map((row) => [...row]),
  );
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Shows answers on stdout: as the API's JSON, as one line for each item, or as a table for people. */
export class Printer {
  readonly #context: Context;
  readonly format: Format;
  readonly colors: Colors;

  constructor(context: Context, format: Format) {
    this.#context = context;
    this.format = format;
    this.colors = colorsFor(context);
  }

  /** One thing. */
  value(value: unknown, text: () => string): void {
    if (this.format === 'table') this.line(text());
    else if (this.format === 'ndjson') this.line(JSON.stringify(value));
    else this.line(JSON.stringify(value, undefined, 2));
  }

  /** A listing; `whole` is the answer that held it. */
  rows<T>(whole: unknown, items: readonly T[], head: readonly string[], row: (item: T) => readonly string[]): void {
    if (this.format === 'json') this.line(JSON.stringify(whole, undefined, 2));
    else if (this.format === 'ndjson') for (const item of items) this.line(JSON.stringify(item));
    else this.#context.out(tableText(head, items.map(row), this.colors));
  }

  /** One of a stream of things: a line of JSON unless it is for people. */
  event(value: unknown, text: () => string): void {
    this.line(this.format === 'table' ? text() : JSON.stringify(value));
  }

  line(text: string): void {
    this.#context.out(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** For people only, on stderr: never in the way of a pipe. */
  note(text: string): void {
    this.#context.err(`${text}\n`);
  }
}
