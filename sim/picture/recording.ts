import type { Plan } from '../plan.ts';
import type { RunResult, Verdict } from '../run.ts';

/** One event of a run as the trace told it: what `x` and `y` mean depends on the kind (`cut`: x is the peer; `term`, `leader`: x is the term). */
export interface Mark {
  readonly atUs: number;
  readonly node: number;
  readonly kind: string;
  readonly x: number;
  readonly y: number;
}

/** What a picture is drawn from. Times are virtual microseconds from the start of the run. */
export interface Recording {
  readonly title: string;
  readonly seed: number;
  readonly scenario: string;
  readonly verdict: Verdict;
  readonly nodes: readonly string[];
  readonly endUs: number;
  /** When the faults stopped, if the run got that far. */
  readonly faultsEndUs?: number;
  /** Counts in words, such as `5 elections`. */
  readonly facts: readonly string[];
  /** In the order of time. */
  readonly marks: readonly Mark[];
  readonly violation?: { readonly atUs: number; readonly node?: number; readonly invariant: string; readonly text: string };
}

/** The largest number of marks kept of each sort. */
const maxMarks = 20_000;

/**
 * Collects the marks of a run in bounded memory. Frames and applied entries come by the hundred thousand: once a kind is full, every other mark of it goes,
 * and from then on only every second, fourth, ... is kept, so that what remains is spread evenly. Rare kinds are kept whole up to the bound.
 */
export class Recorder {
  readonly #rare: Mark[] = [];
  readonly #frames = new Thinned();
  readonly #applies = new Thinned();
  /** Rare marks that found no room. */
  dropped = 0;

  readonly add = (mark: Mark): void => {
    if (mark.kind === 'frame') this.#frames.add(mark);
    else if (mark.kind === 'apply') this.#applies.add(mark);
    else if (this.#rare.length < maxMarks) this.#rare.push(mark);
    else this.dropped++;
  };

  /** All marks kept, in the order of time. */
  marks(): Mark[] {
    return [...this.#rare, ...this.#frames.kept, ...this.#applies.kept].toSorted((a, b) => a.atUs - b.atUs);
  }
}

class Thinned {
  kept: Mark[] = [];
  #stride = 1;
  #seen = 0;

  add(mark: Mark): void {
    if (this.#seen++ % this.#stride !== 0) return;
    if (this.kept.length >= maxMarks) {
      this.kept = this.kept.filter((_, i) => i % 2 === 0);
      this.#stride *= 2;
      if ((this.#seen - 1) % this.#stride !== 0) return;
    }
    this.kept.push(mark);
  }
}

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** The recording of a run that ended so. */
export function recordingOf(
  result: RunResult,
  { title, nodes, faultyMs }: Pick<Plan, 'title' | 'nodes' | 'faultyMs'>,
  recorder: Recorder,
): Recording {
  const { seed, scenario, verdict, counts, violation } = result;
  const endUs = result.simulatedMs * 1000;
  const facts = [
    counted(nodes, 'node'),
    counted(counts.elections, 'election'),
    counted(counts.crashes, 'crash', 'crashes'),
    counted(counts.partitions, 'partition'),
    counted(counts.writes, 'write'),
    counted(counts.reads, 'read'),
    counted(counts.completions, 'task'),
    counted(counts.snapshots, 'snapshot'),
    ...(recorder.dropped === 0 ? [] : [`${counted(recorder.dropped, 'event')} not drawn`]),
  ];
  return {
    title,
    seed,
    scenario,
    verdict,
    nodes: Array.from({ length: nodes }, (_, i) => `n${i + 1}`),
    endUs,
    ...(endUs > faultyMs * 1000 ? { faultsEndUs: faultyMs * 1000 } : {}),
    facts,
    marks: recorder.marks(),
    ...(violation === undefined ? {} : { violation: violationOf(violation, verdict, nodes, endUs) }),
  };
}

/** A run ends where it breaks. An unsafe run's message starts with the name of the invariant; others have none. */
function violationOf(message: string, verdict: Verdict, nodes: number, atUs: number): NonNullable<Recording['violation']> {
  const [line = ''] = message.split('\n');
  const colon = verdict === 'unsafe' ? line.indexOf(': ') : -1;
  const named = Number(/\bn(\d+)\b/.exec(line)?.[1] ?? 0);
  return {
    atUs,
    ...(named >= 1 && named <= nodes ? { node: named - 1 } : {}),
    invariant: colon < 0 ? verdict : line.slice(0, colon),
    text: colon < 0 ? line : line.slice(colon + 2),
  };
}
