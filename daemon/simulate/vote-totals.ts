import type { VoteResult } from '../../sim/byzantine/run-vote.ts';
import { worse } from './verdicts.ts';

/** What came of many simulated votes, without keeping them. */
export class VoteTotals {
  #votes = 0;
  #frames = 0;
  readonly #verdicts = new Map<VoteResult['verdict'], number>();
  readonly #outcomes = new Map<VoteResult['outcome'], number>();
  readonly #counts = new Map<string, number>();
  readonly #evidence = new Map<string, number>();
  /** Votes by the milliseconds that they took after the faults. */
  readonly #calmMs = new Map<number, number>();
  #highestView = 0;
  /** The failed vote that is told: the worst kind, and of that the first. */
  worst: VoteResult | undefined;

  add(result: VoteResult): void {
    const { verdict, outcome, counts, evidence, calmMs, highestView, depth } = result;
    this.#votes++;
    if (depth === 'frames') this.#frames++;
    count(this.#verdicts, verdict);
    count(this.#outcomes, outcome);
    for (const [name, number] of Object.entries(counts)) count(this.#counts, name, number);
    for (const kind of evidence) count(this.#evidence, kind);
    count(this.#calmMs, Math.round(calmMs));
    this.#highestView = Math.max(this.#highestView, highestView);
    this.worst = worse(this.worst, result);
  }

  get votes(): number {
    return this.#votes;
  }

  get failed(): number {
    return this.#votes - (this.#verdicts.get('ok') ?? 0);
  }

  /** In one line, for how far a long run has come. */
  progress(wallMs: number): string {
    return `${this.#head}; ${this.#rate(wallMs)}`;
  }

  summary(wallMs: number): string {
    const [messages, lost, crashes, writes, lies] = ['messages', 'lost', 'crashes', 'writes', 'evidence'].map(
      (name) => this.#counts.get(name) ?? 0,
    );
    const kinds = [...this.#evidence].map(([kind, votes]) => `${kind} in ${votes}`);
    return [
      this.#head,
      `${messages} messages, ${lost} lost, ${crashes} crashes, ${writes} writes, ${lies} lies noticed${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}; highest view ${this.#highestView}`,
      `decided ${this.#calmAt(0.5)} ms after the faults at the median, ${this.#calmAt(0.99)} ms at p99, ${this.#calmAt(1)} ms at worst`,
      this.#rate(wallMs),
    ].join('\n');
  }

  get #head(): string {
    const [option, split, expired] = (['option', 'split', 'expired'] as const).map((name) => this.#outcomes.get(name) ?? 0);
    return `${this.#votes - this.failed} of ${this.#votes} votes ok, ${this.#frames} of them with frames: ${option} for an option, ${split} split, ${expired} expired`;
  }

  #rate(wallMs: number): string {
    return `${(this.#votes / (wallMs / 1000)).toFixed(0)} votes a second`;
  }

  #calmAt(part: number): number {
    let left = Math.max(1, Math.ceil(this.#votes * part));
    for (const [ms, votes] of [...this.#calmMs].toSorted(([a], [b]) => a - b)) {
      left -= votes;
      if (left <= 0) return ms;
    }
    return 0;
  }
}

const count = <K>(counts: Map<K, number>, of: K, by = 1): void => {
  counts.set(of, (counts.get(of) ?? 0) + by);
};
