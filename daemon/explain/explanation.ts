/** Why something is as it is: one sentence, and what speaks for it. */
export interface Explanation {
  readonly verdict: string;
  readonly reasons: readonly string[];
}

export const explanationText = ({ verdict, reasons }: Explanation): string =>
  [verdict, ...reasons.map((reason) => `  ${reason}`)].join('\n');

export const ms = (time: number): string => (time < 10_000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`);

/** `3 agents`, `1 agent`. */
export const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

export const listed = (names: readonly string[]): string => (names.length === 0 ? 'nobody' : names.join(', '));
