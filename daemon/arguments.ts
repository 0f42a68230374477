import { InvalidArgumentError } from 'commander';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `5s`, `2m`, `1h` or a plain number of milliseconds; undefined if it is none of them. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) return undefined;
  const ms = Math.round(Number(match[1]) * (unitMs[match[2] ?? 'ms'] ?? 1));
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** For commander: a duration in milliseconds. */
export function duration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 500ms, 5s or 2m.');
  return ms;
}

/** For commander: a whole number within bounds. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
    return value;
  };

/** For commander: whole numbers divided by commas. */
export const wholeNumbers =
  (least: number, most: number) =>
  (text: string): number[] =>
    text.split(',').map(wholeNumber(least, most));

/** For commander: names divided by commas. */
export function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** The seed of a simulated run. The streams of random numbers in it are 2^32 apart. */
export const seedNumber = wholeNumber(0, 2 ** 32 - 1);

/** Processes side by side. */
export const processes = wholeNumber(1, 64);

/** Of a job that a person waits for: a day at most. */
export const seconds = wholeNumber(1, 86_400);

export const port = wholeNumber(1, 65_535);
